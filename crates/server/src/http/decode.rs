//! `GET /decode`: the token decoder. The tokens stay in the browser: there is no request with one.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

use super::Public;
use super::browser::Visit;
use crate::pages;

/// Shows the page. It is the same for everyone but for its frame.
pub(super) async fn show(State(public): State<Arc<Public>>, request: Request) -> Response {
    let visit = match Visit::read(&public, &request.into_parts().0).await {
        Ok(visit) => visit,
        Err(page) => return page,
    };
    let issuer = public.app.policy.issuer.to_string();
    let view = pages::Decode { report_url: format!("{issuer}/leaked-tokens"), issuer };
    let html = pages::decode(&visit.chrome(&public, None), &view);
    let mut response = super::browser::page(StatusCode::OK, html, None);
    if response.status() == StatusCode::OK {
        let policy = HeaderValue::from_static(pages::DECODE_POLICY);
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
