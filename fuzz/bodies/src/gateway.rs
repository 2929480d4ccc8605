//! `/verify`, as gateways ask it for whoever sends them requests.

use std::collections::BTreeSet;
use std::sync::{OnceLock, PoisonError};

use axum::body::Body;
use http::{HeaderName, HeaderValue, Method, Request, header};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::management::add_session;
use crate::server::service;

pub(crate) const AUDIENCE: &str = "https://api.example";
const METHODS: [Method; 4] = [Method::GET, Method::POST, Method::HEAD, Method::DELETE];
/// What stands for the good token in an input.
const GOOD: &str = "TOKEN";
/// What the answer to a good token names.
const NAMED: [&str; 8] = [
    "countersign-subject",
    "countersign-client",
    "countersign-session",
    "countersign-scope",
    "countersign-tenant",
    "countersign-roles",
    "countersign-acr",
    "countersign-expires",
];

struct Good {
    user: String,
    token: String,
}

fn good() -> &'static Good {
    static GOOD: OnceLock<Good> = OnceLock::new();
    GOOD.get_or_init(|| {
        let service = service().lock().unwrap_or_else(PoisonError::into_inner);
        let (user, token) = service.runtime.block_on(add_session(&service.management));
        Good { user, token }
    })
}

/// The first byte chooses the method; then come four lines: the query, `Authorization`, in which
/// `TOKEN` stands for a good one, `Cookie`, and what the client says of itself, which must not matter.
pub(crate) fn gateway(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let good = good();
    let mut lines = rest.splitn(4, |byte| *byte == b'\n');
    let Ok(query) = std::str::from_utf8(lines.next().unwrap_or_default()) else { return };
    let Ok(sent) = std::str::from_utf8(lines.next().unwrap_or_default()) else { return };
    let authorization = sent.replace(GOOD, &good.token);
    let request = Request::builder()
        .method(METHODS[usize::from(*first) % METHODS.len()].clone())
        .uri(format!("/verify?{query}"));
    // Not every text can be a query.
    let Ok(mut request) = request.body(Body::empty()) else { return };
    let mut add = |name: HeaderName, bytes: &[u8]| {
        let value = HeaderValue::from_bytes(bytes).ok().filter(|_| !bytes.is_empty());
        if let Some(value) = value {
            request.headers_mut().append(name, value);
        }
    };
    add(header::AUTHORIZATION, authorization.as_bytes());
    add(header::COOKIE, lines.next().unwrap_or_default());
    let said = lines.next().unwrap_or_default();
    for name in ["countersign-subject", "x-original-uri", "x-forwarded-uri"] {
        add(HeaderName::from_static(name), said);
    }

    let service = service().lock().unwrap_or_else(PoisonError::into_inner);
    service.runtime.block_on(async {
        let answer = service.public.clone().oneshot(request).await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        assert!(matches!(status, 200 | 400 | 401 | 403), "{status}");
        let named = NAMED.iter().filter(|name| headers.contains_key(**name)).count();
        let challenge = headers.get(header::WWW_AUTHENTICATE);
        if status == 200 {
            assert_eq!(named, NAMED.len(), "all of them come each time");
            assert_eq!(headers["countersign-subject"], good.user.as_str());
            assert!(is_good(&authorization, &good.token), "{sent:?} passed");
            assert!(is_allowed(query), "{query:?} let it pass");
        } else {
            assert_eq!(named, 0, "nobody is named");
            // With 400 it says that the client is to blame, and not the gateway's configuration.
            assert!(challenge.is_some() || status == 400, "{status}");
        }
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let told = format!("{challenge:?}{}", String::from_utf8_lossy(&body));
        let signature = good.token.rsplit('.').next().unwrap();
        assert!(!told.contains(signature), "{told}");
    });
}

/// RFC 6750 section 2.1; the scheme's case does not matter (RFC 9110 section 11.1).
fn is_good(authorization: &str, token: &str) -> bool {
    let parts = authorization.trim().split_once(' ');
    parts.is_some_and(|(scheme, rest)| scheme.eq_ignore_ascii_case("bearer") && rest.trim() == token)
}

/// Whether what a gateway wants is what the good token has: read with another parser.
fn is_allowed(query: &str) -> bool {
    // Whoever reads an address cuts a fragment off: it is no part of a request.
    let query = query.split('#').next().unwrap_or_default();
    let wanted = match query.starts_with("path=") {
        true => "",
        false => query.split("&path=").next().unwrap_or_default(),
    };
    let pairs: Vec<_> = form_urlencoded::parse(wanted.as_bytes()).collect();
    let names: BTreeSet<_> = pairs.iter().map(|(name, _)| name).collect();
    let has = |name: &str, value: &str| match name {
        "audience" => value == AUDIENCE,
        "scope" => value.split(' ').all(|scope| matches!(scope, "openid" | "read")),
        "role" => value == "reader",
        // Nobody has authenticated: an operator began the session.
        _ => false,
    };
    names.len() == pairs.len()
        && pairs.iter().any(|(name, _)| name == "audience")
        && pairs.iter().all(|(name, value)| has(name, value))
}
