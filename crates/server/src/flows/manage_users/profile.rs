//! What may be said of a person: the standard claims of OpenID Connect Core section 5.1, and no
//! others. Pure, with all complaints at once.

use serde_json::{Map, Value};

use super::check;
use crate::flows::complaints::{Complaints, quote};
use crate::flows::userinfo;
use crate::store::{Profile, User};
use crate::time::Timestamp;

/// Longest claim of a person, in characters; each member of an address too.
pub const MAX_CLAIM: usize = 512;
/// Most bytes of all claims of a person, as JSON.
pub const MAX_PROFILE_BYTES: usize = 8 * 1024;
/// The members of an address (section 5.1.1).
const ADDRESS: [&str; 6] = ["formatted", "street_address", "locality", "region", "postal_code", "country"];
/// The claims that are links, which an application may show as such.
const LINKS: [&str; 3] = ["profile", "picture", "website"];

/// A change to what is said of a person. What is absent stays as it is.
#[derive(Debug, Clone, Default)]
pub struct ProfileFields {
    /// The address; `Some(None)` takes it away.
    pub email: Option<Option<String>>,
    /// Whether the address was found to be the person's. An address that is new is not, unless
    /// this says so.
    pub email_verified: Option<bool>,
    /// Claims by their standard names; `null` takes one away (RFC 7396).
    pub claims: Map<String, Value>,
}

/// The address and the profile after a change; those of before when it changes nothing.
pub(super) fn change(
    before: &User,
    fields: &ProfileFields,
    now: Timestamp,
) -> Result<(Option<String>, Profile), Complaints> {
    let mut complaints = Complaints::default();
    let after = judge((&before.email, &before.profile), fields, now, &mut complaints);
    complaints.or(after)
}

/// As [`change`], beside other complaints.
pub(super) fn judge(
    (email_before, before): (&Option<String>, &Profile),
    fields: &ProfileFields,
    now: Timestamp,
    complaints: &mut Complaints,
) -> (Option<String>, Profile) {
    let email = fields.email.as_ref().unwrap_or(email_before).clone();
    let mut profile = before.clone();
    if email != *email_before {
        profile.email_verified = false;
        if let Some(email) = &email {
            complaints.keep("email", check::email(email));
        }
    }
    profile.email_verified = fields.email_verified.unwrap_or(profile.email_verified);
    if profile.email_verified && email.is_none() {
        complaints.add("email_verified", "there is no e-mail address");
    }
    put_claims(&mut profile.claims, &fields.claims, complaints);
    if email != *email_before || profile != *before {
        profile.updated_at = Some(now);
    }
    (email, profile)
}

/// Puts claims beside those that are there, and judges the whole.
fn put_claims(claims: &mut Map<String, Value>, new: &Map<String, Value>, complaints: &mut Complaints) {
    let number_before = claims.get("phone_number").cloned();
    for (name, value) in new {
        if let Some(problem) = unknown(name) {
            complaints.add(&format!("claims.{}", quote(name)), problem);
        } else if value.is_null() {
            claims.remove(name);
        } else {
            judge_claim(name, value, complaints);
            claims.insert(name.clone(), value.clone());
        }
    }
    // As with an address: a new number is not verified because the old one was.
    if claims.get("phone_number") != number_before.as_ref() {
        claims.remove("phone_number_verified");
    }
    if let Some(verified @ Value::Bool(_)) = new.get("phone_number_verified") {
        claims.insert("phone_number_verified".to_owned(), verified.clone());
    }
    if !claims.contains_key("phone_number")
        && claims.remove("phone_number_verified") == Some(Value::Bool(true))
    {
        complaints.add("claims.phone_number_verified", "there is no phone_number");
    }
    let bytes = serde_json::to_string(claims).map_or(usize::MAX, |text| text.len());
    if bytes > MAX_PROFILE_BYTES {
        complaints.add("claims", format_args!("the most is {MAX_PROFILE_BYTES} bytes together"));
    }
}

/// Why no claim of that name is kept.
fn unknown(name: &str) -> Option<&'static str> {
    match name {
        _ if userinfo::profile_claims().any(|known| known == name) => None,
        "email" | "email_verified" => Some("is not a claim to set here: it has a member of its own"),
        "sub" | "preferred_username" | "updated_at" => Some("cannot be set: it is kept by the server"),
        _ => Some("is not known: only the standard claims of OpenID Connect are"),
    }
}

fn judge_claim(name: &str, value: &Value, complaints: &mut Complaints) {
    let member = format!("claims.{name}");
    match (name, value) {
        ("address", Value::Object(address)) => {
            for (part, value) in address {
                let member = format!("{member}.{}", quote(part));
                match value {
                    _ if !ADDRESS.contains(&part.as_str()) => {
                        complaints.add(&member, format_args!("must be one of {}", ADDRESS.join(", ")));
                    }
                    // Section 5.1.1: these may have several lines.
                    Value::String(text) => {
                        let lines = matches!(part.as_str(), "formatted" | "street_address");
                        complaints.keep(&member, self::text(text, lines));
                    }
                    _ => complaints.add(&member, "must be a text"),
                }
            }
        }
        ("address", _) => complaints.add(&member, "must be a JSON object"),
        ("phone_number_verified", Value::Bool(_)) => {}
        ("phone_number_verified", _) => complaints.add(&member, "must be true or false"),
        (_, Value::String(text)) => {
            complaints.keep(&member, self::text(text, false));
            if LINKS.contains(&name) {
                complaints.keep(&member, link(text));
            }
        }
        _ => complaints.add(&member, "must be a text"),
    }
}

