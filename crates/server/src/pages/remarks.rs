//! What can be said about a token that somebody decodes. One table for the command line and for the page, whose
//! script gets it from here: neither has words of its own.

use serde::Serialize;

use super::Lang;

/// How much a remark matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// No server may accept such a token.
    Bad,
    /// Suspicious.
    Warning,
    /// Good to know.
    Note,
}

impl Level {
    /// Its name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Makes the list of remarks: name, code, level, and the sentence in each language. `{}` stands for what it is about.
macro_rules! remarks {
    ($($(#[$doc:meta])* $name:ident $code:literal $level:ident: $en:literal, $de:literal;)*) => {
        /// Something that can be said about a token.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Remark { $($(#[$doc])* $name,)* }

        impl Remark {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in JSON, and in the page's script.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// How much it matters.
            pub fn level(self) -> Level {
                match self { $(Self::$name => Level::$level,)* }
            }

            /// The sentence, with `{}` where something has to be put in.
            pub fn text(self, lang: Lang) -> &'static str {
                match (self, lang) { $((Self::$name, Lang::En) => $en, (Self::$name, Lang::De) => $de,)* }
            }
        }
    };
}

remarks! {
    /// Longer than anything that is looked at.
    TooLong "too_long" Bad: "this is too long for a token: more than {} bytes", "das ist zu lang für ein Token: mehr als {} Bytes";
    /// Not the three parts of a JWS, nor the five of a JWE (RFC 7515 section 7.1, RFC 7516 section 7.1).
    Parts "parts" Bad: "this is no token that can be decoded: a JWT has three parts between dots, this has {}", "das ist kein Token, das sich lesen lässt: ein JWT hat drei Teile zwischen Punkten, hier sind es {}";
    /// A refresh token that is damaged.
    RefreshCut "refresh_cut" Bad: "this begins as a refresh token of Countersign (rft_) but is cut short or changed", "das beginnt wie ein Refresh-Token von Countersign (rft_), ist aber abgeschnitten oder verändert";
    /// An opaque access token that is damaged.
    OpaqueCut "opaque_cut" Bad: "this begins as an opaque access token of Countersign (oat_) but is cut short or changed", "das beginnt wie ein opakes Access-Token von Countersign (oat_), ist aber abgeschnitten oder verändert";
    /// RFC 7515 section 2: base64url without padding.
    HeaderEncoding "header_encoding" Bad: "the header is not base64url", "der Header ist kein base64url";
    /// The same of the payload.
    PayloadEncoding "payload_encoding" Bad: "the payload is not base64url", "der Inhalt ist kein base64url";
    /// The same of the signature.
    SignatureEncoding "signature_encoding" Bad: "the signature is not base64url", "die Signatur ist kein base64url";
    /// RFC 7515 section 4.
    HeaderJson "header_json" Bad: "the header is not a JSON object that can be read", "der Header ist kein lesbares JSON-Objekt";
    /// RFC 7519 section 7.2.
    PayloadJson "payload_json" Bad: "the payload is not a JSON object that can be read", "der Inhalt ist kein lesbares JSON-Objekt";

    /// RFC 7515 section 4.1.1.
    AlgMissing "alg_missing" Bad: "its header names no algorithm", "sein Header nennt kein Verfahren";
    /// RFC 8725 section 3.2.
    AlgNone "alg_none" Bad: "its algorithm is none: anyone can write such a token", "sein Verfahren ist none: so ein Token kann jeder schreiben";
    /// No signature, whatever the header says.
    Unsigned "unsigned" Bad: "it has no signature: anyone can write such a token", "es hat keine Signatur: so ein Token kann jeder schreiben";
    /// RFC 7515 section 4: names must be unique.
    HeaderTwice "header_twice" Bad: "its header names something more than once ({}): two readers can understand it differently", "sein Header nennt etwas mehrmals ({}): zwei Leser können ihn verschieden verstehen";
    /// RFC 7519 section 4: names must be unique.
    ClaimsTwice "claims_twice" Bad: "it makes a claim more than once ({}): two readers can understand it differently", "es macht eine Angabe mehrmals ({}): zwei Leser können es verschieden verstehen";
    /// RFC 7519 section 4.1.4.
    Expired "expired" Bad: "it has expired, {}", "es ist abgelaufen, {}";
    /// It has no `exp`.
    NeverExpires "never_expires" Bad: "it never expires: it has no exp", "es läuft nie ab: es hat kein exp";
    /// RFC 7519 section 4.1.5.
    NotYet "not_yet" Bad: "it is not valid yet: it begins {}", "es gilt noch nicht: es beginnt {}";
    /// RFC 7519 section 2: a NumericDate is a number of seconds.
    TimeForm "time_form" Bad: "it has a time that is not a number of seconds: {}", "es hat eine Zeit, die keine Zahl von Sekunden ist: {}";
    /// Claims that nobody should be able to read.
    Secret "secret" Bad: "it carries what looks like a secret, readable by everyone who sees it: {}", "es enthält, was wie ein Geheimnis aussieht, lesbar für alle, die es sehen: {}";

    /// Algorithms with a shared secret.
    AlgShared "alg_shared" Warning: "it is signed with a shared secret: everyone who can check it can also forge it", "es ist mit einem gemeinsamen Geheimnis signiert: wer es prüfen kann, kann es auch fälschen";
    /// RFC 8725 section 3.10.
    OwnKey "own_key" Warning: "its header brings or names its own key ({}): a verifier that follows it trusts the sender", "sein Header bringt oder nennt den eigenen Schlüssel ({}): wer dem folgt, vertraut dem Absender";
    /// RFC 7515 section 4.1.11.
    Critical "critical" Warning: "it demands extensions (crit): a verifier that does not know them must refuse it", "es verlangt Erweiterungen (crit): wer sie nicht kennt, muss es ablehnen";
    /// OpenID Connect Core section 2.
    IdToken "id_token" Warning: "it looks like an ID token: that tells a client who signed in, and is not for an API", "es sieht wie ein ID-Token aus: das sagt einem Client, wer sich angemeldet hat, und ist nicht für APIs";
    /// RFC 9068 section 2.1, RFC 8725 section 3.11.
    TypeMissing "type_missing" Warning: "its type is not at+jwt: it could be taken for another kind of token than it is", "sein Typ ist nicht at+jwt: man könnte es für eine andere Art von Token halten, als es ist";
    /// The same, and it is of another type.
    TypeOther "type_other" Warning: "its type is {}: it is not an access token (at+jwt)", "sein Typ ist {}: es ist kein Access-Token (at+jwt)";
    /// Longer than an hour.
    LongLife "long_life" Warning: "it lives long, {}: whoever steals it has it that long", "seine Lebensdauer von {} ist lang: so lange hat es auch, wer es stiehlt";
    /// RFC 7519 section 4.1.6.
    MadeLater "made_later" Warning: "it claims to be made {}: its issuer's clock or this one is wrong", "es will erst {} ausgestellt werden: die Uhr des Ausstellers oder diese hier geht falsch";
    /// A common mistake with NumericDate.
    Milliseconds "milliseconds" Warning: "it has a time that looks like milliseconds, which count as seconds: {}", "es hat eine Zeit, die nach Millisekunden aussieht, aber als Sekunden zählt: {}";
    /// RFC 9068 section 2.2.
    Lacks "lacks" Warning: "it lacks what an access token must have: {}", "ihm fehlt, was ein Access-Token haben muss: {}";
    /// RFC 8725 section 3.9.
    EveryAudience "every_audience" Warning: "it is for every audience: one API can use it against another", "es gilt für alle Empfänger: eine API kann es gegen eine andere verwenden";
    /// RFC 8414 section 2: an issuer is an `https` URL.
    HttpIssuer "http_issuer" Warning: "its issuer is reached without encryption (http)", "sein Aussteller ist ohne Verschlüsselung zu erreichen (http)";
    /// Personal data.
    Personal "personal" Warning: "it carries personal data, readable by everyone who sees it: {}", "es enthält persönliche Daten, lesbar für alle, die es sehen: {}";

    /// RFC 7515 section 4.1.4.
    KidMissing "kid_missing" Note: "it does not name its key (kid)", "es nennt seinen Schlüssel nicht (kid)";
    /// RFC 6749 section 1.5.
    RefreshPlace "refresh_place" Note: "a refresh token is good at the token endpoint of its issuer only: an API must refuse it", "ein Refresh-Token gilt nur am Token-Endpunkt seines Ausstellers: eine API muss es ablehnen";
    /// What a refresh token is worth.
    RefreshPassword "refresh_password" Note: "whoever has it can get access tokens: treat it as a password", "wer es hat, bekommt damit Access-Token: behandeln Sie es wie ein Passwort";
    /// RFC 7662.
    OpaqueSealed "opaque_sealed" Note: "its claims are sealed: only its issuer can read them, by introspection", "seine Angaben sind versiegelt: nur der Aussteller kann sie lesen, per Introspection";
    /// RFC 7516.
    JweSealed "jwe_sealed" Note: "its claims are encrypted to a resource's own key", "seine Angaben sind verschlüsselt, mit dem Schlüssel der API, für die es ist";
    /// What to do with a live token, and with one that leaked.
    Live "live" Note: "if it is live, paste it nowhere but where it is used; if others saw it, hand it in at its issuer's /leaked-tokens, which ends it", "lebt es noch, gehört es nirgendwohin als dorthin, wo es benutzt wird; haben andere es gesehen, melden Sie es bei /leaked-tokens des Ausstellers: das beendet es";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_remark_has_a_code_of_its_own_and_a_place_for_what_it_is_about_in_every_language() {
        let codes: BTreeSet<_> = Remark::ALL.iter().map(|remark| remark.code()).collect();
        assert_eq!(codes.len(), Remark::ALL.len());
        for remark in Remark::ALL {
            let places = Lang::ALL.map(|lang| remark.text(lang).matches("{}").count());
            assert!(places == [0, 0] || places == [1, 1], "{remark:?}");
        }
    }
}
