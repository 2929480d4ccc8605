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
        Self { tls: connector() }
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

fn connector() -> Option<TlsConnector> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
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

    #[tokio::test]
    async fn what_may_not_be_sent_to_is_refused_unconnected() {
        let outbound = Outbound::new();
        for bad in ["", "ftp://127.0.0.1/", "http://192.0.2.1/", "https://169.254.169.254/latest"] {
            let sent = outbound.post_form(bad, String::new()).await;
            assert!(matches!(sent, Err(OutboundError::Address | OutboundError::Host)), "{bad}: {sent:?}");
        }
    }
}
