//! The issuer's keys, kept fresh by one task. Nobody else fetches them, so however many requests
//! come with unknown keys, the issuer is asked once in a while.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::http::header;
use countersign_wire::{Jwk, JwkSet};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::http::answer;
use super::{Http, Metadata, Pace, RemoteError};
use crate::{Checker, DecryptionKey, InvalidVerifier, RevokedSet, Verifier};

/// How long keys are fresh when the issuer does not say, and at least and at most.
const FRESH: Duration = Duration::from_secs(300);
const FRESH_AT_LEAST: Duration = Duration::from_secs(60);
const FRESH_AT_MOST: Duration = Duration::from_secs(3600);
/// What becomes a verifier when the keys are there.
pub(crate) struct Recipe {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) leeway: Duration,
    pub(crate) decryption_keys: Vec<DecryptionKey>,
    pub(crate) require_encrypted: bool,
    pub(crate) remembered: usize,
    /// How old keys may become while the issuer is away.
    pub(crate) keys_survive: Duration,
    pub(crate) pace: Pace,
}

impl Recipe {
    fn verifier(&self, keys: JwkSet) -> Result<Verifier, InvalidVerifier> {
        let mut verifier = Verifier::new(&self.issuer, &self.audience, keys)?.with_leeway(self.leeway)?;
        for key in &self.decryption_keys {
            verifier = verifier.with_decryption_key(key.clone())?;
        }
        Ok(if self.require_encrypted { verifier.require_encrypted() } else { verifier })
    }
}

/// The keys of an issuer, and the checker that uses them.
pub(crate) struct Keys {
    recipe: Recipe,
    pub(crate) http: Http,
    revoked: Arc<RevokedSet>,
    checker: OnceLock<Checker>,
    wanted: Notify,
    state: watch::Sender<State>,
}

/// What came of asking for a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refreshed {
    /// The keys are those of now.
    Fetched,
    /// They were fetched just now, and are not again.
    Lately,
    /// The issuer gave none: what it would have published is not known.
    Failed,
}

/// How the last fetch went.
#[derive(Clone, Default)]
struct State {
    /// Fetches that were begun.
    begun: u64,
    /// Fetches that ended, well or not.
    ended: u64,
    /// When keys were last had.
    had_at: Option<Instant>,
    metadata: Option<Metadata>,
    error: Option<RemoteError>,
}

impl Keys {
    pub(crate) fn new(recipe: Recipe, http: Http, revoked: Arc<RevokedSet>) -> Self {
        let state = watch::Sender::new(State::default());
        Self { recipe, http, revoked, checker: OnceLock::new(), wanted: Notify::new(), state }
    }

    /// Whose keys they are.
    #[cfg(feature = "feed")]
    pub(crate) fn issuer(&self) -> &str {
        &self.recipe.issuer
    }

    /// How often the issuer is asked.
    #[cfg(feature = "feed")]
    pub(crate) fn pace(&self) -> Pace {
        self.recipe.pace
    }

    /// The checker; none before the first keys have come.
    pub(crate) fn checker(&self) -> Option<&Checker> {
        self.checker.get()
    }

