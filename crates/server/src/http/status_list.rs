//! `GET /status-lists/{list}`: a Status List Token (draft-ietf-oauth-status-list-20 section 8).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use countersign_wire::STATUS_LIST_MEDIA_TYPE;
use http::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::json;

use super::error::OAuthError;
use super::{Public, form};
use crate::flows::status_lists;

/// For everybody: a list says nothing of whose its bits are (section 12).
pub(super) async fn status_list(
    State(public): State<Arc<Public>>,
    Path(list): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let (app, now) = (&public.app, public.app.clock.now());
    // Section 8.4: a list of another time than now. There is none.
    let query = form::parse_pairs(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    if query.iter().any(|(name, _)| name == "time") {
        return no(StatusCode::NOT_IMPLEMENTED, "not_implemented", "only the list of now is kept");
    }
    let media_types = [STATUS_LIST_MEDIA_TYPE, "application/*", "*/*"];
    if headers.contains_key(ACCEPT) && !accepts(&headers, &ACCEPT, &media_types) {
        return no(
            StatusCode::NOT_ACCEPTABLE,
            "not_acceptable",
            "this list is of application/statuslist+jwt",
        );
    }
    let found = match number(&list) {
        Some(list) => status_lists::find(app, list, now).await,
        None => Ok(None),
    };
    let document = match found {
        Ok(Some(document)) => document,
        Ok(None) => return no(StatusCode::NOT_FOUND, "not_found", "there is no such status list"),
        Err(error) => return OAuthError::new(&error, false).into_response(),
    };
    // No longer than until the next one is made: a cache on the way adds nothing to the delay.
    let max_age = format!("public, max-age={}", document.fresh_for(now).as_secs());
    let common = [
        (CONTENT_TYPE, STATUS_LIST_MEDIA_TYPE.to_owned()),
        (CACHE_CONTROL, max_age),
        (VARY, "accept, accept-encoding".to_owned()),
    ];
    // Section 8.2.
    if accepts(&headers, &ACCEPT_ENCODING, &["gzip"]) {
        return (common, [(CONTENT_ENCODING, "gzip")], document.gzip.clone()).into_response();
    }
    (common, document.token.clone()).into_response()
}

/// The number of a list, as tokens write it.
fn number(text: &str) -> Option<u64> {
    let number = text.parse::<u64>().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Whether a list of preferences (RFC 9110 section 12.4.2) has one of these at any weight but zero.
fn accepts(headers: &HeaderMap, name: &HeaderName, these: &[&str]) -> bool {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(',')).any(
        |entry| {
            let mut parts = entry.split(';').map(str::trim);
            let what = parts.next().unwrap_or_default();
            let is_refused = parts.any(|parameter| {
                let weight = parameter.strip_prefix("q=").or(parameter.strip_prefix("Q="));
                weight.is_some_and(|weight| weight.trim_matches(['0', '.']).is_empty())
            });
            !is_refused && these.iter().any(|one| what.eq_ignore_ascii_case(one))
        },
    )
}

fn no(status: StatusCode, error: &str, why: &str) -> Response {
    (status, Json(json!({"error": error, "error_description": why}))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_one_address() {
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("1048576"), Some(1_048_576));
        for other in ["", "00", "+1", "-1", "1 ", "01", "x", "99999999999999999999"] {
            assert_eq!(number(other), None, "{other:?}");
        }
    }

    #[test]
    fn preferences_are_read_with_their_weights() {
        let accepts = |value: &str| {
            let headers = HeaderMap::from_iter([(ACCEPT, value.parse().unwrap())]);
            accepts(&headers, &ACCEPT, &[STATUS_LIST_MEDIA_TYPE, "*/*"])
        };
        for good in [
            "application/statuslist+jwt",
            "Application/StatusList+JWT; q=0.5",
            "application/statuslist+cwt, */*;q=0.1",
            "text/html,*/*",
        ] {
            assert!(accepts(good), "{good}");
        }
        for bad in
            ["application/statuslist+cwt", "*/*;q=0", "application/statuslist+jwt;q=0.000", "text/html", ""]
        {
            assert!(!accepts(bad), "{bad:?}");
        }
    }
}
