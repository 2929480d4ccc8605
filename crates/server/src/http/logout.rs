//! `/oauth/logout` (OpenID Connect RP-Initiated Logout 1.0).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_wire::Parameters;
use http::{Method, StatusCode};

use super::Public;
use super::browser::{Submission, Visit, see_other, take_session};
use crate::flows::FlowResult;
use crate::flows::logout::{self, Return, Step, Wrong};
use crate::pages::{self, Fault, LogoutConfirm, SignedOut};

/// What of a request is carried through the question.
const CARRIED: [&str; 5] = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"];

/// `GET`, and `POST` of an application (section 2).
pub(super) async fn logout(State(public): State<Arc<Public>>, request: Request) -> Response {
    if request.method() == Method::POST {
        return posted(&public, request).await;
    }
    let visit = match Visit::read(&public, &request.into_parts().0).await {
        Ok(visit) => visit,
        Err(page) => return page,
    };
    let Ok(parameters) = Parameters::new(visit.query.clone()) else {
        return visit.fault(&public, StatusCode::BAD_REQUEST, Fault::BadRequest);
    };
    let step = logout::run(&public.app, &parameters, visit.standing.as_ref(), false, visit.now).await;
    respond(&public, &visit, &parameters, step)
}

/// The answer to our question, or an application's own form. That one comes without our cookies
/// (SameSite), and says nothing of who is signed in: it is asked again by a redirect to ourselves.
async fn posted(public: &Arc<Public>, request: Request) -> Response {
    let Submission { visit, fields, is_genuine } = match Submission::read(public, request).await {
        Ok(submission) => submission,
        Err(page) => return page,
    };
    if !is_genuine {
        let query: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(CARRIED.iter().filter_map(|name| Some((name, fields.get(name)?))))
            .finish();
        return see_other(&format!("{}/oauth/logout?{query}", public.links.base));
    }
    if fields.get("action") == Some("no") {
        return visit.see_other(public, "/account");
    }
    let agreed = fields.get("action") == Some("yes");
    let step = logout::run(&public.app, &fields, visit.standing.as_ref(), agreed, visit.now).await;
    respond(public, &visit, &fields, step)
}

fn respond(public: &Public, visit: &Visit, parameters: &Parameters, step: FlowResult<Step>) -> Response {
    let chrome = visit.chrome(public, parameters.get("ui_locales"));
    match step {
        Ok(Step::Ask(place)) => {
            let carried = CARRIED
                .iter()
                .filter_map(|name| parameters.get(name).map(|value| ((*name).to_owned(), value.to_owned())));
            let view = LogoutConfirm {
                action: format!("{}/oauth/logout", public.links.base),
                csrf: visit.csrf(),
                client: place.client,
                fields: carried.collect(),
            };
            let html = pages::logout_confirm(&chrome, &view);
            visit.page_that_leads_to(public, StatusCode::OK, html, place.to.as_deref())
        }
        Ok(Step::Done(place)) => done(public, visit, place, parameters),
        Ok(Step::Wrong(why)) => {
            let what = match why {
                Wrong::Hint => Fault::BadRequest,
                Wrong::Client => Fault::UnknownClient,
                Wrong::ReturnUri => Fault::BadRedirect,
            };
            visit.fault(public, StatusCode::BAD_REQUEST, what)
        }
        Err(error) => visit.failed(public, &error),
    }
}

fn done(public: &Public, visit: &Visit, place: Return, parameters: &Parameters) -> Response {
    let mut response = match place.to {
        Some(to) => see_other(&to),
        None => {
            let mut chrome = visit.chrome(public, parameters.get("ui_locales"));
            chrome.signed_in_as = None;
            let view = SignedOut { client: place.client, back_url: None };
            visit.page(public, StatusCode::OK, pages::signed_out(&chrome, &view))
        }
    };
    // Who came without a session is not here, or is but the request was made by another site.
    if visit.has_session() {
        take_session(&mut response, public);
    }
    response
}
