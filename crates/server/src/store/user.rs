//! Users.

use countersign_wire::UserId;

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
