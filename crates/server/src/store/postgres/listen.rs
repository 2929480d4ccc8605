//! Waking up when another node has changed something. NOTIFY is a hint and nothing more: whoever
//! waits also has a time at which he looks anyway, and what he looks at are the tables.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_postgres::AsyncMessage;

use super::connect::Target;
use crate::store::StoreResult;

/// First wait before a lost connection is made again; it doubles up to [`LAST_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
/// Longest wait before a lost connection is made again.
const LAST_BACKOFF: Duration = Duration::from_secs(10);

/// What waiters wait on.
#[derive(Debug, Default)]
pub(super) struct Bell(Notify);

impl Bell {
    /// Wakes all who wait, and lets the next one who comes through at once: he may have looked
    /// just before the change.
    fn ring(&self) {
        self.0.notify_waiters();
        self.0.notify_one();
    }

    /// Waits for the bell, or for `wait` at most.
    pub(super) async fn heard(&self, wait: Duration) {
        // A timeout is as good as a ring: both say, look.
        let _ = tokio::time::timeout(wait, self.0.notified()).await;
    }
}

/// Whether the engine has LISTEN and NOTIFY at all: then each change tells of itself.
pub(super) async fn is_there(target: &Target) -> StoreResult<bool> {
    let (client, _messages) = target.connect_alone().await?;
    Ok(client.batch_execute("LISTEN countersign; NOTIFY countersign").await.is_ok())
}

/// Rings the bell at each notification; never ends by itself.
pub(super) async fn listen(target: Target, bell: Arc<Bell>) {
    let mut backoff = FIRST_BACKOFF;
    loop {
        if let Ok((client, mut messages)) = target.connect_alone().await
            && client.batch_execute("LISTEN countersign").await.is_ok()
        {
            backoff = FIRST_BACKOFF;
            // What was notified while nobody listened is not told again.
            bell.ring();
            while let Some(message) = messages.recv().await {
                if matches!(message, AsyncMessage::Notification(_)) {
                    bell.ring();
                }
            }
            tracing::debug!("the connection that listens for changes was lost");
        }
        tokio::time::sleep(backoff).await;
        backoff = (backoff * 2).min(LAST_BACKOFF);
    }
}
