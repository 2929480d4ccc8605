//! `/console/now`: what goes on at this node, and how far the APIs that follow the revocation feed are.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use super::Desk;
use crate::flows::feed::Reader;
use crate::http::Public;
use crate::pages::{self, NowPage, ReaderRow};

/// `GET /console/now`.
pub(in crate::http) async fn show_now(State(public): State<Arc<Public>>, request: Request) -> Response {
    match Desk::enter(public, request).await {
        Ok(desk) => desk.answer(Ok(page(&desk))),
        Err(page) => page,
    }
}

fn page(desk: &Desk) -> Result<String, askama::Error> {
    let app = &desk.public.app;
    let row = |reader: &Reader| ReaderRow {
        client: desk.client(&reader.client),
        network: reader.network.clone(),
        streams: reader.streams,
        since: reader.since,
        at: reader.at,
        cursor: reader.cursor,
    };
    // First who is where, then the end: nobody is shown further than they are.
    let readers = app.feed.readers(desk.visit.now);
    let view = NowPage {
        urls: desk.urls(),
        rates: app.activity.rates(&app.metrics),
        cursor: app.feed.cursor(),
        readers: readers.iter().map(row).collect(),
    };
    pages::now_page(&desk.chrome(), &view)
}
