//! Adding and removing second factors. What changes them wants an authentication of the last few
//! minutes, so that a browser left open is not enough.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_wire::BrowserSecret;
use http::StatusCode;

use super::{own, stay};
use crate::flows::browser::{BrowserStanding, Stays};
use crate::flows::enrol::{self, Enrolled, RecoveryCode};
use crate::flows::{FlowResult, authorize};
use crate::http::Public;
use crate::http::browser::{Submission, Visit, give_session};
use crate::pages::{self, RecoveryCodes, TotpEnrol};
use crate::store::FactorKind;

/// How recent an authentication must be.
const RECENT: Duration = Duration::from_secs(10 * 60);

/// `POST /account/totp/add`.
pub(in crate::http) async fn add_totp(State(public): State<Arc<Public>>, request: Request) -> Response {
    let (Submission { visit, .. }, standing) = match own_recent(&public, request).await {
        Ok(own) => own,
        Err(page) => return page,
    };
    match enrol::begin_totp(&public.app, &standing, visit.now).await {
        Ok(handle) => visit.see_other(&public, &format!("/account/totp?e={}", handle.expose())),
        Err(error) => visit.failed(&public, &error),
    }
}

/// `GET /account/totp`: the picture.
pub(in crate::http) async fn show_totp(State(public): State<Arc<Public>>, request: Request) -> Response {
    let visit = match Visit::read(&public, &request.into_parts().0).await {
        Ok(visit) => visit,
        Err(page) => return page,
    };
    let Some(standing) = visit.standing.clone() else { return visit.to_sign_in(&public, "/account").await };
    totp_page(&public, &visit, &standing, false).await
}

/// `POST /account/totp`: the first code.
pub(in crate::http) async fn submit_totp(State(public): State<Arc<Public>>, request: Request) -> Response {
    let (submission, standing) = match own_recent(&public, request).await {
        Ok(own) => own,
        Err(page) => return page,
    };
    let Submission { visit, fields, .. } = submission;
    let handle = handle(&visit);
    let code = fields.get("code").unwrap_or_default();
    let enrolled = enrol::finish_totp(&public.app, &standing, &handle, code, visit.now).await;
    match enrolled {
        Ok(Enrolled::Wrong) => totp_page(&public, &visit, &standing, true).await,
        other => after(&public, &visit, &standing, other, "totp_added"),
    }
}

/// `POST /account/totp/remove`.
pub(in crate::http) async fn remove_totp(State(public): State<Arc<Public>>, request: Request) -> Response {
    let (Submission { visit, .. }, standing) = match own_recent(&public, request).await {
        Ok(own) => own,
        Err(page) => return page,
    };
    let removed =
        enrol::remove(&public.app, &standing, |factor| factor.kind == FactorKind::Totp, visit.now).await;
    after_removal(&public, &visit, &standing, removed, "totp_removed")
}

/// `POST /account/passkeys/add`.
pub(in crate::http) async fn add_passkey(State(public): State<Arc<Public>>, request: Request) -> Response {
    let (submission, standing) = match own_recent(&public, request).await {
        Ok(own) => own,
        Err(page) => return page,
    };
    let Submission { visit, fields, .. } = submission;
    let credential = fields.get("credential").unwrap_or_default();
    let label = fields.get("label").unwrap_or_default();
    let enrolled = enrol::finish_passkey(&public.app, &standing, credential, label, visit.now).await;
    match enrolled {
        Ok(Enrolled::Wrong) => visit.see_other(&public, "/account?done=passkey_refused"),
        other => after(&public, &visit, &standing, other, "passkey_added"),
    }
}

/// `POST /account/passkeys/remove`.
pub(in crate::http) async fn remove_passkey(State(public): State<Arc<Public>>, request: Request) -> Response {
    let (submission, standing) = match own_recent(&public, request).await {
        Ok(own) => own,
        Err(page) => return page,
    };
    let Submission { visit, fields, .. } = submission;
    let id = fields.get("id").unwrap_or_default().to_owned();
    let removed = enrol::remove(
        &public.app,
        &standing,
        |factor| factor.kind == FactorKind::Passkey && factor.id.to_string() == id,
        visit.now,
    );
    after_removal(&public, &visit, &standing, removed.await, "passkey_removed")
}

