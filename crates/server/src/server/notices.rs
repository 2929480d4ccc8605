//! Delivers notices of ended sessions beside the requests: nothing waits for it.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::app::App;
use crate::flows::logout_notices::{self, Answer, Delivery};
use crate::http::shutdown::Shutdown;
use crate::outbound::Outbound;

/// Longest time until due notices are looked for, whatever woke us or not.
const EVERY: Duration = Duration::from_secs(5);

/// Runs until told to stop. A delivery that is broken off comes again: its lease runs out.
pub(super) async fn run(app: Arc<App>, shutdown: Shutdown) {
    let outbound = Arc::new(Outbound::new());
    tokio::select! {
        () = deliver_all(&app, &outbound) => {}
        () = shutdown.begun() => {}
    }
}

async fn deliver_all(app: &Arc<App>, outbound: &Arc<Outbound>) {
    loop {
        let taken = match logout_notices::take(app, app.clock.now()).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::warn!(?error, "notices of logouts could not be read");
                Vec::new()
            }
        };
        let is_done = taken.is_empty();
        // All of a batch at once, so that a receiver that does not answer holds up a few seconds of
        // the others at most.
        let mut batch = tokio::task::JoinSet::new();
        for delivery in taken {
            let (app, outbound) = (app.clone(), outbound.clone());
            batch.spawn(async move { deliver(&app, &outbound, delivery).await });
        }
        while batch.join_next().await.is_some() {}
        if is_done {
            app.store.changed(EVERY).await;
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