fn text(text: &str, lines: bool) -> Result<(), &'static str> {
    if text.trim().is_empty() {
        return Err("must not be empty: take it away instead"); // Section 5.3.2.
    }
    if text.chars().count() > MAX_CLAIM {
        return Err("must be at most 512 characters");
    }
    let is_line_end = |c: char| lines && matches!(c, '\r' | '\n');
    if text.chars().any(|c| c.is_control() && !is_line_end(c)) {
        return Err("must not have control characters");
    }
    Ok(())
}

/// Applications make links and images of these: never one with a scheme that runs.
fn link(text: &str) -> Result<(), &'static str> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "https" | "http") => Ok(()),
        _ => Err("must be an https or http URL"),
    }
}

#[cfg(test)]
mod tests {
    use countersign_wire::UserId;
    use serde_json::json;

    use super::*;

    fn user() -> User {
        User {
            id: UserId(uuid::Uuid::nil()),
            username: "ana".to_owned(),
            canonical: "ana".to_owned(),
            email: Some("ana@example.com".to_owned()),
            password_hash: None,
            enabled: true,
            stamp: 1,
            tenant: None,
            roles: Vec::new(),
            created_at: Timestamp(0),
            profile: Profile { email_verified: true, ..Profile::default() },
        }
    }

    fn fields(claims: Value) -> ProfileFields {
        let Value::Object(claims) = claims else { panic!() };
        ProfileFields { claims, ..ProfileFields::default() }
    }

    fn complaints(claims: Value) -> Vec<String> {
        match change(&user(), &fields(claims), Timestamp(1)) {
            Ok(_) => Vec::new(),
            Err(complaints) => complaints.iter().map(str::to_owned).collect(),
        }
    }

    #[test]
    fn the_standard_claims_are_kept_and_no_others() {
        let all: Map<String, Value> = userinfo::profile_claims()
            .map(|name| match name {
                "address" => {
                    (name.to_owned(), json!({"formatted": "Main St 1\nSpringfield", "country": "US"}))
                }
                "phone_number_verified" => (name.to_owned(), json!(true)),
                _ if LINKS.contains(&name) => (name.to_owned(), json!("https://ana.example/")),
                _ => (name.to_owned(), json!("Ana")),
            })
            .collect();
        let (email, profile) = change(&user(), &fields(Value::Object(all.clone())), Timestamp(1)).unwrap();
        assert_eq!((email.as_deref(), profile.claims), (Some("ana@example.com"), all));
        assert_eq!((profile.email_verified, profile.updated_at), (true, Some(Timestamp(1))));

        for (claims, member) in [
            (json!({"shoe_size": "42"}), "claims.shoe_size: is not known"),
            (json!({"email": "a@b"}), "claims.email: "),
            (json!({"updated_at": 7}), "claims.updated_at: "),
            (json!({"name": 7}), "claims.name: must be a text"),
            (json!({"name": " "}), "claims.name: must not be empty"),
            (json!({"name": "a\nb"}), "claims.name: must not have control"),
            (json!({"name": "x".repeat(513)}), "claims.name: must be at most 512"),
            (json!({"picture": "javascript:alert(1)"}), "claims.picture: must be an https"),
            (json!({"phone_number_verified": "yes"}), "claims.phone_number_verified: must be true"),
            (json!({"phone_number_verified": true}), "claims.phone_number_verified: there is no"),
            (json!({"address": "Main St 1"}), "claims.address: must be a JSON object"),
            (json!({"address": {"planet": "Mars"}}), "claims.address.planet: must be one of"),
            (json!({"address": {"country": 1}}), "claims.address.country: must be a text"),
        ] {
            let found = complaints(claims.clone());
            assert!(found.len() == 1 && found[0].starts_with(member), "{claims}: {found:?}");
        }
        let wide = "\u{1f600}".repeat(512);
        let large = json!({"name": wide, "nickname": wide, "given_name": wide, "family_name": wide});
        assert_eq!(complaints(large), ["claims: the most is 8192 bytes together"]);
    }

    #[test]
    fn what_changes_nothing_is_no_update() {
        let before = user();
        let same = ProfileFields {
            email: Some(before.email.clone()),
            email_verified: Some(true),
            ..fields(json!({"name": null}))
        };
        assert_eq!(change(&before, &same, Timestamp(1)), Ok((before.email.clone(), before.profile.clone())));
    }

    #[test]
    fn what_is_new_is_not_verified() {
        let mut before = user();
        let new = ProfileFields { email: Some(Some("ana@home.example".to_owned())), ..fields(json!({})) };
        assert!(!change(&before, &new, Timestamp(1)).unwrap().1.email_verified);
        let known = ProfileFields { email_verified: Some(true), ..new };
        assert!(change(&before, &known, Timestamp(1)).unwrap().1.email_verified);
        let gone = ProfileFields { email: Some(None), email_verified: Some(true), ..fields(json!({})) };
        assert!(change(&before, &gone, Timestamp(1)).is_err());

        let both = json!({"phone_number": "+1 555 0100", "phone_number_verified": true});
        before.profile = change(&before, &fields(both.clone()), Timestamp(1)).unwrap().1;
        assert_eq!(Value::Object(before.profile.claims.clone()), both);
        let other = fields(json!({"phone_number": "+1 555 0101"}));
        assert_eq!(
            Value::Object(change(&before, &other, Timestamp(1)).unwrap().1.claims),
            json!({"phone_number": "+1 555 0101"})
        );
    }
}
