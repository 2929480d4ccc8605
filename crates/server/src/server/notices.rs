//! Delivers notices of ended sessions beside the requests: nothing waits for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use countersign_wire::ClientId;
use http::StatusCode;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::app::App;
use crate::flows::logout_notices::{self, Answer, BATCH, Delivery};
use crate::http::shutdown::Shutdown;
use crate::outbound::Outbound;

/// Longest time until due notices are looked for, whatever woke us or not.
const EVERY: Duration = Duration::from_secs(5);
/// Most deliveries at once, and most of one client's.
const MOST_UNDER_WAY: usize = 32;
const MOST_OF_A_CLIENT: usize = 4;
/// How long a delivery waits for others of its client.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs until told to stop. A delivery that is broken off comes again: its lease runs out.
pub(super) async fn run(app: Arc<App>, shutdown: Shutdown) {
    let outbound = Arc::new(Outbound::new());
    tokio::select! {
        () = deliver_all(&app, &outbound) => {}
        () = shutdown.begun() => {}
    }
}

async fn deliver_all(app: &Arc<App>, outbound: &Arc<Outbound>) {
    let mut under_way = JoinSet::new();
    let mut turns = HashMap::<ClientId, Arc<Semaphore>>::new();
    loop {
        while under_way.try_join_next().is_some() {}
        if under_way.len() + BATCH as usize > MOST_UNDER_WAY {
            under_way.join_next().await;
            continue;
        }
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        // One receiver that is slow keeps nobody else's waiting, however many it is owed: they are not taken while as
        // many are under way as may be. Many slow ones together can take every place, and then the others wait.
        let is_busy = |turn: &Semaphore| turn.available_permits() == 0;
        let busy: Vec<_> =
            turns.iter().filter(|(_, turn)| is_busy(turn)).map(|(client, _)| client.clone()).collect();
        let taken = match logout_notices::take(app, &busy, app.clock.now()).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::warn!(?error, "notices of logouts could not be read");
                Vec::new()
            }
        };
        if taken.is_empty() {
            // What has ended may be a busy one's.
            tokio::select! {
                () = app.store.changed(EVERY) => {}
                Some(_) = under_way.join_next() => {}
            }
        }
        for delivery in taken {
            let (app, outbound) = (app.clone(), outbound.clone());
            let client = delivery.notice.client.clone();
            let turn =
                turns.entry(client).or_insert_with(|| Arc::new(Semaphore::new(MOST_OF_A_CLIENT))).clone();
            under_way.spawn(async move {
                // What finds no turn is let go, and comes again when its lease is over.
                let Ok(Ok(_turn)) = timeout(PATIENCE, turn.acquire_owned()).await else { return };
                deliver(&app, &outbound, delivery).await;
            });
        }
    }
}

async fn deliver(app: &App, outbound: &Outbound, delivery: Delivery) {
    let Delivery { notice, uri, token } = delivery;
    // Base64url and dots need no encoding in a form.
    let form = format!("logout_token={}", token.expose());
    let answer = match outbound.post_form(&uri, form).await {
        Ok(StatusCode::OK | StatusCode::NO_CONTENT) => Answer::Taken,
        Ok(status) => {
            tracing::info!(client = %notice.client, status = status.as_u16(), "a logout notice was refused");
            Answer::Failed
        }
        Err(error) => {
            tracing::info!(client = %notice.client, %error, "a logout notice was not delivered");
            Answer::Failed
        }
    };
    if let Err(error) = logout_notices::record(app, &notice, answer, app.clock.now()).await {
        tracing::warn!(?error, "a delivery was not recorded: it comes again");
    }
}
