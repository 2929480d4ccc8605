//! Userinfo (OpenID Connect Core section 5.3): what a client may know of the person, by the scopes
//! of section 5.4.

use countersign_wire::{AccessClaims, Scope};
use serde_json::{Map, Value};

use super::FlowResult;
use super::bearer::{self, BearerRefusal};
use super::id_tokens::OPENID;
use crate::app::App;
use crate::store::User;
use crate::time::Timestamp;

/// The claims that each scope asks for (section 5.4), but for those that we keep apart from the
/// profile.
const BY_SCOPE: [(&str, &[&str]); 4] = [
    (
        "profile",
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
        ],
    ),
    ("email", &[]),
    ("address", &["address"]),
    ("phone", &["phone_number", "phone_number_verified"]),
];

/// The claims that an operator gives of a person; username and address are kept apart.
pub(super) fn profile_claims() -> impl Iterator<Item = &'static str> {
    BY_SCOPE.iter().flat_map(|(_, claims)| claims.iter().copied())
}

/// Every claim that can be told of a person.
pub fn claims() -> Vec<&'static str> {
    let own = ["sub", "preferred_username", "updated_at", "email", "email_verified"];
    own.into_iter().chain(profile_claims()).collect()
}

/// The scopes that mean something here.
pub fn scopes() -> Vec<&'static str> {
    [OPENID, super::authorize::OFFLINE_ACCESS]
        .into_iter()
        .chain(BY_SCOPE.iter().map(|(scope, _)| *scope))
        .collect()
}

/// Tells what the token's scope allows.
///
/// # Errors
/// The store's silence; a refusal of the token is the inner `Err`.
pub async fn run(
    app: &App,
    token: &str,
    now: Timestamp,
) -> FlowResult<Result<Map<String, Value>, BearerRefusal>> {
    let claims = match bearer::check(app, token, &app.policy.issuer, OPENID, now).await? {
        Ok(claims) => claims,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Some(user) = user(app, &claims).await? else { return Ok(Err(BearerRefusal::Revoked)) };
    Ok(Ok(tell(&user, &claims.scope)))
}

async fn user(app: &App, claims: &AccessClaims) -> FlowResult<Option<User>> {
    let Ok(id) = claims.sub.parse() else { return Ok(None) };
    Ok(app.store.user(id).await?)
}

/// What is told of a user with this scope.
fn tell(user: &User, scope: &Scope) -> Map<String, Value> {
    let mut told = Map::new();
    told.insert("sub".to_owned(), Value::from(user.id.to_string()));
    for (_, claims) in BY_SCOPE.iter().filter(|(name, _)| scope.contains(name)) {
        for claim in *claims {
            if let Some(value) = user.profile.claims.get(*claim) {
                told.insert((*claim).to_owned(), value.clone());
            }
        }
    }
    if scope.contains("profile") {
        told.insert("preferred_username".to_owned(), Value::from(user.username.clone()));
        let updated_at = user.profile.updated_at.unwrap_or(user.created_at);
        told.insert("updated_at".to_owned(), Value::from(updated_at.seconds()));
    }
    if scope.contains("email")
        && let Some(email) = &user.email
    {
        told.insert("email".to_owned(), Value::from(email.clone()));
        told.insert("email_verified".to_owned(), Value::from(user.profile.email_verified));
    }
    told
}
