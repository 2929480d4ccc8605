//! The wire between a client and a token endpoint, with the losses of a bad network made to order.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use http::header;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::Outcome;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest answer that is read.
const MOST_ANSWER: usize = 256 * 1024;
/// Idle connections kept for each node.
const MOST_IDLE: usize = 256;

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The connection is lost before anything is sent.
    NeverSent,
    /// The request is sent and the connection closed before anything is read.
    Abandoned,
    /// The answer is lost: read, and thrown away.
    Discarded,
    /// The request is sent twice at once; one of the answers is lost.
    Doubled,
}

impl Fault {
    /// A fault, at this rate.
    pub(crate) fn draw(rng: &mut fastrand::Rng, rate: f64) -> Self {
        if rng.f64() >= rate {
            return Self::None;
        }
        match rng.u8(0..4) {
            0 => Self::NeverSent,
            1 => Self::Abandoned,
            2 => Self::Discarded,
            _ => Self::Doubled,
        }
    }
}

/// What an endpoint said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 200; the refresh token to use from now on.
    Granted(String),
    /// Anything else, by status, `error` and `error_description`.
    Refused { status: u16, error: String, description: String },
}

/// A refresh.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) token: String,
    /// The `Idempotency-Key`.
    pub(crate) proof: Option<String>,
    pub(crate) agent: &'static str,
    pub(crate) client: Arc<Credentials>,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) id: String,
    /// Sent by HTTP Basic (RFC 6749 section 2.3.1), or in the body where that is wanted.
    pub(crate) secret: Option<String>,
    pub(crate) secret_in_body: bool,
    /// A public client's `scope`, where the server wants one with a refresh.
    pub(crate) scope: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Credentials").field(&self.id).finish()
    }
}

/// One token endpoint, by one address.
pub(crate) struct Node {
    host: String,
    port: u16,
    path: String,
    authority: String,
    tls: Option<(TlsConnector, rustls::pki_types::ServerName<'static>)>,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Node {
    /// Of a URL; `https` is checked against the system's certificates.
    pub(crate) fn of(url: &Url) -> Outcome<Self> {
        let host = url.host_str().ok_or("the token endpoint's URL has no host")?.to_owned();
        let port = url.port_or_known_default().ok_or("the token endpoint's URL has no port")?;
        let tls = match url.scheme() {
            "http" => None,
            "https" => {
                let name = rustls::pki_types::ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
                Some((connector()?, name))
            }
            other => return Err(format!("a token endpoint has http or https, not {other}").into()),
        };
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.clone(),
        };
        Ok(Self { host, port, path, authority, tls, idle: Mutex::default() })
    }

    /// Sends a whole request and reads the whole answer; `None` when there is none.
    pub(crate) async fn exchange(&self, ask: &Ask) -> Option<Answer> {
        tokio::time::timeout(PATIENCE, self.try_exchange(ask)).await.ok()?
    }

    async fn try_exchange(&self, ask: &Ask) -> Option<Answer> {
        let mut connection = match self.take_idle() {
            Some(connection) => connection,
            None => {
                let stream = self.connect().await.ok()?;
                let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.ok()?;
                tokio::spawn(driver);
                sender
            }
        };
        let (head, body) = self.request(ask);
        let request = head.body(Full::new(Bytes::from(body))).ok()?;
        let response = connection.send_request(request).await.ok()?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MOST_ANSWER).collect().await.ok()?.to_bytes();
        self.keep(connection);
        Some(read(status, &body, &ask.token))
    }

    /// Sends a whole request and closes the connection. True if the bytes went out.
    pub(crate) async fn abandon(&self, ask: &Ask) -> bool {
        let send = async {
            let mut stream = self.connect().await.ok()?;
            let (head, body) = self.request(ask);
            let request = head.body(()).ok()?;
            let mut bytes = format!("POST {} HTTP/1.1\r\n", self.path).into_bytes();
            for (name, value) in request.headers() {
                bytes.extend_from_slice(name.as_str().as_bytes());
                bytes.extend_from_slice(b": ");
                bytes.extend_from_slice(value.as_bytes());
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(format!("content-length: {}\r\n\r\n{body}", body.len()).as_bytes());
            stream.write_all(&bytes).await.ok()?;
            stream.flush().await.ok()
        };
        matches!(tokio::time::timeout(PATIENCE, send).await, Ok(Some(())))
    }

    async fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect((self.host.trim_matches(['[', ']']), self.port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            Some((connector, name)) => Ok(Box::new(connector.connect(name.clone(), stream).await?)),
            None => Ok(Box::new(stream)),
        }
    }

    fn request(&self, ask: &Ask) -> (http::request::Builder, String) {
        let client = &ask.client;
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("grant_type", "refresh_token").append_pair("refresh_token", &ask.token);
        if let Some(scope) = &client.scope {
            body.append_pair("scope", scope);
        }
        let mut request = http::Request::post(&self.path)
            .header(header::HOST, &self.authority)
            .header(header::USER_AGENT, ask.agent)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        match &client.secret {
            Some(secret) if !client.secret_in_body => {
                let encoded: Vec<String> = [&client.id, secret]
                    .map(|part| form_urlencoded::byte_serialize(part.as_bytes()).collect())
                    .into();
                let basic = base64::engine::general_purpose::STANDARD.encode(encoded.join(":"));
                request = request.header(header::AUTHORIZATION, format!("Basic {basic}"));
            }
            secret => {
                body.append_pair("client_id", &client.id);
                if let Some(secret) = secret {
                    body.append_pair("client_secret", secret);
                }
            }
        }
        if let Some(proof) = &ask.proof {
            request = request.header("idempotency-key", proof);
        }
        (request, body.finish())
    }

    fn take_idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(connection) = idle.pop() {
            if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    fn keep(&self, connection: SendRequest<Full<Bytes>>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE && !connection.is_closed() {
            idle.push(connection);
        }
    }
}

fn connector() -> Outcome<TlsConnector> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[derive(Deserialize, Default)]
struct Body {
    access_token: Option<String>,
    refresh_token: Option<String>,
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

/// RFC 6749 section 6: a server that sends no refresh token leaves the old one in force.
fn read(status: u16, body: &[u8], presented: &str) -> Answer {
    let body: Body = serde_json::from_slice(body).unwrap_or_default();
    if status == 200 && body.access_token.is_some() {
        return Answer::Granted(body.refresh_token.unwrap_or_else(|| presented.to_owned()));
    }
    let error = if body.error.is_empty() { "no error code".to_owned() } else { body.error };
    // A description may quote what was sent.
    let description = body.error_description.replace(presented, "(the token)");
    Answer::Refused { status, error, description }
}
