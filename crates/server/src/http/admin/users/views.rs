//! Users as the admin API shows them.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::flows::manage_users::{BrowserSession, Consent, Details, Factor, User};

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(in crate::http::admin) struct UserView {
    /// The `sub` claim.
    user_id: String,
    username: String,
    email: Option<String>,
    /// Whether the address was found to be the person's.
    email_verified: bool,
    /// Standard claims of OpenID Connect Core section 5.1 beside username and address.
    claims: Map<String, Value>,
    /// When address or claims last changed; null when they did not.
    #[schema(format = DateTime)]
    updated_at: Option<String>,
    /// False when a back end signs the user in itself.
    has_password: bool,
    enabled: bool,
    /// The version number: sessions and tokens of an older one are ended.
    stamp: u64,
    tenant: Option<String>,
    roles: Vec<String>,
    #[schema(format = DateTime)]
    created_at: String,
}

impl UserView {
    pub(super) fn new(user: &User) -> Self {
        Self {
            user_id: user.id.to_string(),
            username: user.username.clone(),
            email: user.email.clone(),
            email_verified: user.profile.email_verified,
            claims: user.profile.claims.clone(),
            updated_at: user.profile.updated_at.map(|at| at.to_string()),
            has_password: user.password_hash.is_some(),
            enabled: user.enabled,
            stamp: user.stamp,
            tenant: user.tenant.clone(),
            roles: user.roles.clone(),
            created_at: user.created_at.to_string(),
        }
    }
}

/// A user, and what the user has.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::admin) struct UserDetails {
    #[serde(flatten)]
    user: UserView,
    /// Second factors and recovery codes, oldest first; never what checks them.
    factors: Vec<FactorView>,
    /// Live ones, newest first.
    browser_sessions: Vec<BrowserView>,
    /// What the user allowed clients.
    consents: Vec<ConsentView>,
}

impl UserDetails {
    pub(super) fn new(details: &Details) -> Self {
        let Details { user, factors, browsers, consents } = details;
        Self {
            user: UserView::new(user),
            factors: factors.iter().map(FactorView::new).collect(),
            browser_sessions: browsers.iter().map(BrowserView::new).collect(),
            consents: consents.iter().map(ConsentView::new).collect(),
        }
    }
}

/// A second factor or recovery code.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Factor)]
struct FactorView {
    factor_id: String,
    /// `totp`, `passkey` or `recovery`.
    kind: &'static str,
    /// A name that the person gave it.
    label: String,
    #[schema(format = DateTime)]
    created_at: String,
    /// Null when it was never used. A recovery code that was used is used up.
    #[schema(format = DateTime)]
    used_at: Option<String>,
}

impl FactorView {
    fn new(factor: &Factor) -> Self {
        Self {
            factor_id: factor.id.to_string(),
            kind: factor.kind.as_str(),
            label: factor.label.clone(),
            created_at: factor.created_at.to_string(),
            used_at: factor.used_at.map(|at| at.to_string()),
        }
    }
}

/// A person's sign-in in one browser.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BrowserSession)]
struct BrowserView {
    browser_session_id: String,
    /// The user agent that it was last used with.
    device: Option<String>,
    /// The network that it was last used from.
    network: Option<String>,
    /// How well the person was authenticated.
    acr: String,
    /// By which methods.
    amr: Vec<String>,
    /// Whether the person asked to be remembered.
    remember: bool,
    #[schema(format = DateTime)]
    created_at: String,
    /// When the person last authenticated.
    #[schema(format = DateTime)]
    auth_time: String,
    /// When it was last used, to the minute.
    #[schema(format = DateTime)]
    seen_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

impl BrowserView {
    fn new(session: &BrowserSession) -> Self {
        Self {
            browser_session_id: session.id.to_string(),
            device: session.agent.clone(),
            network: session.network.clone(),
            acr: session.acr.clone(),
            amr: session.amr.clone(),
            remember: session.remember,
            created_at: session.created_at.to_string(),
            auth_time: session.auth_time.to_string(),
            seen_at: session.seen_at.to_string(),
            expires_at: session.idle_expires_at.min(session.expires_at).to_string(),
        }
    }
}

/// What the user allowed a client.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Consent)]
struct ConsentView {
    client_id: String,
    scope: String,
    /// When it was last widened.
    #[schema(format = DateTime)]
    granted_at: String,
}

impl ConsentView {
    fn new(consent: &Consent) -> Self {
        Self {
            client_id: consent.client.to_string(),
            scope: consent.scope.to_string(),
            granted_at: consent.granted_at.to_string(),
        }
    }
}
