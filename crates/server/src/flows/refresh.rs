//! The refresh (RFC 6749 section 6, RFC 9700 section 4.14): what Countersign exists for.
//!
//! [`run`] tries the one conditional update first, which is right for every honest request but a
//! retry. Only when that changes nothing is the row read and [`judge`] says what the presentation
//! means. `judge` is pure; it is the decision table of `docs/refresh.md` in code, and the model
//! checker runs this very function.

use std::sync::Arc;
use std::time::Duration;

use countersign_wire::{ClientId, IdempotencyKey, RefreshToken, Scope, TokenAnswer};

use super::access::{self, Actor, Recipients};
use super::clients::{AuthenticatedClient, Credentials};
use super::{FlowError, FlowResult, Refusal, id_tokens, revocation};
use crate::app::App;
use crate::flows::Origin;
use crate::keys::{KeySet, PresentedRefresh, RefreshTokenError, retry_hash};
use crate::store::{
    Client, Context, Event, EventKind, Lockstep, Reason, Replay, RotateSession, Rotation, Standing, Target,
    TokenFormat,
};
use crate::time::Timestamp;

/// How often a refresh starts over because something moved between its reading and its writing.
/// Each round needs another request or change to have got in between.
const MAX_ROUNDS: usize = 16;

/// What a client sent to refresh.
pub struct RefreshRequest {
    /// The refresh token.
    pub token: RefreshToken,
    /// The scope asked for; `None` asks for all.
    pub scope: Option<Scope>,
    /// The resources asked for; none asks for all.
    pub resources: Vec<String>,
    /// The retry proof.
    pub idempotency_key: Option<IdempotencyKey>,
    /// Where it came from.
    pub origin: Origin,
}

/// How a refresh was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The token was live and has a successor now.
    Rotated,
    /// The token was spent and its successor was sent again.
    Replayed,
}

/// Answers a refresh.
///
/// # Errors
/// A refusal, or the store's silence; never a refusal for the store's silence.
pub async fn run(
    app: &App,
    credentials: &Credentials,
    request: &RefreshRequest,
    now: Timestamp,
) -> FlowResult<(TokenAnswer, Outcome)> {
    let mut client = app.clients.authenticate(credentials, now).await?;
    let (keys, presented) = open(app, &request.token, now).await?;
    let context = keys.context(&request.origin.network, &request.origin.agent);
    let retry_hash = request.idempotency_key.as_ref().map(|key| retry_hash(presented.session, key));
    let nonce_hash = presented.nonce.hash();

    for round in 0..MAX_ROUNDS {
        if round > 0 {
            client = app.clients.authenticate_anew(credentials, now).await?;
        }
        let claim = Claim {
            generation: presented.generation,
            nonce_hash,
            client: client.id().clone(),
            retry_hash,
            context,
        };
        // What was granted never changes, so a narrower request can be checked before the update, and
        // whether there is a key to encrypt the access token to.
        let is_encrypted = client.settings().token_format == TokenFormat::Encrypted;
        let recipients = match is_encrypted || request.scope.is_some() || !request.resources.is_empty() {
            true => check_grant(app, &client, &presented, &claim, request, now).await?,
            false => None,
        };
        let advance = client.settings().rotation != Rotation::Reuse;
        let rotated = app
            .store
            .rotate(&RotateSession {
                id: presented.session,
                generation: presented.generation,
                advance,
                nonce_hash,
                client: client.id().clone(),
                client_revision: client.revision(),
                key_number: keys.newest_refresh_key(now),
                retry_hash,
                context,
                now,
            })
            .await?;
        if let Some(standing) = rotated {
            note_new_network(app, &standing, request, now);
            let answer =
                answer(app, (&keys, &presented), &client, &standing, request, recipients, now).await?;
            return Ok((answer, Outcome::Rotated));
        }

        let Some(standing) = app.store.standing(presented.session).await? else {
            return Err(Refusal::UnknownSession.into());
        };
        let rules = Rules::of(client.client(), app.policy.lockstep_threshold);
        match judge(&claim, &standing, &rules, now) {
            // The client's record was stale, or another request came in between: look again.
            Verdict::Rotate => {}
            Verdict::Replay(lockstep) => {
                let replayed = app
                    .store
                    .replay(&Replay {
                        id: presented.session,
                        generation: standing.session.generation,
                        nonce_hash,
                        client: client.id().clone(),
                        client_revision: client.revision(),
                        seen: standing.session.lockstep,
                        lockstep,
                        now,
                        detail: replay_sentence(&claim, &standing, now),
                    })
                    .await?;
                if let Some(standing) = replayed {
                    let answer =
                        answer(app, (&keys, &presented), &client, &standing, request, recipients, now)
                            .await?;
                    return Ok((answer, Outcome::Replayed));
                }
            }
            Verdict::Reuse(reason) => {
                tracing::warn!(
                    sid = %presented.session, client = %client.id(), reason = reason.as_str(),
                    presented = presented.generation, current = standing.session.generation,
                    "a spent refresh token was presented; the session is ended"
                );
                revocation::end(app, &Target::Session(presented.session), reason, now).await?;
                return Err(Refusal::Reuse(reason).into());
            }
            Verdict::Refuse(refusal) => {
                if refusal == Refusal::FutureGeneration {
                    report_future_generation(app, &presented, &standing, now).await;
                }
                return Err(refusal.into());
            }
        }
    }
    Err(FlowError::Store(crate::store::StoreError::Unavailable("too many concurrent changes".to_owned())))
}

