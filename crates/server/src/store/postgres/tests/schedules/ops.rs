//! The operations whose steps are put in order: the product's own, and two that are wrong.

use std::sync::Arc;

use countersign_wire::BrowserSessionId;

use crate::store::contract::fixtures::*;
use crate::store::contract::sign_in::own_change;
use crate::store::postgres::PostgresStore;
use crate::store::postgres::error::{Failure, retrying};
use crate::store::postgres::lease::Lease;
use crate::store::{
    NewBrowserSession, Reason, Receipt, RotateSession, Session, SignIn, Standing, Started, Store,
    StoreResult, Target, Ticket, TicketKind, UserChange,
};
use crate::time::Timestamp;

/// What a person signs in with: known by the user's id, so that nothing need be passed on.
impl World {
    pub(super) fn browser_of_user(&self) -> NewBrowserSession {
        let id = BrowserSessionId(self.user.id.0);
        NewBrowserSession { id, secret_hash: self.code_of_user().hash, ..new_browser(&self.user, T0) }
    }

    pub(super) fn code_of_user(&self) -> Ticket {
        let mut hash = [0; 32];
        hash[..16].copy_from_slice(self.user.id.0.as_bytes());
        Ticket { hash, ..new_ticket(TicketKind::Code, T0) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    /// The live token.
    Refresh,
    /// The token before it, with all that its replay writes.
    Replay,
    Revoke,
    Disable,
    /// Another password: the stamp moves.
    Stamp,
    ClientDisable,
    /// Of what has expired a day from now, which the session has, then.
    Purge,
    /// Starts another session, with the code and the browser session of the world.
    Redeem,
    /// Ends that browser session.
    SignOut,
    /// A change by the person in that browser, which goes on.
    Own,
    /// Wrong: reads, and then writes without a condition.
    BlindRefresh,
    /// Wrong: writes the row back that it read without a lock.
    BlindRevoke,
}

impl Op {
    /// Whether a refresh that begins after its answer gets nothing.
    pub(super) fn ends(self) -> bool {
        matches!(self, Self::Revoke | Self::Disable | Self::Stamp | Self::ClientDisable | Self::BlindRevoke)
    }

    pub(super) fn presents(self) -> bool {
        matches!(self, Self::Refresh | Self::Replay | Self::BlindRefresh)
    }

    /// Whether it presents the live token.
    pub(super) fn refreshes(self) -> bool {
        matches!(self, Self::Refresh | Self::BlindRefresh)
    }

    /// Runs it and says in words what it answered.
    pub(super) async fn run(
        self,
        store: Arc<PostgresStore>,
        world: World,
        standing: Standing,
    ) -> StoreResult<String> {
        let session = &standing.session;
        let revision = world.client.revision;
        let generation = |outcome: Option<Standing>| outcome.map(|s| s.session.generation);
        let receipt = |receipt: Option<Receipt>| {
            let receipt = receipt.unwrap();
            format!("ended {}, logged {}", receipt.sessions_ended, receipt.number.is_some())
        };
        let now = at(2);
        Ok(match self {
            Self::Refresh => {
                let rotate = RotateSession { now, ..rotation_of(session, revision, now) };
                format!("{:?}", generation(store.rotate(&rotate).await?))
            }
            Self::Replay => {
                format!("{:?}", generation(store.replay(&replay_of(session, revision, now)).await?))
            }
            Self::Revoke => {
                let target = Target::Session(session.id);
                receipt(Some(store.revoke(&target, Reason::Operator, now, keep(now)).await?))
            }
            Self::Disable => {
                receipt(store.change_user(world.user.id, &UserChange::Disable, now, keep(now)).await?)
            }
            Self::Stamp => {
                let change = UserChange::Password("x".to_owned());
                receipt(store.change_user(world.user.id, &change, now, keep(now)).await?)
            }
            Self::ClientDisable => {
                receipt(store.set_client_enabled(&world.client.id, false, now, keep(now)).await?)
            }
            Self::Redeem => {
                let mut new = new_session(world.user.id, &world.client, now);
                let (ticket, browser) = (world.code_of_user().hash, world.browser_of_user().id);
                new.sign_in = Some(SignIn { ticket, browser, ends_with_browser: true });
                match store.start_session(&new).await? {
                    Started::Session { .. } => "started".to_owned(),
                    Started::Refused(why) => format!("{why:?}"),
                }
            }
            Self::SignOut => {
                let (browser, reason) = (world.browser_of_user().id, Reason::BrowserSignOut);
                receipt(store.end_browser_session(browser, reason, now, keep(now)).await?)
            }
            Self::Own => {
                let browser = store.browser_session(&world.code_of_user().hash).await?.unwrap();
                let own = own_change(&browser, UserChange::SignOut, now);
                match store.change_own_user(&own).await? {
                    Some(done) => receipt(Some(done)),
                    None => "refused".to_owned(),
                }
            }
            Self::Purge => {
                store.purge(Timestamp(T0.0).plus(ABSOLUTE).plus(ABSOLUTE), Timestamp(0), 1000).await?;
                String::new()
            }
            Self::BlindRefresh => {
                let rotated = retrying(|| blind_refresh(&store, session)).await?;
                format!("{rotated:?}")
            }
            Self::BlindRevoke => {
                retrying(|| blind_revoke(&store, session)).await?;
                String::new()
            }
        })
    }
}

async fn blind_refresh(store: &PostgresStore, session: &Session) -> Result<Option<u32>, Failure> {
    const READ: &str = "SELECT generation FROM session_head WHERE id = $1";
    const WRITE: &str = "UPDATE session_head SET generation = $2 WHERE id = $1";
    let mut lease = Lease::take(&store.pool).await?;
    let now: i64 = lease.query_one(READ, &[&session.id.0]).await?.get(0);
    if now != i64::from(session.generation) {
        return Ok(None);
    }
    lease.execute(WRITE, &[&session.id.0, &(now + 1)]).await?;
    Ok(Some(session.generation + 1))
}

async fn blind_revoke(store: &PostgresStore, session: &Session) -> Result<(), Failure> {
    const READ: &str = "SELECT generation FROM session_head WHERE id = $1";
    const WRITE: &str =
        "UPDATE session_head SET generation = $2, ended_at = $3, ended_reason = $4 WHERE id = $1";
    let mut tx = Lease::take(&store.pool).await?;
    tx.begin();
    let generation: i64 = tx.query_one(READ, &[&session.id.0]).await?.get(0);
    tx.execute(WRITE, &[&session.id.0, &generation, &at(2).0, &Reason::Operator.as_str()]).await?;
    tx.commit_and_tell(false).await
}
