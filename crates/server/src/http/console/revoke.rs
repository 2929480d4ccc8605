//! `/console/revoke`: asked, previewed, done.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_wire::Parameters;
use http::StatusCode;

use super::{Act, Desk};
use crate::flows::FlowError;
use crate::flows::operator::Revoked;
use crate::http::Public;
use crate::pages::{self, RevokeForm, RevokeKind, RevokePreview, RevokeReceipt};

/// `GET /console/revoke`: the form, with what the query says filled in.
pub(in crate::http) async fn show_revoke(State(public): State<Arc<Public>>, request: Request) -> Response {
    let desk = match Desk::enter(public, request).await {
        Ok(desk) => desk,
        Err(page) => return page,
    };
    let kind = desk.visit.parameter("kind").and_then(RevokeKind::from_name).unwrap_or_default();
    let target = desk.visit.parameter("target").unwrap_or_default().to_owned();
    form(&desk, kind, target, false)
}

/// `POST /console/revoke`: what it would end; with `action=revoke` the end of it.
pub(in crate::http) async fn revoke(State(public): State<Arc<Public>>, request: Request) -> Response {
    let Act { desk, fields, by } = match Act::read(public, request, back).await {
        Ok(act) => act,
        Err(page) => return page,
    };
    let (kind, target) = asked(&fields);
    let subject = Some(target.as_str()).filter(|target| !target.is_empty());
    let (app, now) = (&desk.public.app, desk.visit.now);
    let is_confirmed = fields.get("action") == Some("revoke");
    let revoked = match is_confirmed {
        true => by.revoke(app, kind.as_str(), subject, now).await,
        false => by.preview(app, kind.as_str(), subject, now).await,
    };
    match revoked {
        Ok(revoked) if is_confirmed => receipt(&desk, kind, target, &revoked),
        Ok(revoked) => preview(&desk, kind, target, &revoked),
        Err(FlowError::Refused(_)) => form(&desk, kind, target, true),
        Err(error) => desk.failed(&error),
    }
}

fn asked(fields: &Parameters) -> (RevokeKind, String) {
    let kind = fields.get("kind").and_then(RevokeKind::from_name).unwrap_or_default();
    (kind, fields.get("target").unwrap_or_default().trim().to_owned())
}

/// The form with the same in it.
fn back(fields: &Parameters) -> String {
    let (kind, target) = asked(fields);
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("kind", kind.as_str())
        .append_pair("target", &target)
        .finish();
    format!("/console/revoke?{query}")
}

fn form(desk: &Desk, kind: RevokeKind, target: String, not_found: bool) -> Response {
    let view = RevokeForm {
        urls: desk.urls(),
        action: desk.at("revoke"),
        csrf: desk.visit.csrf(),
        kind,
        target,
        not_found,
    };
    let status = if not_found { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    desk.visit.page(&desk.public, status, pages::revoke_form(&desk.chrome(), &view))
}

fn preview(desk: &Desk, kind: RevokeKind, target: String, revoked: &Revoked) -> Response {
    let view = RevokePreview {
        urls: desk.urls(),
        action: desk.at("revoke"),
        csrf: desk.visit.csrf(),
        kind,
        target,
        sessions: revoked.ending.receipt.sessions_ended,
        browser_sessions: revoked.browsers,
        access_until: Some(revoked.ending.access_tokens_expire_by),
        cancel_url: desk.at("revoke"),
    };
    desk.answer(Ok(pages::revoke_preview(&desk.chrome(), &view)))
}

/// Shown at once and not by a redirect: whoever ends everything is signed out by it.
fn receipt(desk: &Desk, kind: RevokeKind, target: String, revoked: &Revoked) -> Response {
    let view = RevokeReceipt {
        urls: desk.urls(),
        kind,
        target,
        sessions: revoked.ending.receipt.sessions_ended,
        browser_sessions: revoked.browsers,
        access_until: Some(revoked.ending.access_tokens_expire_by),
        at: desk.visit.now,
        number: revoked.ending.receipt.number,
    };
    desk.answer(Ok(pages::revoke_receipt(&desk.chrome(), &view)))
}
