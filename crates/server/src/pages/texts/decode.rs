//! Texts of the token decoder. What it finds in a token is said by [`Remark`](crate::pages::Remark).

use serde_json::{Value, json};

use crate::pages::{Lang, Remark};

texts! {
    /// The token decoder.
    Decode {
        title: "Token decoder", "Token-Decoder";
        lead: "See what a token says of itself. It is read in this browser and never leaves it: this page cannot send anything anywhere.", "Sehen Sie, was ein Token über sich sagt. Es wird in diesem Browser gelesen und verlässt ihn nicht: diese Seite kann nichts versenden.";
        not_validation: "Decoding is not validation: anyone can write these claims.", "Lesen ist nicht prüfen: diese Angaben kann jeder schreiben.";
        no_script: "This page reads tokens in your browser, so it needs JavaScript, which is off here. Without it, ask on the command line:", "Diese Seite liest Token in Ihrem Browser und braucht dazu JavaScript, das hier aus ist. Ohne geht es auf der Kommandozeile:";
        no_script_asks: "It asks for the token on standard input, and sends nothing anywhere either.", "Das Kommando liest das Token von der Standardeingabe und versendet ebenfalls nichts.";
        token: "Token", "Token";
        hint: "A JWT, an rft_ or an oat_ token; the Authorization header may come along. Forgotten when you leave this page.", "Ein JWT, ein rft_- oder oat_-Token; der Authorization-Header darf mitkommen. Vergessen, sobald Sie die Seite verlassen.";
        clear: "Clear", "Leeren";
        example: "Show an example", "Ein Beispiel zeigen";
        findings: "What to look at", "Was auffällt";
        header: "Header", "Header";
        claims: "Claims", "Angaben";
        content: "Content", "Inhalt";
        verify: "Check it", "Prüfen";
        verify_lead: "Whether a token is good only its issuer's keys can tell. This checks signature, type, issuer, times and audience; where the issuer runs, also whether it was revoked. Name the issuer that you expect, not the one that the token names.", "Ob ein Token gut ist, sagen nur die Schlüssel des Ausstellers. Dies prüft Signatur, Typ, Aussteller, Zeiten und Empfänger; wo der Aussteller läuft, auch, ob es widerrufen ist. Nennen Sie den Aussteller, den Sie erwarten, nicht den, den das Token nennt.";
        leaked: "If a token got out", "Wenn ein Token in fremde Hände kam";
        leaked_lead: "Do not paste live tokens into web pages, chats or tickets: whoever has one can use it. If others saw one of this service, hand it in here. A refresh token ends with its whole session, an access token alone; the answer does not tell whether it was valid.", "Fügen Sie lebende Token nicht in Webseiten, Chats oder Tickets ein: wer eines hat, kann es benutzen. Haben andere eines dieses Dienstes gesehen, melden Sie es hier. Ein Refresh-Token endet mit der ganzen Sitzung, ein Access-Token allein; die Antwort verrät nicht, ob es gültig war.";
        name: "Name", "Name";
        value: "Value", "Wert";
        session: "session", "Sitzung";
        generation: "generation", "Generation";
        key: "key number", "Schlüsselnummer";
        version: "version", "Version";
        signature: "Signature: {} bytes, not checked.", "Signatur: {} Bytes, nicht geprüft.";
        signature_none: "Signature: none.", "Signatur: keine.";
        nothing: "Nothing stands out. That does not make it valid.", "Nichts fällt auf. Gültig ist es deshalb noch nicht.";
        seen: "Times as seen from this computer's clock at {}.", "Zeiten nach der Uhr dieses Rechners um {}.";
        unreadable: "This cannot be read", "Das lässt sich nicht lesen";
        jwt: "A signed token (JWT)", "Ein signiertes Token (JWT)";
        unsigned: "A token without a signature (JWT)", "Ein Token ohne Signatur (JWT)";
        jwe: "An encrypted token (JWE)", "Ein verschlüsseltes Token (JWE)";
        refresh: "A refresh token of Countersign", "Ein Refresh-Token von Countersign";
        opaque: "An opaque access token of Countersign", "Ein opakes Access-Token von Countersign";
        level_bad: "bad", "schlecht";
        level_warning: "suspicious", "verdächtig";
        level_note: "note", "Hinweis";
        expires: "expires {}", "läuft ab {}";
        expired: "expired {}", "abgelaufen {}";
    }
}