/// `POST /account/recovery-codes`.
pub(in crate::http) async fn new_recovery_codes(
    State(public): State<Arc<Public>>,
    request: Request,
) -> Response {
    let (Submission { visit, .. }, standing) = match own_recent(&public, request).await {
        Ok(own) => own,
        Err(page) => return page,
    };
    match enrol::new_recovery_codes(&public.app, &standing, visit.now).await {
        Ok(Some((codes, stays))) => show_codes(&public, &visit, &standing, &stays, &codes),
        Ok(None) => visit.see_other(&public, "/account?done=gone"),
        Err(error) => visit.failed(&public, &error),
    }
}

/// As [`own`], for what wants a recent authentication: without one the person confirms it is them,
/// and comes back to the page.
async fn own_recent(
    public: &Arc<Public>,
    request: Request,
) -> Result<(Submission, BrowserStanding), Response> {
    let (submission, standing) = own(public, request).await?;
    let visit = &submission.visit;
    if visit.now.since(standing.session.auth_time) <= RECENT {
        return Ok((submission, standing));
    }
    let begun = authorize::begin_confirmed(&public.app, "/account", &visit.binding(), visit.now).await;
    Err(match begun {
        Ok(secret) => visit.see_other(public, &format!("/signin/confirm?i={}", secret.expose())),
        Err(error) => visit.failed(public, &error),
    })
}

fn after(
    public: &Public,
    visit: &Visit,
    standing: &BrowserStanding,
    enrolled: FlowResult<Enrolled>,
    word: &str,
) -> Response {
    match enrolled {
        Ok(Enrolled::Yes(codes, stays)) if codes.is_empty() => {
            stay(public, visit, standing, &stays, &format!("/account?done={word}"))
        }
        Ok(Enrolled::Yes(codes, stays)) => show_codes(public, visit, standing, &stays, &codes),
        Ok(Enrolled::Wrong | Enrolled::Over) => visit.see_other(public, "/account?done=gone"),
        Err(error) => visit.failed(public, &error),
    }
}

fn after_removal(
    public: &Public,
    visit: &Visit,
    standing: &BrowserStanding,
    removed: FlowResult<Option<Stays>>,
    word: &str,
) -> Response {
    match removed {
        Ok(Some(stays)) => stay(public, visit, standing, &stays, &format!("/account?done={word}")),
        Ok(None) => visit.see_other(public, "/account?done=gone"),
        Err(error) => visit.failed(public, &error),
    }
}

/// Shows new codes, this once, and goes on with a new cookie: the change ended everything.
fn show_codes(
    public: &Public,
    visit: &Visit,
    standing: &BrowserStanding,
    stays: &Stays,
    codes: &[RecoveryCode],
) -> Response {
    let view = RecoveryCodes {
        codes: codes.iter().map(RecoveryCode::expose).collect(),
        continue_url: format!("{}/account", public.links.base),
    };
    let html = pages::recovery_codes(&visit.chrome(public, None), &view);
    let mut response = visit.page(public, StatusCode::OK, html);
    give_session(&mut response, public, &stays.secret, standing, visit.now);
    response
}

async fn totp_page(public: &Public, visit: &Visit, standing: &BrowserStanding, wrong: bool) -> Response {
    let handle = handle(visit);
    match enrol::totp_secret(&public.app, standing, &handle, visit.now).await {
        Ok(Some(secret)) => {
            let view = TotpEnrol {
                action: format!("{}/account/totp?e={}", public.links.base, handle.expose()),
                csrf: visit.csrf(),
                qr_svg: secret.picture.to_string(),
                secret: secret.base32.to_string(),
                wrong,
                cancel_url: format!("{}/account", public.links.base),
            };
            let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
            visit.page(public, status, pages::totp_enrol(&visit.chrome(public, None), &view))
        }
        Ok(None) => visit.see_other(public, "/account?done=gone"),
        Err(error) => visit.failed(public, &error),
    }
}

fn handle(visit: &Visit) -> BrowserSecret {
    BrowserSecret::new(visit.parameter("e").unwrap_or_default().to_owned())
}
