//! What is said of a person, and what the person has.

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Ending, FIELDS};
use crate::cli::failure::Failure;
use crate::cli::list::table;
use crate::cli::route::Route;
use crate::cli::show::{self, Field, plain, time};
use crate::cli::transport::Admin;
use crate::cli::{Context, receipt};

/// What clients may be told of the person.
#[derive(Debug, Args)]
pub(super) struct Claims {
    /// A standard claim of OpenID Connect, as name="Ana Berg" or address='{"country":"DE"}'; may be
    /// given again.
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = claim)]
    claims: Vec<(String, Value)>,
}

/// The arguments of `user set`.
#[derive(Debug, Args)]
#[command(
    after_help = "Another address signs the user out everywhere. An empty one takes it away: --email \"\""
)]
pub(crate) struct Set {
    /// The user's name or id.
    name: String,
    /// The address; a new one is not verified, unless --email-verified says so.
    #[arg(long)]
    email: Option<String>,
    /// Whether the address was found to be the person's.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    email_verified: Option<bool>,
    #[command(flatten)]
    claims: Claims,
    /// A claim to take away; may be given again.
    #[arg(long, value_name = "NAME")]
    remove_claim: Vec<String>,
    /// Says what would be ended, and changes nothing.
    #[arg(long)]
    preview: bool,
}

impl Set {
    pub(super) async fn run(self, context: &mut Context, admin: &Admin) -> Result<(), Failure> {
        let route = Route::to(&["users", &self.name]).preview(self.preview);
        let done = format!("user {} is changed", self.name);
        let body = self.members();
        if body.is_empty() {
            return Err(Failure::Usage("name what to change: see user set --help".to_owned()));
        }
        let answer = admin.call(http::Method::PATCH, &route, Some(&Value::Object(body))).await?;
        receipt::print(context, &answer, &done)
    }

    /// The members that were named.
    fn members(self) -> Map<String, Value> {
        let mut members = Map::new();
        if let Some(email) = self.email {
            let email = if email.is_empty() { Value::Null } else { Value::String(email) };
            members.insert("email".to_owned(), email);
        }
        if let Some(verified) = self.email_verified {
            members.insert("email_verified".to_owned(), json!(verified));
        }
        let removed = self.remove_claim.into_iter().map(|name| (name, Value::Null));
        let claims: Map<String, Value> = removed.chain(self.claims.claims).collect();
        if !claims.is_empty() {
            members.insert("claims".to_owned(), Value::Object(claims));
        }
        members
    }
}

impl Claims {
    /// The claims, if there are any.
    pub(super) fn object(self) -> Option<Value> {
        (!self.claims.is_empty()).then(|| Value::Object(self.claims.into_iter().collect()))
    }
}

/// A claim as it is written on the command line. Whether it may be so is for the server to say.
fn claim(text: &str) -> Result<(String, Value), &'static str> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    let is_text = name != "address" && !name.ends_with("_verified");
    let value = match serde_json::from_str(value) {
        Ok(value) if !is_text => value,
        _ => Value::String(value.to_owned()),
    };
    Ok((name.to_owned(), value))
}

const FACTORS: [Field; 4] = [
    plain("second factor", "kind"),
    plain("label", "label"),
    time("added", "created_at"),
    time("last used", "used_at"),
];

const BROWSERS: [Field; 5] = [
    plain("browser session", "browser_session_id"),
    plain("device", "device"),
    plain("network", "network"),
    time("first seen", "created_at"),
    time("last seen", "seen_at"),
];

const CONSENTS: [Field; 3] =
    [plain("consent for", "client_id"), plain("scope", "scope"), time("given", "granted_at")];

/// Prints a user, and what the user has.
pub(super) fn details(context: &mut Context, mut answer: Value) -> Result<(), Failure> {
    if context.output.json {
        return context.output.json(&answer);
    }
    let lists = [("factors", &FACTORS[..]), ("browser_sessions", &BROWSERS[..]), ("consents", &CONSENTS[..])]
        .map(|(member, fields)| (answer.get_mut(member).map(Value::take), fields));
    show::thing(context, &answer, &FIELDS)?;
    for (items, fields) in lists {
        if let Some(Value::Array(items)) = items
            && !items.is_empty()
        {
            context.output.line("")?;
            table(context, &items, fields)?;
        }
    }
    Ok(())
}

/// `user reset-factors`.
pub(super) async fn reset_factors(
    context: &mut Context,
    admin: &Admin,
    ending: &Ending,
) -> Result<(), Failure> {
    let route = Route::to(&["users", &ending.name, "reset-factors"]).preview(ending.preview);
    let answer = admin.post(&route, None).await?;
    let name = &ending.name;
    let done = match answer.get("factors_removed").and_then(Value::as_u64) {
        Some(0) => format!("user {name} has no second factors: nothing was changed"),
        Some(1) => format!("1 second factor or recovery code of user {name} is removed"),
        Some(n) => format!("{n} second factors and recovery codes of user {name} are removed"),
        None => format!("the second factors of user {name} are removed"),
    };
    receipt::print(context, &answer, &done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_texts_unless_their_names_say_otherwise() {
        assert_eq!(claim("name=Ana = Berg"), Ok(("name".to_owned(), json!("Ana = Berg"))));
        assert_eq!(claim("nickname=7"), Ok(("nickname".to_owned(), json!("7"))));
        assert_eq!(claim("phone_number_verified=true").map(|(_, v)| v), Ok(json!(true)));
        assert_eq!(claim(r#"address={"country":"DE"}"#).map(|(_, v)| v), Ok(json!({"country": "DE"})));
        assert_eq!(claim("address=Main St").map(|(_, v)| v), Ok(json!("Main St")), "the server complains");
        assert!(claim("name").is_err());
    }
}
