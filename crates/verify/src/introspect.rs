//! Introspection (RFC 7662), for tokens that cannot be checked here: asked once for all who wait for
//! the same answer, which is kept no longer than a revocation may take to be seen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_wire::AccessClaims;
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::cache::{self, TokenHash};
use crate::checker::Verified;
use crate::guard::Credentials;
use crate::remote::{Keys, form_encoded};
use crate::{Refusal, Rejection, Undecided, payload};

/// Most answers that are kept or awaited. Beyond it every token is asked about anew.
const MAX_ANSWERS: usize = 16 * 1024;
/// Most questions at once. Whoever comes beyond it is told to try again.
const MAX_QUESTIONS: usize = 64;
/// Longest time that an answer is kept.
const LONGEST_DELAY: Duration = Duration::from_secs(3600);

/// What came of a question; `None` while nothing has.
type Answer = Option<Result<Verified, Refusal>>;

/// Asks the issuer.
pub(crate) struct Introspection {
    keys: Arc<Keys>,
    credentials: Credentials,
    /// How long an answer is kept.
    delay: Duration,
    answers: Mutex<HashMap<TokenHash, Kept>>,
    places: Semaphore,
}

struct Kept {
    answer: watch::Receiver<Answer>,
    /// Not to be used any more after this.
    until: Instant,
}

impl Introspection {
    pub(crate) fn new(keys: Arc<Keys>, credentials: Credentials, delay: Duration) -> Self {
        // An answer is not kept for longer than anybody could mean, however much is asked for.
        let delay = delay.min(LONGEST_DELAY);
        Self { keys, credentials, delay, answers: Mutex::default(), places: Semaphore::new(MAX_QUESTIONS) }
    }

    /// What the issuer says of a token, times and audience checked here as well.
    pub(crate) async fn ask(self: &Arc<Self>, token: &str, now_seconds: u64) -> Result<Verified, Refusal> {
        let hash = cache::hash(token);
        let mut answer = match self.kept(&hash) {
            Some(answer) => answer,
            None => self.begin(hash, token.to_owned()),
        };
        let answer = answer.wait_for(Option::is_some).await.map(|answer| answer.clone());
        let verified = answer.ok().flatten().unwrap_or(Err(Refusal::Undecided(Undecided::Introspection)))?;
        let checker = self.keys.checker().ok_or(Refusal::Undecided(Undecided::Keys))?;
        checker.verifier().check_claims(&verified, now_seconds)?;
        // Where there is a feed, it may know more than an answer that is kept.
        checker.check_revoked(&verified)?;
        Ok(verified)
    }

    fn kept(&self, hash: &TokenHash) -> Option<watch::Receiver<Answer>> {
        let answers = self.lock();
        let kept = answers.get(hash)?;
        // Awaited or answered: an answer is as old as its question.
        (Instant::now() < kept.until).then(|| kept.answer.clone())
    }

    /// Asks in a task of its own: whoever asked first may go away.
    fn begin(self: &Arc<Self>, hash: TokenHash, token: String) -> watch::Receiver<Answer> {
        let (sender, receiver) = watch::channel(None);
        let mut answers = self.lock();
        if answers.len() >= MAX_ANSWERS {
            let now = Instant::now();
            answers.retain(|_, kept| now < kept.until);
        }
        if answers.len() < MAX_ANSWERS {
            // Counted from the question: what is revoked while the answer is on its way is in no answer.
            let until = Instant::now() + self.delay;
            answers.insert(hash, Kept { answer: receiver.clone(), until });
        }
        drop(answers);
        let this = self.clone();
        tokio::spawn(async move {
            let answer = this.introspect(&token).await;
            if matches!(answer, Err(Refusal::Undecided(_))) {
                // Not an answer: the next who comes asks again.
                this.lock().remove(&hash);
            }
            sender.send_replace(Some(answer));
        });
        receiver
    }

    async fn introspect(&self, token: &str) -> Result<Verified, Refusal> {
        let undecided = || Refusal::Undecided(Undecided::Introspection);
        // Whoever sends many inventions gets no more of the issuer than this.
        let _place = self.places.try_acquire().map_err(|_| undecided())?;
        let metadata = self.keys.known_metadata().ok_or_else(undecided)?;
        let url = metadata.introspection_endpoint.ok_or_else(undecided)?;
        let form = format!("token={}&token_type_hint=access_token", form_encoded(token));
        let reply = self.keys.http.post_form(&url, &self.credentials, form).await;
        let reply = reply.map_err(|_| undecided())?;
        let answer: Value = reply.json(&url).map_err(|_| undecided())?;
        match answer.get("active").and_then(Value::as_bool) {
            Some(true) => {}
            Some(false) => return Err(Rejection::Inactive.into()),
            None => return Err(undecided()),
        }
        // A yes that is not understood is no answer.
        let claims: AccessClaims = payload::parse(&reply.body).map_err(|_| undecided())?;
        Ok(Verified::new(claims))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenHash, Kept>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
