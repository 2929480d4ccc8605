//! What a token says of itself, and what is suspicious about it. Everything here is the sender's
//! text: decoding is not validation.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::words::Words;
use crate::time::Timestamp;

/// A token, as far as it can be read without a key.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// A refresh token: its session and generation can be read, its proof cannot be checked here.
    Refresh(RefreshParts),
    /// An opaque access token: sealed.
    Opaque,
    /// A signed JWT.
    Jwt {
        /// The JOSE header.
        header: Map<String, Value>,
        /// The claims.
        claims: Map<String, Value>,
        /// Bytes of the signature.
        signature_len: usize,
    },
    /// A JWE: its claims are encrypted.
    Encrypted {
        /// The JOSE header.
        header: Map<String, Value>,
    },
}

/// What can be read of a refresh token; neither its nonce nor its MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RefreshParts {
    /// The version of the form.
    pub(crate) version: u8,
    /// The number of the key that made it.
    pub(crate) key: u8,
    /// The session.
    pub(crate) session: uuid::Uuid,
    /// Which of the session's refresh tokens it is, counted from 1.
    pub(crate) generation: u32,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Good to know.
    Note,
    /// Suspicious.
    Warn,
    /// No server may accept such a token.
    Bad,
}

impl Level {
    /// Its name in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warn => "warning",
            Self::Bad => "bad",
        }
    }
}

/// Something about a token that its reader should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// How much it matters.
    pub(crate) level: Level,
    /// A sentence.
    pub(crate) text: String,
}

/// Bytes of a refresh token: version, cell, key, session, generation, nonce, MAC.
const REFRESH_LEN: usize = 55;
/// An access token that lives longer is worth a word: whoever steals it has it that long.
const LONG_LIFE: u64 = 60 * 60;

/// Reads a token.
///
/// # Errors
/// A sentence that says why this is no token.
pub(crate) fn decode(token: &str) -> Result<Decoded, String> {
    if let Some(rest) = token.strip_prefix("rft_") {
        return refresh(rest).map(Decoded::Refresh).ok_or_else(|| {
            "this begins as a refresh token of Countersign (rft_) but is cut short or changed".to_owned()
        });
    }
    if token.starts_with("oat_") {
        return Ok(Decoded::Opaque);
    }
    let parts: Vec<&str> = token.split('.').collect();
    match parts.as_slice() {
        [header, claims, signature] => Ok(Decoded::Jwt {
            header: object(header, "header")?,
            claims: object(claims, "payload")?,
            signature_len: URL_SAFE_NO_PAD
                .decode(signature)
                .map_err(|_| "the signature is not base64url".to_owned())?
                .len(),
        }),
        [header, _, _, _, _] => Ok(Decoded::Encrypted { header: object(header, "header")? }),
        _ => Err(format!(
            "this is no token that can be decoded: a JWT has three parts between dots, this has {}",
            parts.len()
        )),
    }
}

fn object(part: &str, name: &str) -> Result<Map<String, Value>, String> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| format!("the {name} is not base64url"))?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(format!("the {name} is not a JSON object")),
    }
}

fn refresh(rest: &str) -> Option<RefreshParts> {
    let bytes = URL_SAFE_NO_PAD.decode(rest).ok().filter(|bytes| bytes.len() == REFRESH_LEN)?;
    let (&[version, _cell, key], rest) = bytes.split_first_chunk::<3>()?;
    let (session, rest) = rest.split_first_chunk::<16>()?;
    let (generation, _) = rest.split_first_chunk::<4>()?;
    Some(RefreshParts {
        version,
        key,
        session: uuid::Uuid::from_bytes(*session),
        generation: u32::from_be_bytes(*generation),
    })
}

/// What is suspicious about a token.
pub(crate) fn findings(decoded: &Decoded, words: Words) -> Vec<Finding> {
    let mut found = Findings(Vec::new());
    match decoded {
        Decoded::Refresh(_) => {
            found.note(
                "a refresh token is good at the token endpoint of its issuer only: an API must refuse it",
            );
            found.note("whoever has it can get access tokens: treat it as a password");
        }
        Decoded::Opaque => {
            found.note("its claims are sealed: only its issuer can read them, by introspection");
        }
        Decoded::Encrypted { header } => {
            found.note("its claims are encrypted to a resource's own key");
            suspicious_header(&mut found, header);
        }
        Decoded::Jwt { header, claims, signature_len } => {
            suspicious_header(&mut found, header);
            suspicious_type(&mut found, header, claims);
            if *signature_len == 0 {
                found.bad("it has no signature: anyone can write such a token");
            }
            suspicious_times(&mut found, claims, words);
            suspicious_claims(&mut found, claims);
        }
    }
    found.0
}

