//! What every OAuth endpoint takes out of a request: its parameters and the client's credentials.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::GeneralPurposeConfig;
use countersign_wire::{ClientSecret, Parameters};
use http::{HeaderMap, HeaderValue, header};

use super::body::{self, BodyError};
use super::error::OAuthError;
use super::peer::{ClientAddress, Peer};
use super::{Public, form};
use crate::flows::clients::Credentials;
use crate::flows::{Origin, Refusal};

/// Longest part of a user agent that is kept, in characters.
const MAX_AGENT: usize = 160;

/// Which content types an endpoint reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepts {
    /// Forms only (RFC 7009 section 2.1, RFC 7662 section 2.1).
    Form,
    /// Forms (RFC 6749) and JSON objects.
    FormOrJson,
}

/// A request to an OAuth endpoint, taken apart.
pub(super) struct OAuthRequest {
    /// Its parameters.
    pub(super) parameters: Parameters,
    /// Who says to be asking.
    pub(super) credentials: Credentials,
    /// Its headers.
    pub(super) headers: HeaderMap,
    /// Who sent it.
    peer: Peer,
}

/// Why a request was not taken apart.
pub(super) enum Unreadable {
    /// Too large, too slow or broken.
    Body(BodyError),
    /// Refused.
    Refused {
        /// Why.
        refusal: Refusal,
        /// As in [`OAuthError::new`].
        basic: bool,
    },
}

impl IntoResponse for Unreadable {
    fn into_response(self) -> Response {
        match self {
            Self::Body(error) => OAuthError::unreadable(error.status(), &error).into_response(),
            Self::Refused { refusal, basic } => OAuthError::new(&refusal.into(), basic).into_response(),
        }
    }
}

/// Reads a request of a client.
///
/// # Errors
/// See [`Unreadable`].
pub(super) async fn read(
    request: Request,
    accepts: Accepts,
    public: &Public,
) -> Result<OAuthRequest, Unreadable> {
    let basic = request.headers().contains_key(header::AUTHORIZATION);
    let peer = request.extensions().get().copied().unwrap_or(Peer::Unix { uid: None });
    let (parameters, headers) = read_body(request, accepts, public).await?;
    let credentials =
        credentials(&headers, &parameters).map_err(|refusal| Unreadable::Refused { refusal, basic })?;
    Ok(OAuthRequest { parameters, credentials, headers, peer })
}

/// Reads a request of anyone.
///
/// # Errors
/// See [`Unreadable`].
pub(super) async fn read_parameters(
    request: Request,
    accepts: Accepts,
    public: &Public,
) -> Result<Parameters, Unreadable> {
    read_body(request, accepts, public).await.map(|(parameters, _)| parameters)
}

async fn read_body(
    request: Request,
    accepts: Accepts,
    public: &Public,
) -> Result<(Parameters, HeaderMap), Unreadable> {
    let basic = request.headers().contains_key(header::AUTHORIZATION);
    let refused = |refusal| Unreadable::Refused { refusal, basic };
    let (parts, body) = request.into_parts();
    // RFC 6749 section 2.3.1: credentials never stand in the URI; nor does anything else here.
    if parts.uri.query().is_some_and(|query| !query.is_empty()) {
        return Err(refused(Refusal::invalid_request("send parameters in the body, not in the URL")));
    }
    let kind = content_type(&parts.headers).map_err(refused)?;
    let bytes = body::read(body, &public.limits).await.map_err(Unreadable::Body)?;
    let parameters = match (kind, accepts) {
        (ContentType::Form, _) => form::parse_form(&bytes),
        (ContentType::Json, Accepts::FormOrJson) => form::parse_json(&bytes),
        (ContentType::Json, Accepts::Form) => {
            Err(Refusal::invalid_request("the content type must be application/x-www-form-urlencoded"))
        }
    };
    Ok((parameters.map_err(refused)?, parts.headers))
}

impl OAuthRequest {
    /// Where it came from.
    pub(super) fn origin(&self, public: &Public) -> Origin {
        origin(&self.headers, self.peer, public)
    }

    /// Whether the client used the `Authorization` header.
    pub(super) fn basic(&self) -> bool {
        self.headers.contains_key(header::AUTHORIZATION)
    }
}

/// Where a request came from.
pub(super) fn origin(headers: &HeaderMap, peer: Peer, public: &Public) -> Origin {
    let agent = headers.get(header::USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    Origin {
        network: ClientAddress::find(peer, headers, &public.trusted_proxies).network(),
        agent: String::from_utf8_lossy(agent).chars().filter(|c| !c.is_control()).take(MAX_AGENT).collect(),
    }
}

enum ContentType {
    Form,
    Json,
}

fn content_type(headers: &HeaderMap) -> Result<ContentType, Refusal> {
    let wrong = || {
        Refusal::invalid_request(
            "the content type must be application/x-www-form-urlencoded (or, at the token endpoint, application/json)",
        )
    };
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(wrong()) };
    let value = value.to_str().map_err(|_| wrong())?;
    let mut parts = value.split(';').map(str::trim);
    let kind = match parts.next() {
        Some(kind) if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") => ContentType::Form,
        Some(kind) if kind.eq_ignore_ascii_case("application/json") => ContentType::Json,
        _ => return Err(wrong()),
    };
    let charset_is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
            charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    if charset_is_utf8 { Ok(kind) } else { Err(wrong()) }
}

/// Finds the client's credentials (RFC 6749 section 2.3): by one method only.
fn credentials(headers: &HeaderMap, parameters: &Parameters) -> Result<Credentials, Refusal> {
    if parameters.get("client_assertion").is_some() || parameters.get("client_assertion_type").is_some() {
        return Err(Refusal::invalid_request("client assertions are not supported; use a client secret"));
    }
    let id = parameters.get("client_id");
    let secret = parameters.get("client_secret");
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return match (id, secret) {
            (None, _) => Err(Refusal::NoClient),
            (Some(id), None) => Ok(id.parse().map_or(Credentials::Malformed, Credentials::Public)),
            (Some(id), Some(secret)) => Ok(with_secret(id, secret.to_owned())),
        };
    };
    if values.next().is_some() || secret.is_some() {
        return Err(Refusal::TwoAuthenticationMethods);
    }
    let (basic_id, basic_secret) = basic(value.as_bytes())?;
    // RFC 6749 section 3.2.1 lets client_id stand in the body as well, but not another one.
    if id.is_some_and(|id| id != basic_id) {
        return Err(Refusal::TwoAuthenticationMethods);
    }
    Ok(with_secret(&basic_id, basic_secret))
}

fn with_secret(id: &str, secret: String) -> Credentials {
    let secret = ClientSecret::new(secret);
    id.parse().map_or(Credentials::Malformed, |id| Credentials::Secret(id, secret))
}

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// `Basic` credentials (RFC 7617), each half form-encoded (RFC 6749 section 2.3.1).
fn basic(header: &[u8]) -> Result<(String, String), Refusal> {
    let wrong = || {
        Refusal::invalid_request(
            "the Authorization header must be HTTP Basic: base64 of client_id:client_secret",
        )
    };
    let (scheme, encoded) = header.split_at_checked("Basic ".len()).ok_or_else(wrong)?;
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return Err(wrong());
    }
    let decoded = BASE64.decode(encoded.trim_ascii()).map_err(|_| wrong())?;
    let colon = decoded.iter().position(|b| *b == b':').ok_or_else(wrong)?;
    let half = |bytes: Option<&[u8]>| form::decode(bytes.unwrap_or_default()).map_err(|_| wrong());
    Ok((half(decoded.get(..colon))?, half(decoded.get(colon + 1..))?))
}
