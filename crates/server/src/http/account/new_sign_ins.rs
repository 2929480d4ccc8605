//! Sign-ins from where the person was not known: told until they say whether it was them.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_wire::BrowserSessionId;

use super::{device_in_words, own};
use crate::flows::FlowResult;
use crate::flows::browser::BrowserStanding;
use crate::flows::places::{self, NewSignIn, Refused};
use crate::http::Public;
use crate::http::browser::{Submission, Visit};
use crate::pages::NewSignInRow;

/// Most that are shown at once; the others come when these are settled.
const SHOWN: usize = 5;

/// `POST /account/sign-ins/accept`: a sign-in that was not known was the person's.
pub(in crate::http) async fn accept_sign_in(State(public): State<Arc<Public>>, request: Request) -> Response {
    let (submission, standing) = match own(&public, request).await {
        Ok(own) => own,
        Err(page) => return page,
    };
    let Submission { visit, fields, .. } = submission;
    let Some(id) = fields.get("id").and_then(|id| id.parse::<BrowserSessionId>().ok()) else {
        return visit.see_other(&public, "/account?done=gone");
    };
    match places::accept(&public.app, &standing, id, &visit.origin).await {
        Ok(true) => visit.see_other(&public, "/account?done=accepted"),
        Ok(false) => visit.see_other(&public, "/account?done=gone"),
        Err(error) => visit.failed(&public, &error),
    }
}

/// `POST /account/sign-ins/refuse`: it was not.
pub(in crate::http) async fn refuse_sign_in(State(public): State<Arc<Public>>, request: Request) -> Response {
    let (submission, standing) = match own(&public, request).await {
        Ok(own) => own,
        Err(page) => return page,
    };
    let Submission { visit, fields, .. } = submission;
    let Some(id) = fields.get("id").and_then(|id| id.parse::<BrowserSessionId>().ok()) else {
        return visit.see_other(&public, "/account?done=gone");
    };
    match places::refuse(&public.app, &standing, id, &visit.origin, visit.now).await {
        Ok(Refused::Ended) => visit.see_other(&public, "/account?done=refused"),
        Ok(Refused::Gone) => visit.see_other(&public, "/account?done=gone"),
        Err(error) => visit.failed(&public, &error),
    }
}

/// What the account page shows of them.
pub(super) async fn rows(
    public: &Public,
    visit: &Visit,
    standing: &BrowserStanding,
) -> FlowResult<Vec<NewSignInRow>> {
    let all = places::new_sign_ins(&public.app, standing, &visit.origin).await?;
    Ok(all.iter().take(SHOWN).map(row).collect())
}

fn row(new: &NewSignIn) -> NewSignInRow {
    let place = &new.place;
    NewSignInRow {
        id: place.id.to_string(),
        device: device_in_words(Some(&place.agent)),
        network: Some(place.network.clone()).filter(|network| !network.is_empty()),
        at: place.since,
        may_accept: new.may_vouch,
    }
}
