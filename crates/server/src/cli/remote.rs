//! One HTTP request over one connection: to a Unix socket, or to a URL with TLS where it says so.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::failure::Failure;

/// Until a connection stands, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Until the head of an answer has come.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest answer that is kept in memory, in bytes.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Reads a URL to which secrets may be sent: `https`, or `http` to this machine.
pub(crate) fn base_url(text: &str, insecure_http: bool) -> Result<Url, Failure> {
    let url = Url::parse(text)
        .map_err(|error| Failure::Usage(format!("{text:?} is not a URL ({error}): write https://HOST")))?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(Failure::Usage(format!("{text:?} names no host: write https://HOST"))),
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback || insecure_http => Ok(url),
        "http" => Err(Failure::Usage(format!(
            "{text} is not encrypted and not this machine: anyone between could read the token; use https, or --insecure-http in a closed test network"
        ))),
        _ => Err(Failure::Usage(format!("{text:?} is neither https nor http"))),
    }
}

/// Sends a request to the host of `url` and returns the answer with its body still to come.
pub(crate) async fn send(url: &Url, request: Request<Full<Bytes>>) -> Result<Response<Body>, Failure> {
    let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return Err(Failure::Usage(format!("{url} names no host")));
    };
    let place = format!("{host}:{port}");
    let connect = async {
        let stream = match host {
            Host::Domain(name) => TcpStream::connect((name, port)).await,
            Host::Ipv4(address) => TcpStream::connect((address, port)).await,
            Host::Ipv6(address) => TcpStream::connect((address, port)).await,
        }
        .map_err(|error| Failure::refused(format!("{place} cannot be reached: {error}")))?;
        Ok::<_, Failure>(stream)
    };
    let stream = in_time(CONNECT_TIMEOUT, &place, connect).await?;
    if url.scheme() == "https" {
        let handshake = async { tls(host.to_owned(), stream).await };
        let stream = in_time(CONNECT_TIMEOUT, &place, handshake).await?;
        in_time(ANSWER_TIMEOUT, &place, exchange(stream, request)).await
    } else {
        in_time(ANSWER_TIMEOUT, &place, exchange(stream, request)).await
    }
}

/// Sends a request over a stream that is already connected.
pub(crate) async fn exchange<S>(
    stream: S,
    mut request: Request<Full<Bytes>>,
) -> Result<Response<Body>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| Failure::refused(format!("the server broke off: {error}"));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // It ends with the body; errors of it arrive there.
    tokio::spawn(connection);
    request.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    let response = sender.send_request(request).await.map_err(broken)?;
    Ok(response.map(Body::new))
}

/// A request for a document, with the headers that every request of ours has.
pub(crate) fn get(url: &Url) -> Result<Request<Full<Bytes>>, Failure> {
    let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    Request::builder()
        .uri(target)
        .header(header::HOST, url.authority())
        .header(header::ACCEPT, "application/json")
        .body(Full::default())
        .map_err(|error| Failure::refused(format!("{url} cannot be asked: {error}")))
}

/// The whole body of an answer.
pub(crate) async fn collect(body: Body) -> Result<Bytes, Failure> {
    let collected = tokio::time::timeout(ANSWER_TIMEOUT, Limited::new(body, MAX_ANSWER).collect()).await;
    match collected {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) => Err(Failure::refused(format!("the answer broke off: {error}"))),
        Err(_) => Err(Failure::refused("the answer did not come to its end in time")),
    }
}

async fn in_time<T>(
    limit: Duration,
    place: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(Failure::refused(format!("{place} did not answer in {} s", limit.as_secs()))))
}

async fn tls(
    host: Host<String>,
    stream: TcpStream,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Failure> {
    let refuse = |what: &str, error: &dyn std::fmt::Display| Failure::refused(format!("{what}: {error}"));
    let mut roots = rustls::RootCertStore::empty();
    // SSL_CERT_FILE and SSL_CERT_DIR name others, for a certificate of one's own authority.
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    if roots.is_empty() {
        return Err(Failure::refused("this machine has no trusted certificates: set SSL_CERT_FILE"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse("TLS cannot be set up", &error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = match host {
        Host::Domain(name) => rustls::pki_types::ServerName::try_from(name)
            .map_err(|error| refuse("the host's name cannot be checked", &error))?,
        Host::Ipv4(address) => rustls::pki_types::ServerName::IpAddress(std::net::IpAddr::V4(address).into()),
        Host::Ipv6(address) => rustls::pki_types::ServerName::IpAddress(std::net::IpAddr::V6(address).into()),
    };
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| refuse("no trustworthy connection", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_to_encrypted_places_or_stay_on_this_machine() {
        for good in
            ["https://admin.example", "http://127.0.0.1:8421", "http://[::1]:1", "http://localhost:9/x"]
        {
            assert!(base_url(good, false).is_ok(), "{good}");
        }
        for bad in ["http://admin.example", "http://10.0.0.1", "ftp://x", "admin.example", "unix:/x", ""] {
            assert!(base_url(bad, false).is_err(), "{bad}");
        }
        assert!(base_url("http://10.0.0.1", true).is_ok());
    }
}