/// What claims and header members are, by their names.
const MEANINGS: [(&str, &str, &str); 30] = [
    ("alg", "algorithm", "Verfahren"),
    ("typ", "type", "Typ"),
    ("kid", "key", "Schlüssel"),
    ("enc", "encryption", "Verschlüsselung"),
    ("cty", "content type", "Typ des Inhalts"),
    ("crit", "extensions", "Erweiterungen"),
    ("iss", "issuer", "Aussteller"),
    ("sub", "subject", "für wen"),
    ("aud", "audience", "Empfänger"),
    ("exp", "expires", "läuft ab"),
    ("nbf", "valid from", "gültig ab"),
    ("iat", "issued", "ausgestellt"),
    ("jti", "token's id", "Kennung"),
    ("client_id", "client", "Client"),
    ("azp", "client", "Client"),
    ("scope", "scopes", "Scopes"),
    ("sid", "session", "Sitzung"),
    ("stv", "user's stamp", "Stempel der Person"),
    ("rev", "number in the revocation log", "Nummer im Widerrufsprotokoll"),
    ("tenant", "tenant", "Mandant"),
    ("roles", "roles", "Rollen"),
    ("auth_time", "signed in", "angemeldet"),
    ("updated_at", "changed", "geändert"),
    ("acr", "strength of the sign-in", "Stärke der Anmeldung"),
    ("amr", "sign-in methods", "Anmeldewege"),
    ("nonce", "the client's nonce", "Nonce des Clients"),
    ("cnf", "bound to a key", "an Schlüssel gebunden"),
    ("act", "acting for the subject", "handelt in dessen Namen"),
    ("email", "email", "E-Mail"),
    ("events", "events", "Ereignisse"),
];

impl Lang {
    /// What the decoder's script says, as JSON: its remarks by their codes, what claims are, and words.
    pub(in crate::pages) fn decoder_texts(self) -> Value {
        let t = &self.texts().decode;
        let remarks: serde_json::Map<String, Value> = Remark::ALL
            .iter()
            .map(|r| (r.code().to_owned(), json!({ "level": r.level(), "text": r.text(self) })))
            .collect();
        let meanings: serde_json::Map<String, Value> = MEANINGS
            .iter()
            .map(|(name, en, de)| ((*name).to_owned(), json!(if self == Self::En { en } else { de })))
            .collect();
        json!({
            "remarks": remarks,
            "meanings": meanings,
            "words": self.words(),
            "kinds": { "jwt": t.jwt, "unsigned": t.unsigned, "jwe": t.jwe, "refresh": t.refresh, "opaque": t.opaque },
            "levels": { "bad": t.level_bad, "warning": t.level_warning, "note": t.level_note },
            "parts": {
                "session": t.session, "generation": t.generation, "key": t.key, "version": t.version
            },
            "header": t.header, "claims": t.claims, "content": t.content, "name": t.name, "value": t.value,
            "signature": t.signature, "signature_none": t.signature_none, "nothing": t.nothing,
            "seen": t.seen, "unreadable": t.unreadable, "expires": t.expires, "expired": t.expired
        })
    }

    /// Units of time and what is ago and to come: in English those of the command line.
    fn words(self) -> Value {
        match self {
            Self::En => json!({
                "s": "s", "min": "min", "h": "h", "day": "day", "days": "days", "year": "year", "years": "years",
                "ago": "{} ago", "ahead": "in {}", "now": "now"
            }),
            // Each stands in the dative: "vor 2 Tagen".
            Self::De => json!({
                "s": "s", "min": "min", "h": "h", "day": "Tag", "days": "Tagen", "year": "Jahr", "years": "Jahren",
                "ago": "vor {}", "ahead": "in {}", "now": "jetzt"
            }),
        }
    }
}