fn suspicious_header(found: &mut Findings, header: &Map<String, Value>) {
    match header.get("alg").and_then(Value::as_str) {
        None => found.bad("its header names no algorithm"),
        // RFC 8725 section 3.2.
        Some(alg) if alg.eq_ignore_ascii_case("none") => {
            found.bad("its algorithm is none: anyone can write such a token");
        }
        Some(alg) if alg.starts_with("HS") => {
            found.warn("it is signed with a shared secret: everyone who can check it can also forge it");
        }
        Some(_) => {}
    }
    for name in ["jku", "x5u", "jwk", "x5c"] {
        if header.contains_key(name) {
            found.warn(&format!(
                "its header brings or names its own key ({name}): a verifier that follows it trusts the sender"
            ));
        }
    }
    if header.contains_key("crit") {
        found.warn("it demands extensions (crit): a verifier that does not know them must refuse it");
    }
    if !header.contains_key("kid") && !header.contains_key("enc") {
        found.note("it does not name its key (kid)");
    }
}

fn suspicious_type(found: &mut Findings, header: &Map<String, Value>, claims: &Map<String, Value>) {
    let typ = header.get("typ").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let typ = typ.strip_prefix("application/").unwrap_or(&typ);
    if typ == "at+jwt" {
        return;
    }
    if ["nonce", "at_hash", "c_hash"].iter().any(|name| claims.contains_key(*name)) {
        found.warn("it looks like an ID token: that tells a client who signed in, and is not for an API");
    } else if typ.is_empty() || typ == "jwt" {
        // RFC 9068 section 2.1, RFC 8725 section 3.11.
        found.warn("its type is not at+jwt: it could be taken for another kind of token than it is");
    } else {
        found.warn(&format!("its type is {typ}: it is not an access token (at+jwt)"));
    }
}

fn suspicious_times(found: &mut Findings, claims: &Map<String, Value>, words: Words) {
    let at = |name| claims.get(name).and_then(seconds);
    let now = words.now().seconds();
    match at("exp") {
        None => found.bad("it never expires: it has no exp"),
        Some(exp) if exp <= now => {
            found.bad(&format!("it has expired, {}", words.relative(from_seconds(exp))));
        }
        Some(exp) => {
            let begin = at("iat").or_else(|| at("nbf")).unwrap_or(now);
            let life = exp.saturating_sub(begin);
            if life > LONG_LIFE {
                let life = super::words::span(std::time::Duration::from_secs(life));
                found.warn(&format!("it lives long, {life}: whoever steals it has it that long"));
            }
        }
    }
    if let Some(nbf) = at("nbf").filter(|nbf| *nbf > now) {
        found.bad(&format!("it is not valid yet: it begins {}", words.relative(from_seconds(nbf))));
    }
    if let Some(iat) = at("iat").filter(|iat| *iat > now) {
        let when = words.relative(from_seconds(iat));
        found.warn(&format!("it claims to be made {when}: its issuer's clock or this one is wrong"));
    }
}

/// Claims whose names say that nobody should be able to read them: a JWT is not encrypted.
const SECRETS: [&str; 12] = [
    "password",
    "passwd",
    "pwd",
    "secret",
    "client_secret",
    "api_key",
    "apikey",
    "private_key",
    "refresh_token",
    "credit_card",
    "card_number",
    "ssn",
];
/// Claims that are personal data.
const PERSONAL: [&str; 11] = [
    "email",
    "phone",
    "phone_number",
    "address",
    "birthdate",
    "given_name",
    "family_name",
    "name",
    "username",
    "preferred_username",
    "picture",
];

fn suspicious_claims(found: &mut Findings, claims: &Map<String, Value>) {
    let missing: Vec<&str> = ["iss", "sub", "aud", "client_id", "iat", "jti"]
        .into_iter()
        .filter(|name| !claims.contains_key(*name))
        .collect();
    if !missing.is_empty() {
        // RFC 9068 section 2.2.
        found.warn(&format!("it lacks what an access token must have: {}", missing.join(", ")));
    }
    if claims.get("aud").and_then(Value::as_str) == Some("*") {
        found.warn("it is for every audience: one API can use it against another");
    }
    // The rule for where secrets may be sent is the rule for what may be an issuer.
    if claims
        .get("iss")
        .and_then(Value::as_str)
        .is_some_and(|iss| iss.starts_with("http://") && super::remote::base_url(iss, false).is_err())
    {
        found.warn("its issuer is reached without encryption (http)");
    }
    let named = |list: &[&str]| {
        let names: Vec<String> = claims
            .keys()
            .filter(|name| list.iter().any(|known| name.eq_ignore_ascii_case(known)))
            .cloned()
            .collect();
        names.join(", ")
    };
    let (secret, personal) = (named(&SECRETS), named(&PERSONAL));
    if !secret.is_empty() {
        found
            .bad(&format!("it carries what looks like a secret, readable by everyone who sees it: {secret}"));
    }
    if !personal.is_empty() {
        found.warn(&format!("it carries personal data, readable by everyone who sees it: {personal}"));
    }
}

