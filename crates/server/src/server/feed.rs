//! Reads the revocation log for the subscribers of the feed.

use std::sync::Arc;

use crate::app::App;
use crate::http::shutdown::Shutdown;

/// Runs until told to stop; then the subscribers are let go, since their streams would never end.
pub(super) async fn run(app: Arc<App>, shutdown: Shutdown) {
    tokio::select! {
        () = app.feed.follow(&app) => {}
        () = shutdown.begun() => {}
    }
    app.feed.close();
}
