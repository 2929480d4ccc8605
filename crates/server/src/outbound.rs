//! The one door to the outside: sends a form to an address that an operator registered.
//!
//! Who registers an address is trusted more than who calls us, so networks of one's own are allowed.
//! Even so nothing is sent to link-local addresses, where clouds keep their secrets, no redirect is
//! followed, and the address that was looked at is the one that is connected to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

/// For the whole exchange: look-up, connection, TLS and answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of an answer that are read; nothing in it counts but its status.
const MAX_ANSWER: usize = 8 * 1024;

/// Why nothing was answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// Not a URL that may be sent to.
    #[error("the address must be https, or http on a loopback address")]
    Address,
    /// The host's name leads nowhere, or where nothing may be sent.
    #[error("the host leads to no address that may be reached")]
    Host,
    /// No connection, no trustworthy one, or no answer.
    #[error("{0}")]
    Failed(String),
    /// It took too long.
    #[error("no answer within {} seconds", TIMEOUT.as_secs())]
    Timeout,
}

/// Sends forms.
pub struct Outbound {
    tls: Option<TlsConnector>,
}

impl Outbound {
    /// With the certificates that this machine trusts; `SSL_CERT_FILE` names others. Without any,
    /// only loopback addresses can be reached.
    pub fn new() -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self { tls: connector(roots) }
    }

    /// Posts a form and says how it was answered.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn post_form(&self, url: &str, form: String) -> Result<StatusCode, OutboundError> {
        tokio::time::timeout(TIMEOUT, self.post(url, form)).await.unwrap_or(Err(OutboundError::Timeout))
    }

    async fn post(&self, url: &str, form: String) -> Result<StatusCode, OutboundError> {
        let url = Url::parse(url).map_err(|_| OutboundError::Address)?;
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(OutboundError::Address);
        };
        let address = resolve(&host, port).await?;
        let is_https = url.scheme() == "https";
        let is_plain_loopback = url.scheme() == "http" && address.ip().is_loopback();
        if !is_https && !is_plain_loopback {
            return Err(OutboundError::Address);
        }
        let stream = TcpStream::connect(address).await.map_err(|error| failed(&error))?;
        let request = request(&url, form)?;
        if !is_https {
            return exchange(stream, request).await;
        }
        let name = match host {
            Host::Domain(name) => ServerName::try_from(name.to_owned()).map_err(|_| OutboundError::Host)?,
            Host::Ipv4(address) => ServerName::IpAddress(IpAddr::V4(address).into()),
            Host::Ipv6(address) => ServerName::IpAddress(IpAddr::V6(address).into()),
        };
        let tls = self.tls.as_ref().ok_or_else(|| {
            OutboundError::Failed("this machine has no trusted certificates: set SSL_CERT_FILE".to_owned())
        })?;
        let stream = tls.connect(name, stream).await.map_err(|error| failed(&error))?;
        exchange(stream, request).await
    }
}

impl Default for Outbound {
    fn default() -> Self {
        Self::new()
    }
}

/// The first address that may be reached.
async fn resolve(host: &Host<&str>, port: u16) -> Result<SocketAddr, OutboundError> {
    let addresses: Vec<SocketAddr> = match host {
        Host::Ipv4(address) => vec![SocketAddr::from((*address, port))],
        Host::Ipv6(address) => vec![SocketAddr::from((*address, port))],
        Host::Domain(name) => {
            tokio::net::lookup_host((*name, port)).await.map_err(|error| failed(&error))?.collect()
        }
    };
    addresses.into_iter().find(|address| may_be_reached(address.ip())).ok_or(OutboundError::Host)
}

fn may_be_reached(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            !(address.is_link_local()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_broadcast())
        }
        IpAddr::V6(address) => {
            !(address.is_unicast_link_local() || address.is_unspecified() || address.is_multicast())
        }
    }
}

fn request(url: &Url, form: String) -> Result<Request<Full<Bytes>>, OutboundError> {
    let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    Request::post(target)
        .header(header::HOST, url.authority())
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::USER_AGENT, concat!("countersign/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close")
        .body(Full::from(form))
        .map_err(|_| OutboundError::Address)
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<StatusCode, OutboundError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await;
    let answer = match answer {
        Ok(answer) => {
            let status = answer.status();
            // A body that is longer than it may be is left unread; the status has come.
            let _ = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
            Ok(status)
        }
        Err(error) => Err(failed(&error)),
    };
    connection.abort();
    answer
}

fn failed(error: &dyn std::fmt::Display) -> OutboundError {
    OutboundError::Failed(error.to_string())
}

fn connector(roots: RootCertStore) -> Option<TlsConnector> {
    if roots.is_empty() {
        return None;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_addresses_are_never_reached() {
        for bad in ["169.254.169.254", "0.0.0.0", "fe80::1", "::", "ff02::1", "::ffff:169.254.169.254"] {
            assert!(!may_be_reached(bad.parse().unwrap()), "{bad}");
        }
        for good in ["127.0.0.1", "10.0.0.1", "192.0.2.1", "2001:db8::1", "fd00::1"] {
            assert!(may_be_reached(good.parse().unwrap()), "{good}");
        }
    }

    /// Answers each request over TLS with the certificate of a host, and gives its port.
    async fn serve_tls(host: &str) -> (u16, rustls::pki_types::CertificateDer<'static>) {
        let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.into())
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Who does not trust the certificate is gone before there is a request.
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let answer = hyper::service::service_fn(async |request: Request<hyper::body::Incoming>| {
                    let host = request.headers().get(header::HOST).cloned();
                    let body = request.into_body().collect().await?.to_bytes();
                    let is_right = host.is_some_and(|host| host.as_bytes().starts_with(b"localhost:"))
                        && body.starts_with(b"logout_token=");
                    let status = if is_right { StatusCode::OK } else { StatusCode::BAD_REQUEST };
                    let answer = http::Response::builder().status(status);
                    Ok::<_, hyper::Error>(answer.body(Full::<Bytes>::default()).unwrap())
                });
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            }
        });
        (port, certificate)
    }

    #[tokio::test]
    async fn a_receiver_is_reached_over_tls_when_its_certificate_is_good_and_its_own() {
        let (port, certificate) = serve_tls("localhost").await;
        let (elsewhere, foreign) = serve_tls("other.example").await;
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        roots.add(foreign).unwrap();
        let outbound = Outbound { tls: connector(roots) };
        let send = |port| {
            let outbound = &outbound;
            async move {
                outbound
                    .post_form(&format!("https://localhost:{port}/told?x=1"), "logout_token=x".to_owned())
                    .await
            }
        };
        assert_eq!(send(port).await, Ok(StatusCode::OK));
        let refused = send(elsewhere).await;
        assert!(
            matches!(&refused, Err(OutboundError::Failed(why)) if why.contains("certificate")),
            "{refused:?}"
        );
        let stranger = Outbound { tls: connector(RootCertStore::empty()) };
        let refused = stranger.post_form(&format!("https://localhost:{port}/"), String::new()).await;
        assert!(
            matches!(&refused, Err(OutboundError::Failed(why)) if why.contains("SSL_CERT_FILE")),
            "{refused:?}"
        );
    }

    #[tokio::test]
    async fn what_may_not_be_sent_to_is_refused_unconnected() {
        let outbound = Outbound::new();
        for bad in ["", "ftp://127.0.0.1/", "http://192.0.2.1/", "https://169.254.169.254/latest"] {
            let sent = outbound.post_form(bad, String::new()).await;
            assert!(matches!(sent, Err(OutboundError::Address | OutboundError::Host)), "{bad}: {sent:?}");
        }
    }
}
