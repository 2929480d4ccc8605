//! Back-channel logout (OpenID Connect Back-Channel Logout 1.0): tells clients that sessions have
//! ended. The notices were written by the transactions that ended them, so that none is lost; each
//! is delivered at least once.

use std::time::Duration;

use countersign_wire::{ClientId, LogoutClaims, LogoutToken};
use serde_json::json;

use super::{FlowResult, id_tokens};
use crate::app::App;
use crate::metrics::NoticeOutcome;
use crate::store::{Client, Event, EventKind, LogoutNotice};
use crate::time::Timestamp;

/// Most notices taken at once.
pub const BATCH: u32 = 8;
/// How long a notice is put off when it is taken: longer than a delivery takes.
const LEASE: Duration = Duration::from_secs(60);
/// How long a logout token is good (section 2.4 wants it short).
const LIFETIME: u64 = 120;
/// The first pause after a failure; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);
/// How long a notice is tried.
const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// A notice that is to be sent.
pub struct Delivery {
    /// The notice.
    pub notice: LogoutNotice,
    /// Where to.
    pub uri: String,
    /// What.
    pub token: LogoutToken,
}

/// How a receiver answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It knows (section 2.8: 200; some say 204).
    Taken,
    /// It did not, or there was no answer.
    Failed,
}

/// Takes notices that are due, but for those of some clients. Those that nobody waits for any more are forgotten.
///
/// # Errors
/// The store's silence.
pub async fn take(app: &App, but_for: &[ClientId], now: Timestamp) -> FlowResult<Vec<Delivery>> {
    let due = app.store.due_logout_notices(BATCH, but_for, now, now.plus(LEASE)).await?;
    let mut deliveries = Vec::with_capacity(due.len());
    for notice in due {
        let client = app.clients.lookup(&notice.client).await?.filter(|client| client.enabled);
        let uri = client.as_ref().and_then(|c| c.settings.sign_in.backchannel_logout_uri.clone());
        let (Some(client), Some(uri)) = (client, uri) else {
            app.store.finish_logout_notice(notice.session).await?;
            continue;
        };
        // Without a token it comes again when its lease is over.
        if let Some(token) = token(app, &client, &notice, now) {
            deliveries.push(Delivery { notice, uri, token });
        }
    }
    Ok(deliveries)
}

/// Remembers how a delivery went.
///
/// # Errors
/// The store's silence; the notice then comes again.
pub async fn record(app: &App, notice: &LogoutNotice, answer: Answer, now: Timestamp) -> FlowResult<()> {
    let (client, session) = (&notice.client, notice.session);
    if answer == Answer::Taken {
        app.metrics.logout_notice(NoticeOutcome::Delivered);
        tracing::info!(%client, sid = %session, "told of a logout");
        return Ok(app.store.finish_logout_notice(session).await?);
    }
    app.metrics.logout_notice(NoticeOutcome::Failed);
    if now.since(notice.ended_at) < GIVE_UP_AFTER {
        let again_at = now.plus(pause(notice.attempts));
        return Ok(app.store.postpone_logout_notice(session, again_at).await?);
    }
    tracing::warn!(%client, sid = %session, attempts = notice.attempts, "gave up telling of a logout");
    let event = Event {
        number: 0,
        at: now,
        kind: EventKind::Refused,
        session: Some(session),
        user: Some(notice.user),
        client: Some(client.clone()),
        detail: "the client could not be told that the session ended".to_owned(),
    };
    app.store.add_event(&event).await?;
    Ok(app.store.finish_logout_notice(session).await?)
}

fn token(app: &App, client: &Client, notice: &LogoutNotice, now: Timestamp) -> Option<LogoutToken> {
    let claims = LogoutClaims {
        iss: app.policy.issuer.clone(),
        sub: notice.user.to_string(),
        aud: client.id.to_string(),
        iat: now.seconds(),
        exp: now.seconds() + LIFETIME,
        jti: crate::entropy::uuid_v7(now).to_string(),
        sid: notice.session,
        events: json!({"http://schemas.openid.net/event/backchannel-logout": {}}),
    };
    let algorithm = id_tokens::algorithm(app, client);
    let signed = app.keys.snapshot().sign_logout_token(algorithm, &claims, now);
    signed.inspect_err(|error| tracing::error!(%error, "a logout token could not be made")).ok()
}

/// Longer each time, and never the same for all that failed together.
fn pause(attempts: u32) -> Duration {
    let whole = FIRST_PAUSE.saturating_mul(1 << attempts.min(12)).min(LONGEST_PAUSE);
    let [byte] = crate::entropy::bytes::<1>();
    whole.mul_f64(0.75 + f64::from(byte) / 512.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour() {
        for attempts in [0, 1, 5, 10, 40] {
            let whole = FIRST_PAUSE.saturating_mul(1 << attempts.min(12)).min(LONGEST_PAUSE);
            for _ in 0..50 {
                let pause = pause(attempts);
                assert!(pause >= whole.mul_f64(0.75) && pause <= whole.mul_f64(1.25), "{pause:?}");
            }
        }
        assert!(pause(0) < Duration::from_secs(7) && pause(40) > Duration::from_secs(2600));
    }
}
