//! Taking a request apart: its query, its body, its path. Whatever is not known is an error that
//! names what was probably meant.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Path as AxumPath, Query as AxumQuery, Request};
use bytes::Bytes;
use http::header;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::Admin;
use super::error::AdminError;
use crate::config::nearest;
use crate::http::body;

/// The query's parameters.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Admin>> for Query<T> {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Admin>) -> Result<Self, AdminError> {
        let text = |error: &dyn std::error::Error| {
            let error = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            AdminError::invalid(format!("the query: {}", in_words(&error)))
        };
        AxumQuery::try_from_uri(&parts.uri).map(|AxumQuery(query)| Self(query)).map_err(|error| text(&error))
    }
}

/// A JSON body; none is read as an empty object.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Admin>> for Body<T> {
    type Rejection = AdminError;

    async fn from_request(request: Request, admin: &Arc<Admin>) -> Result<Self, AdminError> {
        let json = is_json(&request);
        let bytes = read(request, admin).await?;
        if bytes.is_empty() {
            return parse(b"{}").map(Self);
        }
        if !json {
            return Err(AdminError::invalid("the content type must be application/json"));
        }
        parse(&bytes).map(Self)
    }
}

/// The absence of a body: an empty object is none.
pub(super) struct NoBody;

impl FromRequest<Arc<Admin>> for NoBody {
    type Rejection = AdminError;

    async fn from_request(request: Request, admin: &Arc<Admin>) -> Result<Self, AdminError> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}

        let bytes = read(request, admin).await?;
        if !bytes.is_empty() {
            let Nothing {} = parse(&bytes)?;
        }
        Ok(Self)
    }
}

/// The one variable part of a path, percent-decoded.
pub(super) struct Path(pub(super) String);

impl FromRequestParts<Arc<Admin>> for Path {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Self, AdminError> {
        match AxumPath::<String>::from_request_parts(parts, admin).await {
            Ok(AxumPath(text)) => Ok(Self(text)),
            Err(_) => Err(AdminError::invalid("the path is not percent-encoded UTF-8")),
        }
    }
}

async fn read(request: Request, admin: &Admin) -> Result<Bytes, AdminError> {
    body::read(request.into_body(), &admin.limits)
        .await
        .map_err(|error| AdminError::unreadable(error.status(), error.to_string()))
}

fn is_json(request: &Request) -> bool {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).map(str::trim);
    let known = ["application/json", "application/merge-patch+json"];
    essence.is_some_and(|essence| known.iter().any(|known| essence.eq_ignore_ascii_case(known)))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, AdminError> {
    // The deserializer would take an array for an object, by the order of its members.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(AdminError::invalid("the body: expected an object"));
    }
    serde_json::from_slice(bytes)
        .map_err(|error| AdminError::invalid(format!("the body: {}", in_words(&error.to_string()))))
}

/// What a deserializer complains of, in our words. Values are left out: they can be secrets.
fn in_words(error: &str) -> String {
    let at = match error.rfind(" at line ") {
        Some(start) => error.get(start..).unwrap_or_default(),
        None => "",
    };
    let names: Vec<&str> = error.split('`').skip(1).step_by(2).collect();
    let name = names.first().map_or_else(String::new, |name| plain(name));
    if error.contains("unknown field `") {
        let known = names.get(1..).unwrap_or_default();
        return match nearest(&name, known.iter().copied()) {
            Some(meant) => format!("{name} is not known; did you mean {meant}?"),
            None if known.is_empty() => format!("{name} is not known: nothing can be said here"),
            None => format!("{name} is not known; known are {}", known.join(", ")),
        };
    }
    if error.contains("missing field `") {
        return format!("{name} is missing");
    }
    if error.contains("duplicate field `") {
        return format!("{name} is there more than once");
    }
    match error.split_once("expected ") {
        Some((before, expected)) if before.contains("invalid ") => {
            // Of a query the text begins with the parameter's name.
            let member =
                before.split_once(": invalid ").map_or(String::new(), |(m, _)| format!("{}: ", plain(m)));
            format!("{member}expected {expected}")
        }
        _ => match error.strip_suffix(at) {
            Some(problem) => format!("{}{at}", plain(problem)),
            None => plain(error),
        },
    }
}

/// The text without what a terminal would not show as it is, and not too long.
fn plain(text: &str) -> String {
    const MOST: usize = 200;
    text.chars().filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\')).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Thing {
        redirect_uris: Vec<String>,
        limit: Option<u32>,
    }

    fn body(text: &str) -> String {
        in_words(&serde_json::from_str::<Thing>(text).unwrap_err().to_string())
    }

    fn query(text: &str) -> String {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only parsed")]
        struct Filter {
            limit: Option<u32>,
            live: Option<bool>,
        }
        let uri = format!("/x?{text}").parse().unwrap();
        let error = AxumQuery::<Filter>::try_from_uri(&uri).unwrap_err();
        in_words(&std::error::Error::source(&error).unwrap().to_string())
    }

    #[test]
    fn unknown_members_get_the_nearest_known_one() {
        assert_eq!(body(r#"{"redirect_uri":[]}"#), "redirect_uri is not known; did you mean redirect_uris?");
        assert_eq!(body(r#"{"zzz":1}"#), "zzz is not known; known are redirect_uris, limit");
        assert_eq!(query("limt=1"), "limt is not known; did you mean limit?");
    }

    #[test]
    fn other_mistakes_are_told_without_values() {
        assert_eq!(body("{}"), "redirect_uris is missing");
        assert_eq!(body(r#"{"limit":1,"limit":2}"#), "limit is there more than once");
        assert_eq!(body(r#"{"limit":"hunter2 expected"}"#), "expected u32 at line 1 column 27");
        assert_eq!(body(r#""a""#), "expected struct Thing at line 1 column 3");
        assert_eq!(body("{"), "EOF while parsing an object at line 1 column 1");
        assert_eq!(query("limit=x"), "limit: invalid digit found in string");
        assert_eq!(query("limit=1&limit=2"), "limit is there more than once");
        assert_eq!(query("live=yes"), "live: provided string was not `true` or `false`");
    }
}
