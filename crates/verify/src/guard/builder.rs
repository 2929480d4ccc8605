//! How a guard is set up.

use std::sync::Arc;
use std::time::Duration;

#[cfg(any(feature = "feed", feature = "introspect"))]
use super::Credentials;
use super::{Guard, Inner};
#[cfg(feature = "feed")]
use crate::feed::{self, Feed};
#[cfg(feature = "introspect")]
use crate::introspect::Introspection;
use crate::remote::{Http, Keys, Pace, Recipe};
use crate::{Checker, DecryptionKey, InvalidVerifier, RevokedSet, Verifier};

/// Settings of a [`Guard`].
#[derive(Debug)]
pub struct GuardBuilder {
    issuer: String,
    audience: String,
    leeway: Duration,
    decryption_keys: Vec<DecryptionKey>,
    require_encrypted: bool,
    remembered: usize,
    keys_survive: Duration,
    pub(crate) plain_http: bool,
    pub(super) pace: Pace,
    #[cfg(feature = "feed")]
    feed: Option<Credentials>,
    #[cfg(feature = "feed")]
    behind_after: Duration,
    #[cfg(feature = "feed")]
    most_revocations: usize,
    #[cfg(feature = "introspect")]
    introspection: Option<(Credentials, Duration)>,
}

impl GuardBuilder {
    /// How old keys become while the issuer is away, unless it is said otherwise.
    pub const KEYS_SURVIVE: Duration = Duration::from_secs(24 * 3600);
    /// How far the feed may be behind, unless it is said otherwise: two signs of life.
    #[cfg(feature = "feed")]
    pub const BEHIND_AFTER: Duration = Duration::from_secs(10);
    /// Most revocations that are kept: some 200 MiB.
    #[cfg(feature = "feed")]
    pub const MOST_REVOCATIONS: usize = 4_000_000;

    pub(super) fn new(issuer: String, audience: String) -> Self {
        Self {
            issuer,
            audience,
            leeway: Duration::ZERO,
            decryption_keys: Vec::new(),
            require_encrypted: false,
            remembered: Checker::REMEMBERED,
            keys_survive: Self::KEYS_SURVIVE,
            plain_http: false,
            pace: Pace::default(),
            #[cfg(feature = "feed")]
            feed: None,
            #[cfg(feature = "feed")]
            behind_after: Self::BEHIND_AFTER,
            #[cfg(feature = "feed")]
            most_revocations: Self::MOST_REVOCATIONS,
            #[cfg(feature = "introspect")]
            introspection: None,
        }
    }

    /// Follows the revocation feed, as a client with the scope `revocations`.
    #[cfg(feature = "feed")]
    #[must_use]
    pub fn feed(mut self, credentials: Credentials) -> Self {
        self.feed = Some(credentials);
        self
    }

    /// The feed is behind when it was not up to date for so long. A sign of life comes every five
    /// seconds, so less than that makes no sense.
    #[cfg(feature = "feed")]
    #[must_use]
    pub fn behind_after(mut self, lag: Duration) -> Self {
        self.behind_after = lag;
        self
    }

    /// Keeps so many revocations at most. With more in the log the feed is behind until enough of
    /// them concern no token any more.
    #[cfg(feature = "feed")]
    #[must_use]
    pub fn most_revocations(mut self, most: usize) -> Self {
        self.most_revocations = most;
        self
    }

    /// Asks the issuer about opaque tokens, as a client that may introspect tokens of this audience.
    /// An answer is kept for `delay`: so long a revocation may go unseen.
    #[cfg(feature = "introspect")]
    #[must_use]
    pub fn introspection(mut self, credentials: Credentials, delay: Duration) -> Self {
        self.introspection = Some((credentials, delay));
        self
    }

    /// Lets tokens live this much longer, and begin this much earlier, for clocks that differ.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Opens tokens that are encrypted to this key of ours; may be said again, with keys of other `kid`s.
    #[must_use]
    pub fn decryption_key(mut self, key: DecryptionKey) -> Self {
        self.decryption_keys.push(key);
        self
    }

    /// Refuses tokens that are signed and not encrypted.
    #[must_use]
    pub fn require_encrypted(mut self) -> Self {
        self.require_encrypted = true;
        self
    }

    /// Remembers so many verified tokens at most.
    #[must_use]
    pub fn remembered(mut self, most: usize) -> Self {
        self.remembered = most;
        self
    }

    /// Goes on with the keys that are known for so long while the issuer is away.
    #[must_use]
    pub fn keys_survive(mut self, age: Duration) -> Self {
        self.keys_survive = age;
        self
    }

    /// Starts the tasks, on the runtime that this is called on, and does not wait for them: see
    /// [`Guard::ready`].
    ///
    /// # Errors
    /// When issuer or audience are empty, the leeway is too long, or two keys have one `kid`.
    pub fn start(self) -> Result<Guard, InvalidVerifier> {
        Verifier::check_settings(&self.issuer, &self.audience, self.leeway)?;
        for (index, key) in self.decryption_keys.iter().enumerate() {
            if self.decryption_keys.iter().skip(index + 1).any(|other| other.kid() == key.kid()) {
                return Err(InvalidVerifier::SameDecryptionKey(key.kid().to_owned()));
            }
        }
        let recipe = Recipe {
            issuer: self.issuer,
            audience: self.audience,
            leeway: self.leeway,
            decryption_keys: self.decryption_keys,
            require_encrypted: self.require_encrypted,
            remembered: self.remembered,
            keys_survive: self.keys_survive,
            pace: self.pace,
        };
        let revoked = Arc::new(RevokedSet::new());
        // An issuer on this machine is asked without encryption; any other names no such address.
        let is_plain = recipe.issuer.starts_with("http://");
        let http = Http::new(self.plain_http, is_plain);
        let keys = Arc::new(Keys::new(recipe, http, revoked.clone()));
        let keeper = keys.clone();
        let keeper = tokio::spawn(async move { keeper.keep().await });
        #[cfg_attr(not(feature = "feed"), expect(unused_mut, reason = "the feed has a task as well"))]
        let mut tasks = vec![keeper.abort_handle()];
        #[cfg(feature = "feed")]
        let feed = self.feed.map(|credentials| {
            let feed = Arc::new(Feed::new(revoked));
            let follower = feed::follow(feed.clone(), keys.clone(), credentials, self.most_revocations);
            tasks.push(tokio::spawn(follower).abort_handle());
            feed
        });
        Ok(Guard(Arc::new(Inner {
            #[cfg(feature = "introspect")]
            introspection: self
                .introspection
                .map(|(credentials, delay)| Arc::new(Introspection::new(keys.clone(), credentials, delay))),
            keys,
            #[cfg(feature = "feed")]
            feed,
            #[cfg(feature = "feed")]
            behind_after: self.behind_after,
            tasks,
        })))
    }
}
