//! `GET /revocations`: the revocation feed, as a stream of server-sent events or piece by piece.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use countersign_wire::{AccessToken, Heartbeat, REVOCATIONS_SCOPE};
use futures_util::stream;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

use super::Public;
use super::error::OAuthError;
use super::form;
use super::peer::Peer;
use super::protected::{bearer_token, refuse};
use super::request::origin;
use crate::flows::Refusal;
use crate::flows::feed::{self, News, Subscriber};

const REALM: &str = "countersign";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// What a browser's event source waits before it connects again.
const RETRY: Duration = Duration::from_secs(1);
/// What who is refused for want of room waits.
const NO_ROOM_RETRY: &str = "10";

/// Where to begin, and how much.
struct Wanted {
    after: u64,
    limit: u32,
}

/// Tells what was revoked after a number.
pub(super) async fn revocations(State(public): State<Arc<Public>>, request: Request) -> Response {
    let (app, now) = (&public.app, public.app.clock.now());
    let headers = request.headers();
    let peer = request.extensions().get().copied().unwrap_or(Peer::Unix { uid: None });
    let origin = origin(headers, peer, &public);
    let query = request.uri().query();
    let token = match bearer_token(headers, query) {
        Ok(token) => token,
        Err(refusal) => return refuse(REALM, REVOCATIONS_SCOPE, &refusal),
    };
    let claims = match feed::admit(app, token, now).await {
        Ok(Ok(claims)) => claims,
        Ok(Err(refusal)) => return refuse(REALM, REVOCATIONS_SCOPE, &refusal),
        Err(error) => return OAuthError::new(&error, false).into_response(),
    };
    let last = headers.get(LAST_EVENT_ID).map(HeaderValue::as_bytes).filter(|last| !last.is_empty());
    let Wanted { after, limit } = match wanted(query.unwrap_or_default(), last) {
        Ok(wanted) => wanted,
        Err(refusal) => return OAuthError::new(&refusal.into(), false).into_response(),
    };
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let streams = accept.split([',', ';']).any(|one| one.trim().eq_ignore_ascii_case("text/event-stream"));
    if !streams {
        return match feed::poll(app, &claims, &origin, after, limit, now).await {
            Ok(page) => ([(header::VARY, "accept")], Json(page)).into_response(),
            Err(error) => OAuthError::new(&error, false).into_response(),
        };
    }
    let token = AccessToken::new(token.to_owned());
    match feed::subscribe(app, &claims, token, &origin, after, now) {
        Some(subscriber) => {
            let events = stream::unfold((subscriber, true), |(mut subscriber, is_first)| async move {
                let event = event(&mut subscriber).await?;
                let event = if is_first { event.retry(RETRY) } else { event };
                Some((Ok::<_, Infallible>(event), (subscriber, false)))
            });
            let mut response = Sse::new(events).into_response();
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            headers.insert(header::VARY, HeaderValue::from_static("accept"));
            // nginx would hold events back until its buffer is full.
            headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
            response
        }
        None => {
            let why = json!({"error": "temporarily_unavailable", "error_description": "this node has as many subscribers as it serves; try another, or again"});
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, NO_ROOM_RETRY)], Json(why))
                .into_response()
        }
    }
}

async fn event(subscriber: &mut Subscriber) -> Option<Event> {
    Some(match subscriber.next().await? {
        News::Piece(piece) => {
            Event::default().event("revocations").id(piece.cursor.to_string()).data(&piece.json)
        }
        News::Heartbeat { cursor, age } => {
            let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
            let beat = Heartbeat { cursor, age_ms };
            Event::default().event("heartbeat").data(serde_json::to_string(&beat).unwrap_or_default())
        }
        News::Reset => Event::default().event("reset").id("0").data("{}"),
        News::Over(why) => Event::default().event("over").data(json!({"reason": why}).to_string()),
    })
}

/// `after`, or what a client that comes back had last; and `limit`.
fn wanted(query: &str, last_event_id: Option<&[u8]>) -> Result<Wanted, Refusal> {
    let parameters = form::parse_form(query.as_bytes())?;
    let known = ["after", "limit"];
    if parameters.pairs().iter().any(|(name, _)| !known.contains(&name.as_str())) {
        return Err(Refusal::invalid_request("/revocations takes after and limit only"));
    }
    let number = |text: Option<&str>, otherwise: u64, what: &str| {
        match text {
            None => Ok(otherwise),
            Some(text) if text.len() <= 19 && text.bytes().all(|b| b.is_ascii_digit()) => {
                text.parse().map_err(|_| ())
            }
            Some(_) => Err(()),
        }
        .map_err(|()| Refusal::invalid_request(format!("{what} must be a number")))
    };
    let last = last_event_id.map(|bytes| std::str::from_utf8(bytes).unwrap_or("?"));
    Ok(Wanted {
        after: number(last.or(parameters.get("after")), 0, "after")?,
        limit: u32::try_from(number(parameters.get("limit"), u64::from(feed::MOST_ENTRIES), "limit")?)
            .unwrap_or(feed::MOST_ENTRIES),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_a_number() {
        let after = |query, last: Option<&str>| {
            wanted(query, last.map(str::as_bytes)).map(|wanted| wanted.after).ok()
        };
        assert_eq!(after("", None), Some(0));
        assert_eq!(after("after=12&limit=3", None), Some(12));
        // A browser that comes back repeats its first address and says where it was.
        assert_eq!(after("after=12", Some("40")), Some(40));
        for bad in [
            "after=-1",
            "after=x",
            "after=+1",
            "after=1&after=2",
            "after=99999999999999999999",
            "before=1",
            "limit=x",
        ] {
            assert_eq!(after(bad, None), None, "{bad}");
        }
        assert_eq!(after("", Some("x")), None);
    }
}
