//! The keys as an operator sees and changes them.

use super::{FlowError, FlowResult, Refusal, records};
use crate::app::App;
use crate::keys::KeysError;
pub use crate::store::KeyRecord;
use crate::store::{KeyPurpose, StoreError};
use crate::time::Timestamp;

/// What a key does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyState {
    /// Published, and not used yet.
    Next,
    /// Makes tokens.
    Active,
    /// Only verifies what it made.
    Retiring,
}

impl KeyState {
    /// The state as it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retiring => "retiring",
        }
    }
}

/// All keys with their states, as they are in the store.
///
/// # Errors
/// The store's silence.
pub async fn list(app: &App, now: Timestamp) -> FlowResult<Vec<(KeyRecord, KeyState)>> {
    Ok(with_states(app.store.keys().await?, now))
}

/// Makes successors of the keys of one purpose, or of all.
///
/// # Errors
/// A purpose whose keys are not replaced, a full ring, the store's silence.
pub async fn rotate(
    app: &App,
    purpose: Option<&str>,
    immediately: bool,
    now: Timestamp,
) -> FlowResult<Vec<(KeyRecord, KeyState)>> {
    let purpose = purpose.map(|name| KeyPurpose::from_name(name).ok_or_else(unknown)).transpose()?;
    let made = app.keys.rotate(purpose, immediately, now).await.map_err(refusal)?;
    for key in &made {
        tracing::info!(purpose = key.purpose.as_str(), key = key.id, active_at = %key.active_at, "an operator made a key");
        let detail = format!(
            "an operator made key {} number {} ({}), active at {}",
            key.purpose.as_str(),
            key.number,
            key.id,
            key.active_at
        );
        records::note(app, None, None, detail, now).await;
    }
    let made = made.into_iter().map(|key| {
        let state = if key.active_at > now { KeyState::Next } else { KeyState::Active };
        (key, state)
    });
    Ok(made.collect())
}

/// On each ring the newest key whose time has come is active.
fn with_states(mut keys: Vec<KeyRecord>, now: Timestamp) -> Vec<(KeyRecord, KeyState)> {
    keys.sort_by(|a, b| {
        (a.purpose, a.active_at, a.created_at, &a.id).cmp(&(b.purpose, b.active_at, b.created_at, &b.id))
    });
    let mut states = Vec::with_capacity(keys.len());
    let mut later: Option<&KeyRecord> = None;
    for key in keys.iter().rev() {
        let succeeded = later.is_some_and(|later| later.purpose == key.purpose && later.active_at <= now);
        states.push(match (key.active_at > now, succeeded) {
            (true, _) => KeyState::Next,
            (false, false) => KeyState::Active,
            (false, true) => KeyState::Retiring,
        });
        later = Some(key);
    }
    states.reverse();
    keys.into_iter().zip(states).collect()
}

fn unknown() -> Refusal {
    let names: Vec<&str> = KeyPurpose::ALL.iter().map(|purpose| purpose.as_str()).collect();
    Refusal::invalid_request(format!("purpose: must be one of {}", names.join(", ")))
}

fn refusal(error: KeysError) -> FlowError {
    match error {
        KeysError::Store(error) => error.into(),
        KeysError::NotRotated(_) => Refusal::invalid_request(format!("purpose: {error}")).into(),
        KeysError::RingFull(_) => Refusal::conflict(error.to_string()).into(),
        KeysError::Busy => StoreError::Unavailable(error.to_string()).into(),
        other => StoreError::Broken(other.to_string()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(purpose: KeyPurpose, number: u8, active_at: i64) -> KeyRecord {
        KeyRecord {
            id: number.to_string(),
            purpose,
            number,
            created_at: Timestamp(0),
            active_at: Timestamp(active_at),
            expires_at: None,
            sealed: Vec::new(),
        }
    }

    #[test]
    fn one_key_of_each_ring_is_active() {
        let (refresh, opaque) = (KeyPurpose::Refresh, KeyPurpose::Opaque);
        let keys = vec![key(refresh, 3, 30), key(opaque, 1, 5), key(refresh, 1, 1), key(refresh, 2, 10)];
        let states: Vec<_> = with_states(keys, Timestamp(20))
            .into_iter()
            .map(|(key, state)| (key.purpose, key.number, state))
            .collect();
        let expected = [
            (refresh, 1, KeyState::Retiring),
            (refresh, 2, KeyState::Active),
            (refresh, 3, KeyState::Next),
            (opaque, 1, KeyState::Active),
        ];
        assert_eq!(states, expected);
    }
}
