//! What is suspicious about a decoded token. `assets/token.js` judges alike for the page, and
//! `tests/pages/tokens.json` holds both to the same answers.

use serde_json::{Map, Value};

use super::decode::{Decoded, Members, from_seconds, seconds};
use super::words::{self, Words};
use crate::pages::{Lang, Remark};

/// Something about a token that its reader should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What.
    pub(crate) remark: Remark,
    /// What it is about: a time, or names. The sender's text.
    about: String,
}

/// An access token that lives longer is worth a word: whoever steals it has it that long.
const LONG_LIFE: u64 = 60 * 60;
/// A time from here on, in seconds, is in the year 5138 or later; in milliseconds it is in 1973 or later.
const MILLISECONDS: u64 = 100_000_000_000;
/// Characters of the sender's text that a finding repeats.
const MAX_ABOUT: usize = 200;

impl Finding {
    /// A remark that says it all.
    pub(crate) fn of(remark: Remark) -> Self {
        Self { remark, about: String::new() }
    }

    /// A remark about something.
    pub(crate) fn about(remark: Remark, about: impl Into<String>) -> Self {
        let mut about = about.into();
        if let Some((end, _)) = about.char_indices().nth(MAX_ABOUT) {
            about.truncate(end);
            about.push('…');
        }
        Self { remark, about }
    }

    /// The sentence.
    pub(crate) fn text(&self) -> String {
        self.remark.text(Lang::En).replacen("{}", &self.about, 1)
    }
}

/// What is to be said about a token, what matters most first.
pub(crate) fn findings(decoded: &Decoded, words: Words) -> Vec<Finding> {
    let mut found = Findings(Vec::new());
    match decoded {
        Decoded::Refresh(_) => {
            found.say(Remark::RefreshPlace);
            found.say(Remark::RefreshPassword);
            found.say(Remark::Live);
        }
        Decoded::Opaque => {
            found.say(Remark::OpaqueSealed);
            found.say(Remark::Live);
        }
        Decoded::Encrypted { header } => {
            found.say(Remark::JweSealed);
            suspicious_header(&mut found, header);
        }
        Decoded::Jwt { header, claims, signature_len } => {
            suspicious_header(&mut found, header);
            suspicious_type(&mut found, &header.all, &claims.all);
            if *signature_len == 0 {
                found.say(Remark::Unsigned);
            }
            found.say_about(Remark::ClaimsTwice, &claims.twice);
            suspicious_times(&mut found, &claims.all, words);
            suspicious_claims(&mut found, &claims.all);
        }
    }
    // Among equals the order stays.
    found.0.sort_by_key(|finding| finding.remark.level());
    found.0
}

fn suspicious_header(found: &mut Findings, header: &Members) {
    found.say_about(Remark::HeaderTwice, &header.twice);
    let header = &header.all;
    match header.get("alg").and_then(Value::as_str) {
        None => found.say(Remark::AlgMissing),
        Some(alg) if alg.eq_ignore_ascii_case("none") => found.say(Remark::AlgNone),
        Some(alg) if alg.starts_with("HS") => found.say(Remark::AlgShared),
        Some(_) => {}
    }
    found.say_about(Remark::OwnKey, &present(header, &["jku", "x5u", "jwk", "x5c"]));
    if header.contains_key("crit") {
        found.say(Remark::Critical);
    }
    if !header.contains_key("kid") && !header.contains_key("enc") {
        found.say(Remark::KidMissing);
    }
}

fn suspicious_type(found: &mut Findings, header: &Map<String, Value>, claims: &Map<String, Value>) {
    let typ = header.get("typ").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let typ = typ.strip_prefix("application/").unwrap_or(&typ);
    if typ == "at+jwt" {
        return;
    }
    if ["nonce", "at_hash", "c_hash"].iter().any(|name| claims.contains_key(*name)) {
        found.say(Remark::IdToken);
    } else if typ.is_empty() || typ == "jwt" {
        found.say(Remark::TypeMissing);
    } else {
        found.0.push(Finding::about(Remark::TypeOther, typ));
    }
}

fn suspicious_times(found: &mut Findings, claims: &Map<String, Value>, words: Words) {
    let at = |name| claims.get(name).and_then(seconds);
    let ago = |seconds| words.relative(from_seconds(seconds));
    let now = words.now().seconds();
    match at("exp") {
        None if claims.contains_key("exp") => {}
        None => found.say(Remark::NeverExpires),
        Some(exp) if exp <= now => found.0.push(Finding::about(Remark::Expired, ago(exp))),
        Some(exp) => {
            let begin = at("iat").or_else(|| at("nbf")).unwrap_or(now);
            let life = exp.saturating_sub(begin);
            if life > LONG_LIFE {
                let life = words::span(std::time::Duration::from_secs(life));
                found.0.push(Finding::about(Remark::LongLife, life));
            }
        }
    }
    if let Some(nbf) = at("nbf").filter(|nbf| *nbf > now) {
        found.0.push(Finding::about(Remark::NotYet, ago(nbf)));
    }
    if let Some(iat) = at("iat").filter(|iat| *iat > now) {
        found.0.push(Finding::about(Remark::MadeLater, ago(iat)));
    }
    let times = present(claims, &["exp", "nbf", "iat"]);
    let of = |is: fn(Option<u64>) -> bool| -> Vec<String> {
        times.iter().filter(|name| is(at(name.as_str()))).cloned().collect()
    };
    found.say_about(Remark::TimeForm, &of(|at| at.is_none()));
    found.say_about(Remark::Milliseconds, &of(|at| at.is_some_and(|at| at >= MILLISECONDS)));
}