struct Findings(Vec<Finding>);

impl Findings {
    fn note(&mut self, text: &str) {
        self.0.push(Finding { level: Level::Note, text: text.to_owned() });
    }

    fn warn(&mut self, text: &str) {
        self.0.push(Finding { level: Level::Warn, text: text.to_owned() });
    }

    fn bad(&mut self, text: &str) {
        self.0.push(Finding { level: Level::Bad, text: text.to_owned() });
    }
}

/// A NumericDate (RFC 7519 section 2) in whole seconds.
pub(crate) fn seconds(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            // A cast saturates: no number of the sender's can go wrong here.
            number.as_f64().filter(|f| *f >= 0.0).map(|f| f as u64)
        }),
        _ => None,
    }
}

/// The time of a NumericDate.
pub(crate) fn from_seconds(seconds: u64) -> Timestamp {
    Timestamp(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn words() -> Words {
        Words::at(from_seconds(NOW))
    }

    fn jwt(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode([7; 64]))
    }

    fn said(token: &str) -> Vec<(Level, String)> {
        findings(&decode(token).unwrap(), words()).into_iter().map(|f| (f.level, f.text)).collect()
    }

    fn good_claims() -> Value {
        json!({
            "iss": "https://login.example", "sub": "u", "aud": "https://api.example", "client_id": "web",
            "iat": NOW - 10, "exp": NOW + 590, "jti": "j", "scope": "read"
        })
    }

    #[test]
    fn a_token_of_ours_has_nothing_suspicious() {
        let token = jwt(&json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k" }), &good_claims());
        assert_eq!(said(&token), []);
    }

    #[test]
    fn what_is_suspicious_is_said() {
        let mut claims = good_claims();
        claims["exp"] = json!(NOW + 86_400);
        claims["email"] = json!("a@b");
        claims["password"] = json!("x");
        let token = jwt(&json!({ "alg": "none", "typ": "JWT", "jku": "https://evil" }), &claims);
        let texts: Vec<String> = said(&token).into_iter().map(|(_, text)| text).collect();
        for part in
            ["algorithm is none", "(jku)", "not at+jwt", "lives long, 1 day", "personal data", "a secret"]
        {
            assert!(texts.iter().any(|text| text.contains(part)), "{part}: {texts:?}");
        }
        claims["exp"] = json!(NOW - 180);
        let token = jwt(&json!({ "alg": "HS256", "typ": "at+jwt", "kid": "k" }), &claims);
        let texts: Vec<String> = said(&token).into_iter().map(|(_, text)| text).collect();
        assert!(texts.contains(&"it has expired, 3 min ago".to_owned()), "{texts:?}");
        assert!(texts.iter().any(|text| text.contains("shared secret")));
    }

    #[test]
    fn a_refresh_token_tells_its_session_and_nothing_secret() {
        let mut bytes = vec![1, 0, 3];
        bytes.extend([0x11; 16]);
        bytes.extend(7_u32.to_be_bytes());
        bytes.extend([0xAB; 32]);
        let token = format!("rft_{}", URL_SAFE_NO_PAD.encode(&bytes));
        let Decoded::Refresh(parts) = decode(&token).unwrap() else { panic!("not a refresh token") };
        assert_eq!((parts.version, parts.key, parts.generation), (1, 3, 7));
        assert_eq!(parts.session, uuid::Uuid::from_bytes([0x11; 16]));
        assert!(decode(&token[..70]).is_err());
        assert!(matches!(decode("oat_anything"), Ok(Decoded::Opaque)));
    }

    proptest! {
        #[test]
        fn no_text_panics(token in ".{0,200}") {
            if let Ok(decoded) = decode(&token) {
                findings(&decoded, words());
            }
        }

        #[test]
        fn no_claims_panic(
            alg in ".{0,8}", typ in ".{0,12}",
            exp in any::<f64>(), iat in any::<i64>(), nbf in any::<u64>(), aud in ".{0,8}",
        ) {
            let header = json!({ "alg": alg, "typ": typ, "crit": [] });
            let claims = json!({ "exp": exp, "iat": iat, "nbf": nbf, "aud": aud, "email": null });
            let decoded = decode(&jwt(&header, &claims)).unwrap();
            findings(&decoded, words());
        }

        #[test]
        fn no_bytes_of_a_refresh_token_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(&format!("rft_{}", URL_SAFE_NO_PAD.encode(bytes)));
        }
    }
}
