//! The door to the network. No redirect is followed, every answer has a size and a time limit, and
//! nothing travels unencrypted but on this machine.

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, Request, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

use super::RemoteError;
#[cfg(any(feature = "feed", feature = "introspect"))]
use crate::guard::Credentials;

/// For a whole exchange; for a stream, until its head has come.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of an answer.
const MAX_ANSWER: usize = 512 * 1024;
/// Connections that are kept for the next request.
const IDLE_CONNECTIONS: usize = 8;

/// A client for all that is asked of one issuer.
pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Anywhere.
    plain_http: bool,
    /// On this machine.
    plain_loopback: bool,
}

/// An answer that came whole.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Http {
    /// With the certificates that this machine trusts; `SSL_CERT_FILE` names others.
    pub(crate) fn new(plain_http: bool, plain_loopback: bool) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(TIMEOUT));
        #[expect(
            clippy::expect_used,
            reason = "the provider that is named has the versions that are asked for"
        )]
        let config = config.expect("TLS versions").with_root_certificates(roots).with_no_client_auth();
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build(connector);
        Self { client, plain_http, plain_loopback }
    }

    /// Gets a document.
    pub(crate) async fn get(&self, url: &str) -> Result<Reply, RemoteError> {
        let request = Request::get(self.uri(url)?).header(header::ACCEPT, "application/json");
        self.exchange(url, request, Bytes::new()).await
    }

    #[cfg(any(feature = "feed", feature = "introspect"))]
    /// Posts a form in the name of a client (RFC 6749 section 2.3.1).
    pub(crate) async fn post_form(
        &self,
        url: &str,
        credentials: &Credentials,
        form: String,
    ) -> Result<Reply, RemoteError> {
        let request = Request::post(self.uri(url)?)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, credentials.basic());
        self.exchange(url, request, Bytes::from(form)).await
    }

    #[cfg(feature = "feed")]
    /// Opens a stream of events with a bearer token.
    pub(crate) async fn stream(
        &self,
        url: &str,
        token: &str,
    ) -> Result<::http::Response<hyper::body::Incoming>, RemoteError> {
        let request = Request::get(self.uri(url)?)
            .header(header::ACCEPT, "text/event-stream")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Full::default())
            .map_err(|_| RemoteError::Address(url.to_owned()))?;
        match tokio::time::timeout(TIMEOUT, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(unreachable(url, &error)),
            Err(_) => Err(late(url)),
        }
    }

    async fn exchange(
        &self,
        url: &str,
        request: ::http::request::Builder,
        body: Bytes,
    ) -> Result<Reply, RemoteError> {
        let request = request.body(Full::new(body)).map_err(|_| RemoteError::Address(url.to_owned()))?;
        let whole = async {
            let response = self.client.request(request).await.map_err(|error| unreachable(url, &error))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await;
            let body = body.map_err(|error| answer(url, &format!("did not answer to the end: {error}")))?;
            Ok(Reply { status: head.status, headers: head.headers, body: body.to_bytes() })
        };
        tokio::time::timeout(TIMEOUT, whole).await.unwrap_or_else(|_| Err(late(url)))
    }

    /// A URL that keys and secrets may travel by.
    fn uri(&self, url: &str) -> Result<Uri, RemoteError> {
        let wrong = || RemoteError::Address(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let host = uri.host().ok_or_else(wrong)?;
        match uri.scheme_str() {
            Some("https") => Ok(uri),
            Some("http") if self.plain_http || (self.plain_loopback && is_loopback(host)) => Ok(uri),
            _ => Err(wrong()),
        }
    }
}

impl Reply {
    /// The body of a good answer, as JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, url: &str) -> Result<T, RemoteError> {
        if self.status != StatusCode::OK {
            return Err(answer(url, &format!("answers {}", self.status)));
        }
        serde_json::from_slice(&self.body)
            .map_err(|_| answer(url, "does not answer with the JSON that is wanted"))
    }
}

/// What is wrong with an answer.
pub(crate) fn answer(url: &str, problem: &str) -> RemoteError {
    RemoteError::Answer { url: url.to_owned(), problem: problem.to_owned() }
}

fn unreachable(url: &str, error: &dyn std::error::Error) -> RemoteError {
    // The library's own sentence says little; the reason is at the end of the chain.
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    RemoteError::Unreachable { url: url.to_owned(), problem: innermost.to_string() }
}

fn late(url: &str) -> RemoteError {
    let problem = format!("no answer within {} seconds", TIMEOUT.as_secs());
    RemoteError::Unreachable { url: url.to_owned(), problem }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// `application/x-www-form-urlencoded` of one value.
#[cfg(any(feature = "feed", feature = "introspect"))]
pub(crate) fn form_encoded(text: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'*');
    text.bytes().map(|b| if keep(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_travels_unencrypted_but_on_this_machine() {
        let http = Http::new(false, true);
        for good in
            ["https://login.example/x", "http://127.0.0.1:8420/", "http://[::1]:1/", "http://localhost/"]
        {
            assert!(http.uri(good).is_ok(), "{good}");
        }
        for bad in [
            "http://login.example/",
            "ftp://127.0.0.1/",
            "/path",
            "",
            "http://127.0.0.1.evil/",
            "file:///etc",
        ] {
            assert!(http.uri(bad).is_err(), "{bad}");
        }
        assert!(Http::new(true, true).uri("http://countersign:8420/").is_ok());
        assert!(Http::new(true, true).uri("ftp://countersign:8420/").is_err());
        // An issuer elsewhere names no address of this machine.
        assert!(Http::new(false, false).uri("http://127.0.0.1:9000/").is_err());
    }

    #[cfg(any(feature = "feed", feature = "introspect"))]
    #[test]
    fn forms_are_encoded() {
        assert_eq!(form_encoded("a b&c=d%é~"), "a%20b%26c%3Dd%25%C3%A9%7E");
    }
}
