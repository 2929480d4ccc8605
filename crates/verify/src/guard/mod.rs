//! Everything that an API asks about a token, together: the signature by the issuer's keys, what was
//! revoked, and, for what cannot be checked here, the issuer.

mod builder;
#[cfg(any(feature = "feed", feature = "introspect"))]
mod credentials;
#[cfg(test)]
#[cfg(all(feature = "feed", feature = "introspect"))]
mod tests;

use std::sync::Arc;
use std::time::Duration;

pub use self::builder::GuardBuilder;
#[cfg(any(feature = "feed", feature = "introspect"))]
pub use self::credentials::Credentials;
#[cfg(feature = "introspect")]
use crate::Verifier;
#[cfg(feature = "feed")]
use crate::feed::{Feed, FeedStatus};
#[cfg(feature = "introspect")]
use crate::introspect::Introspection;
use crate::remote::Keys;
use crate::remote::Refreshed;
use crate::{Refusal, Rejection, RemoteError, Requirement, Undecided, Verified};

/// Checks tokens of one issuer for one API. Cheap to clone; its tasks end with the last clone.
///
/// What it costs: a token that was seen lately, a hash and some look-ups; a new one, a signature
/// check. The network is asked for opaque tokens, and by the tasks beside the requests.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    keys: Arc<Keys>,
    #[cfg(feature = "feed")]
    feed: Option<Arc<Feed>>,
    /// How far behind the feed may be.
    #[cfg(feature = "feed")]
    behind_after: Duration,
    #[cfg(feature = "introspect")]
    introspection: Option<Arc<Introspection>>,
    tasks: Vec<tokio::task::AbortHandle>,
}

/// How a guard is, for metrics and a health page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// How old the issuer's keys are; `None` before the first have come.
    pub keys_age: Option<Duration>,
    /// Why the last fetch of keys failed, if it did.
    pub keys_error: Option<RemoteError>,
    /// How far behind the feed is; `None` without a feed.
    #[cfg(feature = "feed")]
    pub feed: Option<FeedStatus>,
}

impl Guard {
    /// A guard for tokens of this issuer, by the exact text, that are for this audience.
    pub fn builder(issuer: impl Into<String>, audience: impl Into<String>) -> GuardBuilder {
        GuardBuilder::new(issuer.into(), audience.into())
    }

    /// Waits for the issuer's first keys. A guard that is asked before answers that it cannot tell.
    ///
    /// # Errors
    /// Why the first attempt failed; the attempts go on.
    pub async fn ready(&self) -> Result<(), RemoteError> {
        self.0.keys.ready().await
    }

    /// Checks a token, at a time in seconds since 1970, and what a route wants of it.
    ///
    /// # Errors
    /// The [`Refusal`] to be answered.
    pub async fn check(
        &self,
        token: &str,
        requirement: &Requirement,
        now_seconds: u64,
    ) -> Result<Verified, Refusal> {
        let verified = self.check_somewhere(token, requirement, now_seconds).await?;
        requirement.check(&verified, now_seconds)?;
        Ok(verified)
    }

    /// How it is.
    pub fn status(&self) -> Status {
        Status {
            keys_age: self.0.keys.age(),
            keys_error: self.0.keys.error(),
            #[cfg(feature = "feed")]
            feed: self.0.feed.as_ref().map(|feed| feed.status()),
        }
    }

    async fn check_somewhere(
        &self,
        token: &str,
        requirement: &Requirement,
        now_seconds: u64,
    ) -> Result<Verified, Refusal> {
        #[cfg(feature = "introspect")]
        if let Some(introspection) = self.0.introspection.as_ref().filter(|_| token.starts_with("oat_")) {
            if token.len() > Verifier::MAX_TOKEN_LEN {
                return Err(Rejection::TooLong.into());
            }
            return introspection.ask(token, now_seconds).await;
        }
        self.check_here(token, requirement, now_seconds).await
    }

    async fn check_here(
        &self,
        token: &str,
        #[cfg_attr(not(feature = "feed"), expect(unused_variables, reason = "only the feed can be behind"))]
        requirement: &Requirement,
        now_seconds: u64,
    ) -> Result<Verified, Refusal> {
        let keys = &self.0.keys;
        let checker = keys.checker().ok_or(Refusal::Undecided(Undecided::Keys))?;
        if keys.are_too_old() {
            return Err(Refusal::Undecided(Undecided::Keys));
        }
        let verified = match checker.check(token, now_seconds) {
            // A key that was made a moment ago, or the sender's invention.
            Err(Rejection::UnknownKey) => match keys.refresh().await {
                Refreshed::Fetched => checker.check(token, now_seconds),
                Refreshed::Lately => Err(Rejection::UnknownKey),
                Refreshed::Failed => return Err(Refusal::Undecided(Undecided::Keys)),
            },
            checked => checked,
        }?;
        #[cfg(feature = "feed")]
        if self.is_behind() {
            match requirement.behaviour_when_behind() {
                WhenBehind::Refuse => return Err(Refusal::Undecided(Undecided::Feed)),
                // The issuer knows the token that it signed, and not the envelope.
                WhenBehind::Introspect => {
                    let signed = checker.verifier().signed_token(token)?.into_owned();
                    return self.ask(&signed, now_seconds).await;
                }
                WhenBehind::Continue => {}
            }
        } else if self.0.feed.is_some() {
            // Once more: what came in between the first look and the feed's being up to date counts.
            checker.check_revoked(&verified)?;
        }
        Ok(verified)
    }

    /// Whether something may have been revoked that is not known here.
    #[cfg(feature = "feed")]
    fn is_behind(&self) -> bool {
        let feed = self.0.feed.as_ref();
        feed.is_some_and(|feed| feed.lag().is_none_or(|lag| lag > self.0.behind_after))
    }

    /// Asks the issuer about a token that could have been revoked.
    #[cfg(feature = "feed")]
    #[cfg_attr(
        not(feature = "introspect"),
        expect(unused_variables, clippy::unused_async, reason = "there is nobody to ask")
    )]
    async fn ask(&self, token: &str, now_seconds: u64) -> Result<Verified, Refusal> {
        #[cfg(feature = "introspect")]
        if let Some(introspection) = &self.0.introspection {
            return introspection.ask(token, now_seconds).await;
        }
        Err(Refusal::Undecided(Undecided::NoIntrospection))
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Guard").field(&self.status()).finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// What a route does with a good token while the feed is so far behind that it may be revoked.
#[cfg(feature = "feed")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenBehind {
    /// Answers 503.
    #[default]
    Refuse,
    /// Asks the issuer about this token; answers 503 if that gives no answer either.
    Introspect,
    /// Goes on: the token is good until it expires, as without a feed.
    Continue,
}
