//! Users.

use countersign_wire::{BrowserSessionId, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Factor, Reason};
use crate::time::Timestamp;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id: the `sub` claim.
    pub id: UserId,
    /// The name as it was given.
    pub username: String,
    /// The name by which users are told apart: NFKC, lower case.
    pub canonical: String,
    /// The address.
    pub email: Option<String>,
    /// Argon2id, in PHC form; `None` when a back end signs the user in itself.
    pub password_hash: Option<String>,
    /// Whether the user may have tokens.
    pub enabled: bool,
    /// The version number: sessions and tokens of an older one are ended.
    pub stamp: u64,
    /// The tenant.
    pub tenant: Option<String>,
    /// The roles, sorted.
    pub roles: Vec<String>,
    /// When the user was added.
    pub created_at: Timestamp,
    /// What clients may be told of the person.
    pub profile: Profile,
}

/// Standard claims of a person (OpenID Connect Core section 5.1) beside username and address, as
/// the operator gave them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Whether the address was found to be the person's.
    pub email_verified: bool,
    /// When any of it last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// The rest by the standard's names: `name`, `given_name`, `picture`, `address` and so on.
    #[serde(flatten)]
    pub claims: serde_json::Map<String, serde_json::Value>,
}

/// A change to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChange {
    /// No tokens any more; the stamp moves on, so that enabling revives nothing.
    Disable,
    /// May have tokens again.
    Enable,
    /// A new password hash; the stamp moves on.
    Password(String),
    /// Ends all sessions; the stamp moves on.
    SignOut,
    /// New roles, sorted; the stamp moves on when one is taken away.
    Roles(Vec<String>),
    /// New factors, at once; the stamp moves on.
    AddFactors(Vec<Factor>),
    /// These factors and no others go; the stamp moves on.
    RemoveFactors(Vec<Uuid>),
    /// These recovery codes in place of all that there are; the stamp moves on.
    RecoveryCodes(Vec<Factor>),
    /// Another profile and address; the stamp moves on when the address is another.
    Profile(Option<String>, Box<Profile>),
}

impl UserChange {
    /// Whether it changes anything of the user as stored.
    pub fn changes(&self, before: &User) -> bool {
        match self {
            Self::Disable => before.enabled,
            Self::Enable => !before.enabled,
            Self::Password(_) | Self::SignOut => true,
            Self::Roles(roles) => *roles != before.roles,
            Self::AddFactors(factors) | Self::RecoveryCodes(factors) => !factors.is_empty(),
            Self::RemoveFactors(ids) => !ids.is_empty(),
            Self::Profile(email, profile) => *email != before.email || **profile != before.profile,
        }
    }

    /// Why it ends what the user has; `None` when it does not.
    pub fn ends(&self, before: &User) -> Option<Reason> {
        match self {
            Self::Disable => Some(Reason::UserDisabled),
            Self::Enable => None,
            Self::Password(_) => Some(Reason::PasswordChange),
            Self::SignOut => Some(Reason::SignOut),
            Self::Roles(roles) => {
                before.roles.iter().any(|r| !roles.contains(r)).then_some(Reason::RoleRemoved)
            }
            Self::AddFactors(_) | Self::RemoveFactors(_) | Self::RecoveryCodes(_) => {
                Some(Reason::FactorChange)
            }
            Self::Profile(email, _) => (*email != before.email).then_some(Reason::EmailChange),
        }
    }

    /// What the `admin` event says.
    pub fn detail(&self) -> &'static str {
        match self {
            Self::Disable => "the user was disabled",
            Self::Enable => "the user was enabled",
            Self::Password(_) => "the user's password was set",
            Self::SignOut => "the user was signed out everywhere",
            Self::Roles(_) => "the user's roles were set",
            Self::AddFactors(_) => "the user's second factors were added to",
            Self::RemoveFactors(_) => "second factors were taken from the user",
            Self::RecoveryCodes(_) => "the user's recovery codes were made anew",
            Self::Profile(..) => "the user's profile was set",
        }
    }
}

/// A change that a person makes to their own user in a browser that stays signed in. Succeeds while that browser
/// session has `seen_hash`, is the user's and is live ([`super::BrowserStanding::is_live`]): what ended it meanwhile,
/// on any node, has ended what it was about to do as well.
#[derive(Debug, Clone)]
pub struct OwnChange {
    /// Whose.
    pub user: UserId,
    /// What: one that ends what the user has; any other is refused.
    pub change: UserChange,
    /// In which browser session.
    pub browser: BrowserSessionId,
    /// SHA-256 of the secret that the browser has.
    pub seen_hash: [u8; 32],
    /// The browser session that goes on in its place.
    pub next: BrowserSessionId,
    /// SHA-256 of the secret that the browser is given.
    pub secret_hash: [u8; 32],
    /// When.
    pub now: Timestamp,
    /// When the last access token that the log entry could concern has expired.
    pub keep_until: Timestamp,
}

impl OwnChange {
    /// Whether it ends what the user as stored has: only then is the browser session that makes it over.
    pub(super) fn ends(&self, before: &User) -> bool {
        self.change.changes(before) && self.change.ends(before).is_some()
    }
}

/// Which users to list.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Of this tenant.
    pub tenant: Option<String>,
    /// Enabled or disabled ones.
    pub enabled: Option<bool>,
    /// Whose canonical name begins so.
    pub name_prefix: Option<String>,
}
