//! The lifetimes document: what a client's developer must know of how long tokens live and what a
//! refresh does. Generated from what is in force, never written by hand.

use serde::Serialize;

use super::FlowResult;
use super::policy::Lifetimes;
use crate::app::App;
use crate::store::{Client, ClientFilter, ClientKind, Page, Rotation};

/// Most clients that the document lists.
const MAX_CLIENTS: u32 = 500;

/// The document.
#[derive(Debug, Clone, Serialize)]
pub struct LifetimesDocument {
    /// The issuer.
    pub issuer: String,
    /// By kind of client, where a client has none of its own.
    pub kinds: Vec<KindEntry>,
    /// Each enabled client.
    pub clients: Vec<ClientEntry>,
}

/// The lifetimes of a kind.
#[derive(Debug, Clone, Serialize)]
pub struct KindEntry {
    /// The kind.
    pub kind: ClientKind,
    /// The lifetimes.
    #[serde(flatten)]
    pub lifetimes: LifetimesEntry,
}

/// What holds for one client.
#[derive(Debug, Clone, Serialize)]
pub struct ClientEntry {
    /// The client.
    pub client_id: String,
    /// Its kind.
    pub kind: ClientKind,
    /// Its lifetimes.
    #[serde(flatten)]
    pub lifetimes: LifetimesEntry,
    /// The form of its access tokens.
    pub token_format: crate::store::TokenFormat,
    /// What a refresh does to the refresh token; none for `service`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// For how many seconds a spent refresh token is answered again with the same successor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap_seconds: Option<u64>,
    /// The same in words.
    pub refresh: String,
}

/// Lifetimes in seconds; none of a session's for `service`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct LifetimesEntry {
    /// An access token.
    pub access_token: u64,
    /// A refresh token that is not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token_idle: Option<u64>,
    /// A session, however often refreshed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
    /// As `refresh_token_idle`, when the user asked to be remembered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remembered_refresh_token_idle: Option<u64>,
    /// As `session`, when the user asked to be remembered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remembered_session: Option<u64>,
}

/// Makes the document.
///
/// # Errors
/// The store's silence.
pub async fn document(app: &App) -> FlowResult<LifetimesDocument> {
    let filter = ClientFilter { tenant: None, enabled: Some(true) };
    let clients = app.store.clients(&filter, &Page { after: None, limit: MAX_CLIENTS }).await?;
    let kinds = [ClientKind::Spa, ClientKind::Web, ClientKind::Native, ClientKind::Cli, ClientKind::Service];
    Ok(LifetimesDocument {
        issuer: app.policy.issuer.clone(),
        kinds: kinds
            .into_iter()
            .map(|kind| KindEntry { kind, lifetimes: entry(kind, &app.policy.lifetimes.of(kind)) })
            .collect(),
        clients: clients.iter().map(|client| client_entry(app, client)).collect(),
    })
}

fn client_entry(app: &App, client: &Client) -> ClientEntry {
    let settings = &client.settings;
    let refreshes = settings.kind != ClientKind::Service;
    let overlap = settings.overlap().as_secs();
    ClientEntry {
        client_id: client.id.to_string(),
        kind: settings.kind,
        lifetimes: entry(settings.kind, &app.policy.lifetimes_of(client)),
        token_format: settings.token_format,
        rotation: refreshes.then_some(settings.rotation),
        overlap_seconds: refreshes.then_some(overlap),
        refresh: match (refreshes, settings.rotation) {
            (false, _) => "No refresh token: ask for a new access token with client credentials.".to_owned(),
            (true, Rotation::Rotate) => format!(
                "Each refresh gives a new refresh token; store it before you use it. The one before is answered \
                 again for {overlap} s, or at any time with the same Idempotency-Key. Any other use of a spent \
                 refresh token ends the session."
            ),
            (true, Rotation::RotateStrict) => {
                "Each refresh gives a new refresh token; store it before you use \
                 it. The one before is answered again only with the same Idempotency-Key. Any other use of a \
                 spent refresh token ends the session."
                    .to_owned()
            }
            (true, Rotation::Reuse) => {
                "A refresh keeps the refresh token; each use moves its idle expiry.".to_owned()
            }
        },
    }
}

fn entry(kind: ClientKind, lifetimes: &Lifetimes) -> LifetimesEntry {
    let session = |duration: std::time::Duration| (kind != ClientKind::Service).then_some(duration.as_secs());
    LifetimesEntry {
        access_token: lifetimes.access.as_secs(),
        refresh_token_idle: session(lifetimes.idle),
        session: session(lifetimes.absolute),
        remembered_refresh_token_idle: session(lifetimes.remember_idle),
        remembered_session: session(lifetimes.remember_absolute),
    }
}
