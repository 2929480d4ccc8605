//! Reading a request's body, within a size and a time.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;

use crate::config::Limits;

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is, or says that it will be, larger than `limits.body`.
    #[error("the request body is too large")]
    TooLarge,
    /// It was not there within `limits.body_timeout`.
    #[error("the request body did not arrive in time")]
    TooSlow,
    /// The connection broke, or the body's framing is wrong.
    #[error("the request body could not be read")]
    Broken,
}

impl BodyError {
    /// RFC 9110 sections 15.5.14, 15.5.9 and 15.5.1.
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }
}

/// Reads the whole body. One whose `Content-Length` is too large is refused unread.
///
/// # Errors
/// [`BodyError`].
pub async fn read(body: Body, limits: &Limits) -> Result<Bytes, BodyError> {
    if body.size_hint().lower() > limits.body as u64 {
        return Err(BodyError::TooLarge);
    }
    match tokio::time::timeout(limits.body_timeout, collect(body, limits.body)).await {
        Ok(result) => result,
        Err(_) => Err(BodyError::TooSlow),
    }
}

/// A body that arrives in one piece, as nearly all do, is not copied.
async fn collect(mut body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // Trailers are of no use to anyone here.
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if first.len() + rest.len() + data.len() > limit {
            return Err(BodyError::TooLarge);
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if !first.is_empty() {
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use futures_util::stream;

    use super::*;
    use crate::config::Settings;

    fn limits() -> Limits {
        let mut limits = Settings::from_values(&[]).unwrap().limits;
        limits.body = 10;
        limits
    }

    fn pieces(pieces: &'static [&'static str]) -> Body {
        Body::from_stream(stream::iter(pieces.iter().map(|p| Ok::<_, Infallible>(p.as_bytes()))))
    }

    #[tokio::test]
    async fn bodies_are_whole_or_refused() {
        assert_eq!(read(Body::empty(), &limits()).await.unwrap(), "");
        assert_eq!(read(Body::from("0123456789"), &limits()).await.unwrap(), "0123456789");
        assert_eq!(read(Body::from("0123456789a"), &limits()).await, Err(BodyError::TooLarge));
        assert_eq!(read(pieces(&["01", "", "23", "456789"]), &limits()).await.unwrap(), "0123456789");
        assert_eq!(read(pieces(&["01", "23", "456789a"]), &limits()).await, Err(BodyError::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_is_given_up() {
        let stalled = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        let start = tokio::time::Instant::now();
        assert_eq!(read(stalled, &limits()).await, Err(BodyError::TooSlow));
        assert_eq!(start.elapsed(), limits().body_timeout);
        assert!(limits().body_timeout > Duration::ZERO);
    }

    #[tokio::test]
    async fn a_body_that_breaks_is_no_body() {
        let broken = stream::iter([Ok(Bytes::from("01")), Err(std::io::Error::other("reset"))]);
        assert_eq!(read(Body::from_stream(broken), &limits()).await, Err(BodyError::Broken));
    }
}
