//! What the writes of a refresh do to a session, as pure functions: who may write, and what the row
//! is afterwards.
//!
//! SQLite's writer calls these functions themselves, between reading the row and writing it under
//! the lock that it alone has (decision 0017). PostgreSQL, where others write at the same time, does
//! this in SQL, where the condition and the change are one statement. The model checker explores the
//! functions in the store's place, and the contract case `the_sql_does_what_the_pure_form_says`
//! holds each engine to them on many random rows: that makes the model a model of the server.

use super::{Ended, Reason, Recent, Replay, RotateSession, Standing};
use crate::time::Timestamp;

impl Standing {
    /// The condition of [`Store::rotate`](super::Store::rotate).
    pub fn admits_rotation(&self, rotate: &RotateSession) -> bool {
        let Self { session, gates, .. } = self;
        session.id == rotate.id
            && session.generation == rotate.generation
            && session.nonce_hash == rotate.nonce_hash
            && session.client == rotate.client
            && gates.client_revision == rotate.client_revision
            && self.is_live(rotate.now)
    }

    /// The condition of [`Store::replay`](super::Store::replay).
    pub fn admits_replay(&self, replay: &Replay) -> bool {
        let Self { session, gates, .. } = self;
        session.id == replay.id
            && session.generation == replay.generation
            && session.nonce_hash == replay.nonce_hash
            && session.client == replay.client
            && session.lockstep == replay.seen
            && gates.client_revision == replay.client_revision
            && self.is_live(replay.now)
    }

    /// The row after [`Store::rotate`](super::Store::rotate); `None` when nothing changes.
    pub fn rotated(mut self, rotate: &RotateSession) -> Option<Self> {
        if !self.admits_rotation(rotate) {
            return None;
        }
        let session = &mut self.session;
        if rotate.advance {
            session.generation = session.generation.checked_add(1)?;
            session.key_number = rotate.key_number;
            session.retry_hash = rotate.retry_hash;
            session.rotated_at = session.rotated_at.max(rotate.now);
        }
        let idle = rotate.now.plus(session.idle_lifetime).min(session.expires_at);
        session.idle_expires_at = session.idle_expires_at.max(idle);
        // Kept to the second.
        let at = Timestamp(rotate.now.0.div_euclid(1000) * 1000);
        session.recent.insert(0, Recent { at, context: rotate.context });
        session.recent.truncate(Recent::KEPT);
        Some(self)
    }

    /// The row after [`Store::replay`](super::Store::replay); `None` when nothing changes.
    pub fn replayed(mut self, replay: &Replay) -> Option<Self> {
        if !self.admits_replay(replay) {
            return None;
        }
        self.session.replays = self.session.replays.saturating_add(1);
        self.session.lockstep = replay.lockstep;
        Some(self)
    }

    /// The row after [`Store::revoke`](super::Store::revoke) of this session; `None` when it has
    /// ended before and nothing changes.
    pub fn revoked(&self, reason: Reason, now: Timestamp) -> Option<Self> {
        if self.session.ended.is_some() {
            return None;
        }
        let mut after = self.clone();
        after.session.ended = Some(Ended { at: now, reason });
        after.position = after.position.saturating_add(1);
        Some(after)
    }
}