    /// How old the keys are; none before the first have come.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.state.borrow().had_at.map(|at| at.elapsed())
    }

    /// Whether they are older than they may become.
    pub(crate) fn are_too_old(&self) -> bool {
        self.age().is_none_or(|age| age > self.recipe.keys_survive)
    }

    /// Why the last fetch failed, if it did.
    pub(crate) fn error(&self) -> Option<RemoteError> {
        self.state.borrow().error.clone()
    }

    /// Waits until there are keys, or the first attempt has failed.
    pub(crate) async fn ready(&self) -> Result<(), RemoteError> {
        let mut state = self.state.subscribe();
        match state.wait_for(|state| state.ended > 0).await {
            Ok(state) => match (&state.had_at, &state.error) {
                (None, Some(error)) => Err(error.clone()),
                _ => Ok(()),
            },
            // The sender is ours.
            Err(_) => Ok(()),
        }
    }

    /// The metadata, as soon as there is some.
    #[cfg(feature = "feed")]
    pub(crate) async fn metadata(&self) -> Option<Metadata> {
        let mut state = self.state.subscribe();
        let state = state.wait_for(|state| state.metadata.is_some()).await.ok()?;
        state.metadata.clone()
    }

    /// The metadata, if there is some by now.
    #[cfg(feature = "introspect")]
    pub(crate) fn known_metadata(&self) -> Option<Metadata> {
        self.state.borrow().metadata.clone()
    }

    /// Asks for a fetch and waits for it.
    pub(crate) async fn refresh(&self) -> Refreshed {
        let mut state = self.state.subscribe();
        let (begun, ended, is_recent) = {
            let state = state.borrow_and_update();
            (
                state.begun,
                state.ended,
                state.had_at.is_some_and(|at| at.elapsed() < self.recipe.pace.fetch_every),
            )
        };
        let awaited = if ended < begun {
            // One is under way.
            begun
        } else if is_recent {
            return Refreshed::Lately;
        } else {
            self.wanted.notify_one();
            begun + 1
        };
        let fetched = state.wait_for(|state| state.ended >= awaited);
        match tokio::time::timeout(self.recipe.pace.wait, fetched).await {
            Ok(Ok(state)) if state.error.is_none() => Refreshed::Fetched,
            _ => Refreshed::Failed,
        }
    }

    /// Fetches, for ever.
    pub(crate) async fn keep(&self) {
        let pace = self.recipe.pace;
        let mut pause = pace.retry;
        loop {
            self.state.send_modify(|state| state.begun += 1);
            let fetched = self.fetch().await;
            let wait = match &fetched {
                Ok((_, fresh)) => {
                    pause = pace.retry;
                    *fresh
                }
                Err(_) => {
                    let wait = pause;
                    pause = (pause * 2).min(pace.retry_at_most);
                    wait
                }
            };
            self.state.send_modify(|state| {
                state.ended = state.begun;
                match fetched {
                    Ok((metadata, _)) => {
                        (state.metadata, state.error) = (Some(metadata), None);
                        state.had_at = Some(Instant::now());
                    }
                    Err(error) => state.error = Some(error),
                }
            });
            tokio::time::sleep(pace.fetch_every.min(wait)).await;
            tokio::select! {
                () = self.wanted.notified() => {}
                () = tokio::time::sleep(wait.saturating_sub(pace.fetch_every)) => {}
            }
        }
    }

    async fn fetch(&self) -> Result<(Metadata, Duration), RemoteError> {
        let metadata = Metadata::discover(&self.http, &self.recipe.issuer).await?;
        let url = &metadata.jwks_uri;
        let reply = self.http.get(url).await?;
        let cache_control = reply.headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
        let fresh =
            cache_control.and_then(max_age).map_or(FRESH, |age| age.clamp(FRESH_AT_LEAST, FRESH_AT_MOST));
        // Fetched again long before they are too old.
        let fresh = fresh.min(self.recipe.keys_survive / 2);
        let keys = usable(reply.json(url)?);
        let verifier = self
            .recipe
            .verifier(keys)
            .map_err(|error| answer(url, &format!("publishes keys that cannot be used: {error}")))?;
        match self.checker.get() {
            // What was remembered stays so while the keys are the same.
            Some(checker) if checker.verifier().keys() == verifier.keys() => {}
            Some(checker) => checker.replace(verifier),
            None => {
                let checker = Checker::new(verifier)
                    .remembering(self.recipe.remembered)
                    .with_revoked(self.revoked.clone());
                // Only this task sets it.
                let _ = self.checker.set(checker);
            }
        }
        Ok((metadata, fresh))
    }
}

/// Keys as they are published: those of kinds that we do not know are passed over.
#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

fn usable(published: Published) -> JwkSet {
    let read = |key| serde_json::from_value::<Jwk>(key).ok().filter(|key| key.use_ == "sig");
    JwkSet { keys: published.keys.into_iter().filter_map(read).collect() }
}

/// `max-age` (RFC 9111 section 5.2.2.1).
fn max_age(cache_control: &str) -> Option<Duration> {
    let seconds = cache_control.split(',').find_map(|part| part.trim().strip_prefix("max-age="))?;
    seconds.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_other_kinds_are_passed_over() {
        let json = serde_json::json!({"keys": [
            {"kty": "oct", "k": "x"}, 7, {"kty": "EC", "kid": "e", "alg": "ECDH-ES", "use": "enc"},
            {"kty": "EC", "kid": "s", "alg": "ES256", "use": "sig", "crv": "P-256", "x": "x", "y": "y"},
        ]});
        let set = usable(serde_json::from_value(json).unwrap());
        assert_eq!(set.keys.iter().map(|key| key.kid.as_str()).collect::<Vec<_>>(), ["s"]);
    }

    #[test]
    fn freshness_is_what_the_issuer_says() {
        assert_eq!(max_age("public, max-age=300"), Some(Duration::from_secs(300)));
        assert_eq!(max_age("no-store"), None);
        assert_eq!(max_age("max-age=soon"), None);
    }
}