/// What [`judge`] is told of a presentation: a token with a valid mac, and who presented it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The token's generation.
    pub generation: u32,
    /// SHA-256 of the token's nonce.
    pub nonce_hash: [u8; 32],
    /// The client that presented it, authenticated if it can be.
    pub client: ClientId,
    /// The hash of the `Idempotency-Key` that came with it.
    pub retry_hash: Option<[u8; 16]>,
    /// Where it came from.
    pub context: Context,
}

/// The client's part of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How long a spent token is answered again without a retry proof.
    pub overlap: Duration,
    /// Consecutive generations with a foreign replay that are theft.
    pub lockstep_threshold: u32,
}

impl Rules {
    /// A client's rules.
    pub fn of(client: &Client, lockstep_threshold: u32) -> Self {
        Self { overlap: client.settings.overlap(), lockstep_threshold }
    }
}

/// What a presentation means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The live token: it gets its successor.
    Rotate,
    /// A permitted repetition: it gets the same successor; the record of foreign replays becomes
    /// this.
    Replay(Lockstep),
    /// Theft: the session ends.
    Reuse(Reason),
    /// No, and nothing changes.
    Refuse(Refusal),
}

/// The decision table. Order matters: what is not fully valid is inert, and only a fully valid
/// presentation of a spent token can end a session.
pub fn judge(claim: &Claim, standing: &Standing, rules: &Rules, now: Timestamp) -> Verdict {
    let Standing { session, gates, .. } = standing;
    if claim.nonce_hash != session.nonce_hash {
        return Verdict::Refuse(Refusal::UnknownSession);
    }
    if claim.client != session.client {
        return Verdict::Refuse(Refusal::AnotherClientsToken);
    }
    if let Some(ended) = session.ended {
        return Verdict::Refuse(Refusal::SessionEnded(ended.reason));
    }
    if session.expires_at <= now {
        return Verdict::Refuse(Refusal::SessionExpired);
    }
    if session.idle_expires_at <= now {
        return Verdict::Refuse(Refusal::SessionIdle);
    }
    if !gates.client_enabled {
        return Verdict::Refuse(Refusal::ClientOfSessionDisabled);
    }
    if !gates.user_enabled {
        return Verdict::Refuse(Refusal::UserDisabled);
    }
    if gates.user_stamp != session.user_stamp {
        return Verdict::Refuse(Refusal::StampMoved);
    }
    if gates.cut > session.born {
        return Verdict::Refuse(Refusal::Cut);
    }
    if claim.generation == session.generation {
        return Verdict::Rotate;
    }
    if claim.generation > session.generation {
        return Verdict::Refuse(Refusal::FutureGeneration);
    }
    if claim.generation.checked_add(1) != Some(session.generation) {
        return Verdict::Reuse(Reason::Reuse);
    }
    match session.retry_hash {
        Some(proof) if claim.retry_hash == Some(proof) => Verdict::Replay(session.lockstep),
        Some(_) => Verdict::Reuse(Reason::Reuse),
        None if is_inside(rules.overlap, session.rotated_at, now) => judge_window(claim, standing, rules),
        None => Verdict::Reuse(Reason::Reuse),
    }
}