/// What an access token has (RFC 9068 section 2.2); `exp` has remarks of its own.
const REQUIRED: [&str; 6] = ["iss", "sub", "aud", "client_id", "iat", "jti"];
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
    let missing: Vec<_> =
        REQUIRED.into_iter().filter(|name| !claims.contains_key(*name)).map(str::to_owned).collect();
    found.say_about(Remark::Lacks, &missing);
    let is_every = |audience: &Value| audience == "*";
    let audience = claims.get("aud");
    if audience.is_some_and(is_every)
        || audience.and_then(Value::as_array).is_some_and(|all| all.iter().any(is_every))
    {
        found.say(Remark::EveryAudience);
    }
    // The rule for where secrets may be sent is the rule for what may be an issuer.
    if claims.get("iss").and_then(Value::as_str).is_some_and(|iss| {
        iss.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("http://"))
            && super::remote::base_url(iss, false).is_err()
    }) {
        found.say(Remark::HttpIssuer);
    }
    found.say_about(Remark::Secret, &named(claims, &SECRETS));
    found.say_about(Remark::Personal, &named(claims, &PERSONAL));
}

/// The names of the list that are there.
fn present(members: &Map<String, Value>, list: &[&str]) -> Vec<String> {
    list.iter().filter(|name| members.contains_key(**name)).map(|name| (*name).to_owned()).collect()
}

/// The members' names that are in the list, however they are written, in the order of the list.
fn named(members: &Map<String, Value>, list: &[&str]) -> Vec<String> {
    list.iter()
        .flat_map(|known| members.keys().filter(move |name| name.eq_ignore_ascii_case(known)))
        .cloned()
        .collect()
}

struct Findings(Vec<Finding>);

impl Findings {
    fn say(&mut self, remark: Remark) {
        self.0.push(Finding::of(remark));
    }

    /// Says it of names, if there are any.
    fn say_about(&mut self, remark: Remark, names: &[String]) {
        if !names.is_empty() {
            self.0.push(Finding::about(remark, names.join(", ")));
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::cli::decode::decode;
    use crate::pages::Level;

    /// The cases that the page's script is held to as well.
    const CASES: &str = include_str!("../../tests/pages/tokens.json");

    #[derive(Deserialize)]
    struct Table {
        /// The time of all cases, in seconds.
        now: u64,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        /// The token as it is, or
        #[serde(default)]
        token: String,
        /// its parts before they are encoded.
        #[serde(default)]
        parts: Vec<String>,
        /// What is said of it: levels and sentences.
        #[serde(default)]
        findings: Vec<(String, String)>,
        /// Why it is no token.
        refused: Option<String>,
    }

    fn words() -> Words {
        Words::at(from_seconds(1_700_000_000))
    }

    #[test]
    fn the_table_of_cases_holds_and_has_every_remark() {
        let table: Table = serde_json::from_str(CASES).unwrap();
        let words = Words::at(from_seconds(table.now));
        let mut told = Vec::new();
        for case in table.cases {
            let parts: Vec<_> = case.parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
            let token = if parts.is_empty() { case.token } else { parts.join(".") };
            let (found, refused) = match decode(&token) {
                Ok(decoded) => (findings(&decoded, words), None),
                Err(finding) => (Vec::new(), Some(finding)),
            };
            told.extend(found.iter().chain(&refused).map(|finding| finding.remark));
            let said = |f: &Finding| (f.remark.level().as_str().to_owned(), f.text());
            assert_eq!(found.iter().map(said).collect::<Vec<_>>(), case.findings, "{}", case.name);
            assert_eq!(refused.map(|finding| finding.text()), case.refused, "{}", case.name);
        }
        // It is long, and has a test of its own.
        told.push(Remark::TooLong);
        for remark in Remark::ALL {
            assert!(told.contains(remark), "no case has {remark:?}");
        }
    }

    #[test]
    fn every_name_that_is_looked_for_is_in_the_table() {
        for name in SECRETS.iter().chain(&PERSONAL).chain(&REQUIRED) {
            assert!(CASES.contains(&format!("\\\"{name}\\\"")), "{name}");
        }
    }

    #[test]
    fn what_a_finding_repeats_is_cut_short() {
        let text = Finding::about(Remark::TypeOther, "é".repeat(1000)).text();
        assert!(text.chars().count() < MAX_ABOUT + 60 && text.contains("é…"), "{text}");
        assert_eq!(Finding::about(Remark::TypeOther, "{}").text().matches("{}").count(), 1);
    }

    #[test]
    fn what_matters_most_comes_first() {
        let token = format!("{}.{}.", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode("{}"));
        let found = findings(&decode(&token).unwrap(), words());
        let levels: Vec<Level> = found.iter().map(|finding| finding.remark.level()).collect();
        assert!(levels.is_sorted() && levels.first() == Some(&Level::Bad), "{levels:?}");
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
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let token = format!("{}.{}.{}", part(&header), part(&claims), URL_SAFE_NO_PAD.encode([7; 64]));
            findings(&decode(&token).unwrap(), words());
        }
    }
}
