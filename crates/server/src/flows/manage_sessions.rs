//! Starting a session as an operator asks for it: for a back end that has authenticated the user
//! itself.

use countersign_wire::{ClientId, Scope, SessionId, TokenAnswer};
use serde::Deserialize;
use utoipa::ToSchema;

use super::complaints::Complaints;
use super::sessions::{self, StartRequest};
use super::{FlowError, FlowResult, Origin, Refusal, manage_users};
use crate::app::App;
use crate::time::Timestamp;

/// Longest device name and network, in characters.
const MAX_LABEL: usize = 128;
/// Longest part of a user agent that is kept, in characters.
const MAX_AGENT: usize = 160;
/// Longest `acr` and `amr` value, in bytes.
const MAX_METHOD: usize = 64;
/// Most `amr` values.
const MAX_METHODS: usize = 16;

/// A session to start.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// Whose, by id or name.
    pub user: String,
    /// For which client.
    pub client: String,
    /// What to grant; all that the client may have when it is absent.
    #[serde(default)]
    pub scope: Option<String>,
    /// For which of the client's audiences; all when it is absent.
    #[serde(default)]
    pub resource: Option<Vec<String>>,
    /// Whether the user asked to be remembered.
    #[serde(default)]
    pub remember: Option<bool>,
    /// A name for the device.
    #[serde(default)]
    pub device: Option<String>,
    /// When the user authenticated; now when it is absent.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub auth_time: Option<String>,
    /// How well the user was authenticated.
    #[serde(default)]
    pub acr: Option<String>,
    /// By which methods (RFC 8176).
    #[serde(default)]
    pub amr: Option<Vec<String>>,
    /// Where the user is, in words: a network and no address.
    #[serde(default)]
    pub network: Option<String>,
    /// What the user's browser calls itself.
    #[serde(default)]
    pub user_agent: Option<String>,
}

/// Starts a session and answers with its first pair of tokens.
///
/// # Errors
/// Complaints, a refusal, the store's silence.
pub async fn start(app: &App, request: NewSession, now: Timestamp) -> FlowResult<(SessionId, TokenAnswer)> {
    let checked = check(&request)?;
    let user = match manage_users::find(app, &request.user).await {
        Ok(user) => user,
        // In a body an unknown name is a mistake; 404 is for what a path names.
        Err(FlowError::Refused(_)) => {
            return Err(Refusal::invalid_request("user: no user of that id or name").into());
        }
        Err(error) => return Err(error),
    };
    let request = StartRequest {
        user: user.id,
        client: checked.client,
        scope: checked.scope,
        resources: request.resource.unwrap_or_default(),
        device: request.device,
        remember: request.remember.unwrap_or_default(),
        auth_time: checked.auth_time,
        acr: request.acr,
        amr: request.amr.unwrap_or_default(),
        origin: Origin {
            network: request.network.unwrap_or_default(),
            agent: request
                .user_agent
                .unwrap_or_default()
                .chars()
                .filter(|c| !c.is_control())
                .take(MAX_AGENT)
                .collect(),
        },
        sign_in: None,
        nonce: None,
    };
    sessions::start(app, &request, now).await
}

struct Checked {
    client: ClientId,
    scope: Option<Scope>,
    auth_time: Option<Timestamp>,
}

fn check(request: &NewSession) -> Result<Checked, Complaints> {
    let mut complaints = Complaints::default();
    let client = complaints.keep("client", request.client.parse::<ClientId>());
    let scope = request.scope.as_ref().map(|text| complaints.keep("scope", text.parse::<Scope>()));
    let auth_time =
        request.auth_time.as_ref().map(|text| complaints.keep("auth_time", text.parse::<Timestamp>()));
    for (member, label) in [("device", &request.device), ("network", &request.network)] {
        if let Some(label) = label
            && (label.chars().count() > MAX_LABEL || label.chars().any(char::is_control))
        {
            complaints.add(
                member,
                format_args!("must be at most {MAX_LABEL} characters, none of them control characters"),
            );
        }
    }
    let method = |text: &String| {
        (1..=MAX_METHOD).contains(&text.len()) && text.bytes().all(|b| matches!(b, b' '..=b'~'))
    };
    if request.acr.as_ref().is_some_and(|acr| !method(acr)) {
        complaints.add("acr", format_args!("must be 1 to {MAX_METHOD} printable ASCII characters"));
    }
    if let Some(amr) = &request.amr
        && (amr.len() > MAX_METHODS || !amr.iter().all(method))
    {
        complaints.add(
            "amr",
            format_args!(
                "must be at most {MAX_METHODS} texts of 1 to {MAX_METHOD} printable ASCII characters"
            ),
        );
    }
    match client {
        Some(client) => {
            complaints.or(Checked { client, scope: scope.flatten(), auth_time: auth_time.flatten() })
        }
        None => Err(complaints),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_complaints_come_at_once() {
        let request: NewSession = serde_json::from_value(serde_json::json!({
            "user": "ana", "client": "a b", "scope": "a  b", "auth_time": "yesterday", "device": "a\nb",
            "network": "x".repeat(129), "acr": "", "amr": ["pwd\n"],
        }))
        .unwrap();
        let complaints = check(&request).err().unwrap();
        let members: Vec<_> = complaints.iter().filter_map(|c| c.split(':').next()).collect();
        assert_eq!(members, ["client", "scope", "auth_time", "device", "network", "acr", "amr"]);
    }

    #[test]
    fn times_have_any_offset() {
        let request: NewSession = serde_json::from_value(serde_json::json!({
            "user": "ana", "client": "app", "auth_time": "1970-01-01T01:00:01+01:00",
        }))
        .unwrap();
        assert_eq!(check(&request).ok().unwrap().auth_time, Some(Timestamp(1000)));
    }
}