/// Inside the overlap window, unless a second party has been riding it for several generations.
fn judge_window(claim: &Claim, standing: &Standing, rules: &Rules) -> Verdict {
    let session = &standing.session;
    let rotated_from = session.recent.first().map(|recent| recent.context);
    if rotated_from.is_none_or(|context| context == claim.context) {
        return Verdict::Replay(session.lockstep);
    }
    let seen = session.lockstep;
    if seen.generation == session.generation {
        return Verdict::Replay(seen);
    }
    let consecutive = seen.generation.checked_add(1) == Some(session.generation);
    let streak = if consecutive { seen.streak.saturating_add(1) } else { 1 };
    if streak >= rules.lockstep_threshold {
        return Verdict::Reuse(Reason::Lockstep);
    }
    Verdict::Replay(Lockstep { generation: session.generation, streak })
}

/// Whether `now` is within the window of a rotation. A clock that went backwards opens the window
/// by its length at most: the distance counts, not its sign.
fn is_inside(overlap: Duration, rotated_at: Timestamp, now: Timestamp) -> bool {
    let distance = now.since(rotated_at).max(rotated_at.since(now));
    !overlap.is_zero() && distance <= overlap
}

/// Checks the token without the store, but for a key that another node may have made just now; also
/// gives the keys that know it.
async fn open(
    app: &App,
    token: &RefreshToken,
    now: Timestamp,
) -> FlowResult<(Arc<KeySet>, PresentedRefresh)> {
    let refused = |error| match error {
        RefreshTokenError::LooksLikeJwt | RefreshTokenError::LooksLikeOpaqueAccess => {
            Refusal::AccessTokenAsRefreshToken
        }
        _ => Refusal::ForeignRefreshToken,
    };
    let keys = app.keys.snapshot();
    match keys.open_refresh(token.expose()) {
        Ok(presented) => Ok((keys, presented)),
        Err(RefreshTokenError::UnknownKey) => {
            // A key is known for a while before it makes tokens, so keys read a moment ago are all.
            app.look_for_keys(now).await?;
            let keys = app.keys.snapshot();
            let presented = keys.open_refresh(token.expose()).map_err(refused)?;
            Ok((keys, presented))
        }
        Err(error) => Err(refused(error).into()),
    }
}

/// Refuses scope and resources beyond the grant (RFC 6749 section 6, RFC 8707 section 2.2), and
/// what cannot be encrypted, before anything changes. Says nothing about the grant unless the
/// presentation is valid otherwise.
async fn check_grant(
    app: &App,
    client: &AuthenticatedClient,
    presented: &PresentedRefresh,
    claim: &Claim,
    request: &RefreshRequest,
    now: Timestamp,
) -> FlowResult<Option<Recipients>> {
    let Some(standing) = app.store.standing(presented.session).await? else {
        return Err(Refusal::UnknownSession.into());
    };
    let session = &standing.session;
    if claim.nonce_hash != session.nonce_hash {
        return Err(Refusal::UnknownSession.into());
    }
    if claim.client != session.client {
        return Err(Refusal::AnotherClientsToken.into());
    }
    if request.scope.as_ref().is_some_and(|scope| !scope.is_subset(&session.scope)) {
        return Err(Refusal::ScopeNotGranted.into());
    }
    if request.resources.iter().any(|resource| !session.audience.contains(resource)) {
        return Err(Refusal::TargetNotGranted.into());
    }
    let rules = Rules::of(client.client(), app.policy.lockstep_threshold);
    match access::recipients(app, client.client(), &session.audience, &request.resources) {
        Ok(recipients) => Ok(Some(recipients)),
        Err(refusal) => match judge(claim, &standing, &rules, now) {
            Verdict::Rotate | Verdict::Replay(_) => Err(refusal.into()),
            // It gets no token anyway, and is told below what it is: theft above all.
            Verdict::Reuse(_) | Verdict::Refuse(_) => Ok(None),
        },
    }
}

