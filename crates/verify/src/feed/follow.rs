//! The task that keeps up with the feed: connects, reads, and connects again.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use ::http::{StatusCode, header};
use countersign_wire::{AccessToken, REVOCATIONS_SCOPE};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::Deserialize;

use super::Feed;
use super::reader::{FeedReader, FeedStep};
use crate::guard::Credentials;
use crate::remote::{Keys, RemoteError, answer, form_encoded};
use crate::{Verifier, clock};

/// Follows the feed, for ever.
pub(crate) async fn follow(feed: Arc<Feed>, keys: Arc<Keys>, credentials: Credentials, most: usize) {
    let mut reader = FeedReader::new(feed.revoked.clone(), most);
    let pace = keys.pace();
    let mut pause = pace.retry;
    loop {
        // Also when there was no room for more: what has expired makes some.
        feed.revoked.forget(forgettable());
        let was_at = reader.cursor();
        let error = match read(&feed, &keys, &credentials, &mut reader).await {
            Ok(End { url, why, was_up_to_date }) => {
                // A server that stops, or that lets an old token go, is soon there again.
                if was_up_to_date || reader.cursor() != was_at {
                    pause = pace.retry;
                }
                answer(&url, &format!("ended the stream: {why}"))
            }
            Err(error) => error,
        };
        feed.failed(error);
        tokio::time::sleep(pause.mul_f64(jitter())).await;
        pause = (pause * 2).min(pace.retry_at_most);
    }
}

/// How a stream ended.
struct End {
    url: String,
    why: String,
    was_up_to_date: bool,
}

/// Reads one connection to its end.
async fn read(
    feed: &Feed,
    keys: &Keys,
    credentials: &Credentials,
    reader: &mut FeedReader,
) -> Result<End, RemoteError> {
    let (url, mut body) = connect(keys, credentials, reader.cursor()).await?;
    reader.reconnect();
    let mut was_up_to_date = false;
    let over = |why: &str, was_up_to_date| End { url: url.clone(), why: why.to_owned(), was_up_to_date };
    loop {
        let chunk = match tokio::time::timeout(keys.pace().silence, body.frame()).await {
            Err(_) => return Ok(over("nothing came any more", was_up_to_date)),
            Ok(None | Some(Err(_))) => return Ok(over("the connection was closed", was_up_to_date)),
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        };
        let mut ended = None;
        let pushed = reader.push(&chunk, |step| match step {
            FeedStep::UpToDate(age) => {
                was_up_to_date = true;
                feed.up_to_date(age);
            }
            FeedStep::Reset => feed.forget(),
            FeedStep::Behind | FeedStep::Nothing => {}
            FeedStep::Over(why) => ended = Some(why),
        });
        feed.at(reader.cursor());
        pushed.map_err(|violation| answer(&url, &violation.to_string()))?;
        if let Some(why) = ended {
            return Ok(over(&why, was_up_to_date));
        }
        feed.revoked.forget_some(forgettable());
    }
}

/// Up to when tokens have expired for certain: one that is let live longer, for clocks that differ, is
/// revoked as long.
fn forgettable() -> u64 {
    clock::now_seconds().saturating_sub(Verifier::MAX_LEEWAY.as_secs())
}

/// The answer of the token endpoint.
#[derive(Deserialize)]
struct Token {
    access_token: String,
}

/// Opens a stream of what is after a cursor.
async fn connect(
    keys: &Keys,
    credentials: &Credentials,
    cursor: u64,
) -> Result<(String, Incoming), RemoteError> {
    let issuer = keys.issuer();
    let lacks = |what: &str| answer(issuer, &format!("has no {what} in its metadata"));
    let metadata = keys.metadata().await.ok_or_else(|| lacks("jwks_uri"))?;
    let token_endpoint = metadata.token_endpoint.ok_or_else(|| lacks("token_endpoint"))?;
    let feed_uri = metadata.countersign_revocation_feed_uri;
    let feed_uri = feed_uri.ok_or_else(|| lacks("countersign_revocation_feed_uri"))?;

    let form = format!("grant_type=client_credentials&scope={}", form_encoded(REVOCATIONS_SCOPE));
    let reply = keys.http.post_form(&token_endpoint, credentials, form).await?;
    let token: Token = reply.json(&token_endpoint)?;
    let token = AccessToken::new(token.access_token);

    let separator = if feed_uri.contains('?') { '&' } else { '?' };
    let response = keys.http.stream(&format!("{feed_uri}{separator}after={cursor}"), token.expose()).await?;
    if response.status() != StatusCode::OK {
        return Err(answer(&feed_uri, &format!("answers {}", response.status())));
    }
    let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(|value| value.starts_with("text/event-stream")) {
        return Err(answer(&feed_uri, "is no stream of events"));
    }
    Ok((feed_uri, response.into_body()))
}

/// Between a half and one: APIs that were all cut off at once do not all come back at once. The
/// keys of the standard library's hash tables are random enough for that.
fn jitter() -> f64 {
    let random = u32::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or(0);
    0.5 + f64::from(random) / f64::from(u32::MAX) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_between_a_half_and_one() {
        let all: Vec<f64> = std::iter::repeat_with(jitter).take(1000).collect();
        assert!(all.iter().all(|one| (0.5..=1.0).contains(one)));
        assert!(all.iter().any(|one| *one < 0.6) && all.iter().any(|one| *one > 0.9));
    }
}
