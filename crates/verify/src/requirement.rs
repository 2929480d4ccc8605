//! What a route wants of a token, besides that it is good.

use std::time::Duration;

use countersign_wire::{AccessClaims, InvalidScope, Scope, acr_satisfies};

/// What a route wants: scope, roles, and how well and how lately the user authenticated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requirement {
    scope: Scope,
    roles: Vec<String>,
    acr: Option<String>,
    max_age: Option<u64>,
    #[cfg(feature = "feed")]
    when_behind: crate::WhenBehind,
}

/// What a good token lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// Scope; all that is wanted (RFC 6750 section 3.1, `insufficient_scope`).
    #[error("the access token lacks the scope")]
    Scope(Scope),
    /// A role of the user's. No scope would help.
    #[error("the user lacks the role")]
    Role,
    /// The user must authenticate better, or anew (RFC 9470 section 3).
    #[error("the person must authenticate anew, or better: ask for it with acr_values or max_age")]
    Authentication {
        /// How well.
        acr: Option<String>,
        /// How many seconds ago at most.
        max_age: Option<u64>,
    },
}

impl Requirement {
    /// Any good token.
    pub fn none() -> Self {
        Self::default()
    }

    /// Every scope token of a list with spaces between.
    ///
    /// # Errors
    /// When the text is no scope (RFC 6749 section 3.3).
    pub fn scope(scope: &str) -> Result<Self, InvalidScope> {
        Ok(Self { scope: scope.parse()?, ..Self::default() })
    }

    /// And this role.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.roles.push(role.into());
        self
    }

    /// And an authentication as good as this, or better: `aal2` with two factors or a passkey.
    #[must_use]
    pub fn acr(mut self, acr: impl Into<String>) -> Self {
        self.acr = Some(acr.into());
        self
    }

    /// And one that is no older than this, in whole seconds. A refresh does not make it younger.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age.as_secs());
        self
    }

    /// And what to do while the feed is behind; 503 unless it is said otherwise.
    #[cfg(feature = "feed")]
    #[must_use]
    pub fn when_behind(mut self, what: crate::WhenBehind) -> Self {
        self.when_behind = what;
        self
    }

    #[cfg(feature = "feed")]
    pub(crate) fn behaviour_when_behind(&self) -> crate::WhenBehind {
        self.when_behind
    }

    /// The scope that is wanted.
    pub fn wanted_scope(&self) -> &Scope {
        &self.scope
    }

    /// Compares the claims of a token that was verified. What a new token would not change is said
    /// first.
    ///
    /// # Errors
    /// The [`Denial`] that says what the token lacks.
    pub fn check(&self, claims: &AccessClaims, now_seconds: u64) -> Result<(), Denial> {
        if !self.scope.is_subset(&claims.scope) {
            return Err(Denial::Scope(self.scope.clone()));
        }
        if !self.roles.iter().all(|role| claims.roles.contains(role)) {
            return Err(Denial::Role);
        }
        let is_recent = |most| claims.auth_time.is_some_and(|at| now_seconds.saturating_sub(at) <= most);
        let is_weak = self.acr.as_deref().is_some_and(|acr| !acr_satisfies(claims.acr.as_deref(), acr));
        if is_weak || self.max_age.is_some_and(|most| !is_recent(most)) {
            return Err(Denial::Authentication { acr: self.acr.clone(), max_age: self.max_age });
        }
        Ok(())
    }
}