/// The answer, made from the row as it is after the update: a repetition gives the same refresh
/// token because it is a function of the row and the presented nonce.
async fn answer(
    app: &App,
    (keys, presented): (&KeySet, &PresentedRefresh),
    client: &AuthenticatedClient,
    standing: &Standing,
    request: &RefreshRequest,
    recipients: Option<Recipients>,
    now: Timestamp,
) -> FlowResult<TokenAnswer> {
    let session = &standing.session;
    let make = |keys: &KeySet| {
        keys.refresh_token(session.key_number, session.id, session.generation, &presented.nonce)
    };
    // Another request may have read them again meanwhile.
    let refresh_token = match make(keys).or_else(|| make(&app.keys.snapshot())) {
        Some(token) => token,
        None => {
            app.reload_keys(now).await?;
            make(&app.keys.snapshot())
                .ok_or(FlowError::Internal("the key of a current refresh token is gone"))?
        }
    };
    let granted = session.scope.intersection(&client.settings().scope);
    let scope = match &request.scope {
        Some(asked) => asked.intersection(&granted),
        None => granted,
    };
    let recipients = match recipients {
        Some(recipients) => recipients,
        None => access::recipients(app, client.client(), &session.audience, &request.resources)?,
    };
    let (access_token, expires_in) =
        access::mint(app, client.client(), Actor::User(standing), scope.clone(), recipients, now)?;
    let id_token = match scope.contains(id_tokens::OPENID) {
        true => Some(id_tokens::mint(app, client.client(), session, None, &access_token, now)?),
        false => None,
    };
    Ok(TokenAnswer {
        access_token,
        token_type: "Bearer",
        expires_in: expires_in.as_secs(),
        scope,
        id_token,
        refresh_token: Some(refresh_token),
        refresh_token_expires_in: Some(session.idle_expires_at.since(now).as_secs()),
        authorization_expires_in: Some(session.expires_at.since(now).as_secs()),
    })
}

fn replay_sentence(claim: &Claim, standing: &Standing, now: Timestamp) -> String {
    let session = &standing.session;
    let after = now.since(session.rotated_at);
    let proof = match session.retry_hash {
        Some(_) => "with the same retry proof",
        None => "inside the overlap window",
    };
    let place = match session.recent.first() {
        Some(recent) if recent.context != claim.context => ", from another place",
        _ => "",
    };
    format!(
        "generation {} again {}.{:03} s after it was replaced, {proof}{place}",
        claim.generation,
        after.as_secs(),
        after.subsec_millis()
    )
}

/// Remembers a new network or user agent beside the request: nothing waits for it.
fn note_new_network(app: &App, standing: &Standing, request: &RefreshRequest, now: Timestamp) {
    let mut recent = standing.session.recent.iter();
    let (Some(this), Some(before)) = (recent.next(), recent.next()) else { return };
    if this.context == before.context {
        return;
    }
    let (store, id) = (app.store.clone(), standing.session.id);
    let (network, agent) = (request.origin.network.clone(), request.origin.agent.clone());
    tokio::spawn(async move {
        if let Err(error) = store.note_network(id, &network, &agent, now).await {
            tracing::debug!(%error, "a new network was not noted");
        }
    });
}

async fn report_future_generation(
    app: &App,
    presented: &PresentedRefresh,
    standing: &Standing,
    now: Timestamp,
) {
    tracing::error!(
        sid = %presented.session, presented = presented.generation, current = standing.session.generation,
        "a refresh token is newer than the store: was an old backup restored without the epoch rule?"
    );
    let event = Event {
        number: 0,
        at: now,
        kind: EventKind::Refused,
        session: Some(presented.session),
        user: Some(standing.session.user),
        client: Some(standing.session.client.clone()),
        detail: format!(
            "generation {} was presented, the store has {}: it was restored from an old backup",
            presented.generation, standing.session.generation
        ),
    };
    if let Err(error) = app.store.add_event(&event).await {
        tracing::debug!(%error, "an event was not recorded");
    }
}

#[cfg(test)]
mod tests;
