//! `/console/keys`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use super::{Act, Desk};
use crate::flows::FlowResult;
use crate::flows::keys::{self, KeyRecord, KeyState};
use crate::http::Public;
use crate::pages::{self, KeyList, KeyRow, Verb};

/// `GET /console/keys`.
pub(in crate::http) async fn show_keys(State(public): State<Arc<Public>>, request: Request) -> Response {
    match Desk::enter(public, request).await {
        Ok(desk) => desk.answer(list(&desk).await),
        Err(page) => page,
    }
}

/// `POST /console/keys/rotate`: successors of all keys, which are published before they are used.
pub(in crate::http) async fn rotate_keys(State(public): State<Arc<Public>>, request: Request) -> Response {
    let Act { desk, by, .. } = match Act::read(public, request, |_| "/console/keys".to_owned()).await {
        Ok(act) => act,
        Err(page) => return page,
    };
    let done = by.rotate_keys(&desk.public.app, desk.visit.now).await;
    desk.done(done, "/console/keys")
}

async fn list(desk: &Desk) -> FlowResult<Result<String, askama::Error>> {
    let keys = keys::list(&desk.public.app, desk.visit.now).await?;
    let view = KeyList {
        urls: desk.urls(),
        csrf: desk.visit.csrf(),
        rotate: Some(desk.button(Verb::RotateKeys, "keys/rotate")),
        rows: keys.iter().map(row).collect(),
    };
    Ok(pages::key_list(&desk.chrome(), &view))
}

fn row((key, state): &(KeyRecord, KeyState)) -> KeyRow {
    // The purpose of a signing key names its algorithm.
    let purpose = key.purpose.as_str();
    let (purpose, algorithm) = purpose.split_once('-').unwrap_or((purpose, ""));
    KeyRow {
        id: key.id.clone(),
        purpose: format!("{purpose} {}", key.number),
        algorithm: algorithm.to_owned(),
        state: *state,
        created: key.created_at,
        retires: key.expires_at,
    }
}
