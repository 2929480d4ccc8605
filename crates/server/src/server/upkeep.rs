//! What is done beside the requests. Nothing about correctness waits for it.

use std::sync::Arc;
use std::time::Duration;

use super::WATCH_WAIT;
use crate::app::App;
use crate::flows::status_lists;
use crate::http::shutdown::Shutdown;
use crate::metrics;

/// Time between two rounds of housekeeping.
const EVERY: Duration = Duration::from_secs(60);
/// Most rows removed in one step, so that refreshes never wait for a purge.
const PURGE_STEP: u32 = 500;

/// Runs until told to stop.
pub(super) async fn run(app: Arc<App>, events_keep: Duration, shutdown: Shutdown) {
    let work = async {
        tokio::join!(watch_for_changes(&app), watch_the_counters(&app), keep_house(&app, events_keep));
    };
    tokio::select! {
        () = work => {}
        () = shutdown.begun() => {}
    }
}

/// Learns of other nodes' changes: clients, keys, the revocation log.
async fn watch_for_changes(app: &App) {
    let mut seen = None;
    loop {
        match app.store.version().await {
            Ok(version) if seen != Some(version) => match app.look_again().await {
                Ok(()) => seen = Some(version),
                Err(error) => tracing::warn!(%error, "changes could not be read"),
            },
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the store does not answer"),
        }
        app.metrics.set_store_up(app.is_store_up().await);
        app.store.changed(WATCH_WAIT).await;
    }
}

async fn watch_the_counters(app: &App) {
    let mut ticks = tokio::time::interval(metrics::STEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        app.activity.sample(&app.metrics);
    }
}

async fn keep_house(app: &App, events_keep: Duration) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = app.clock.now();
        if let Err(error) = app.keys.maintain(now).await {
            tracing::error!(%error, "keys could not be looked after");
        }
        for (algorithm, made_at) in app.keys.snapshot().signing_since(now) {
            app.metrics.set_signing_key_age(algorithm, now.since(made_at));
        }
        // A little late, for the sake of those who have a status list that says of a session's index
        // that it is over.
        let expired = now.minus(status_lists::RESERVED);
        loop {
            match app.store.purge(expired, now.minus(events_keep), PURGE_STEP).await {
                Ok(0) => break,
                Ok(rows) => tracing::debug!(rows, "purged"),
                Err(error) => {
                    tracing::warn!(%error, "expired rows could not be purged");
                    break;
                }
            }
        }
        match app.store.position().await {
            Ok(position) => app.metrics.set_revocation_log_position(position),
            Err(error) => tracing::warn!(%error, "the store does not answer"),
        }
    }
}
