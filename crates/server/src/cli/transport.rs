//! The way to the admin API: through the running server's Unix socket, over the network with an
//! admin token, or, when no server runs, in this process on the store itself. Whoever calls sees
//! one API and need not know which it is.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use axum::body::Body;
use bytes::Bytes;
use countersign_wire::AdminToken;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;
use tokio::net::UnixStream;
use tower::ServiceExt as _;
use url::Url;

use super::failure::Failure;
use super::route::Route;
use super::{Global, remote};
use crate::config::{Database, Settings};
use crate::http::router;
use crate::server::{self, ADMIN_TOKEN_FILE, Opened, SOCKET};

/// Longest admin token file that is read, in bytes.
const MAX_TOKEN_FILE: u64 = 4096;

/// The admin API, however it is reached.
pub(crate) struct Admin(Transport);

enum Transport {
    Socket(PathBuf),
    Remote {
        base: Url,
        token: AdminToken,
    },
    /// Boxed, because it holds so much more than the others.
    Here {
        router: axum::Router,
        opened: Box<Opened>,
    },
}

/// What a command is about to do, when it may have to open the store itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// A store that is there.
    Existing,
    /// A store that may be made: the command adds the first thing to it.
    MayCreate,
}

impl Admin {
    /// Finds the way.
    pub(crate) async fn connect(global: &Global, need: Need) -> Result<Self, Failure> {
        let settings = global.settings()?;
        if let Some(server) = &global.server {
            let base = remote::base_url(server, global.insecure_http)?;
            return Ok(Self(Transport::Remote { base, token: admin_token(&settings)? }));
        }
        let socket = settings.data_dir.join(SOCKET);
        if server_answers(&socket).await? {
            return Ok(Self(Transport::Socket(socket)));
        }
        if let (Database::Sqlite(file), Need::Existing) = (&settings.database, need)
            && !file.exists()
        {
            return Err(Failure::refused(format!(
                "no server runs on {}, and there is no store at {}: start one with `countersign serve`, or name another place with --data-dir",
                settings.data_dir.display(),
                file.display()
            )));
        }
        let opened = server::open(&settings).await.map_err(|error| Failure::refused(error.to_string()))?;
        let router = router::management(opened.app.clone(), settings.limits, None);
        Ok(Self(Transport::Here { router, opened: Box::new(opened) }))
    }

    /// The running server of this data directory, if there is one.
    pub(crate) async fn running(settings: &Settings) -> Result<Option<Self>, Failure> {
        let socket = settings.data_dir.join(SOCKET);
        Ok(server_answers(&socket).await?.then_some(Self(Transport::Socket(socket))))
    }

    /// A document or a list.
    pub(crate) async fn get(&self, path: &Route) -> Result<Value, Failure> {
        self.call(Method::GET, path, None).await
    }

    /// An action, or a thing to add.
    pub(crate) async fn post(&self, path: &Route, body: Option<&Value>) -> Result<Value, Failure> {
        self.call(Method::POST, path, body).await
    }

    /// A request, and its answer as JSON.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &Route,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.call_for(method, path, body).await.map(|(_, answer)| answer)
    }

    /// The same with the status, which says whether something was made or replaced.
    pub(crate) async fn call_for(
        &self,
        method: Method,
        path: &Route,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), Failure> {
        let response = self.send(method, path, body).await?;
        let status = response.status();
        let bytes = remote::collect(response.into_body()).await?;
        if bytes.is_empty() {
            return Ok((status, Value::Null));
        }
        let answer = serde_json::from_slice(&bytes).map_err(|_| {
            Failure::refused("the answer is not JSON: is this Countersign's management listener?")
        })?;
        Ok((status, answer))
    }

    /// A request, and its answer with the body still to come. An error answer is a failure here.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &Route,
        body: Option<&Value>,
    ) -> Result<Response<Body>, Failure> {
        let body = match body {
            Some(value) => Some(Bytes::from(
                serde_json::to_vec(value)
                    .map_err(|error| Failure::refused(format!("the request cannot be written: {error}")))?,
            )),
            None => None,
        };
        let response = self.deliver(method, path, body).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(response).await)
    }

    async fn deliver(
        &self,
        method: Method,
        path: &Route,
        body: Option<Bytes>,
    ) -> Result<Response<Body>, Failure> {
        let mut request = Request::builder().method(method).header(header::ACCEPT, "application/json");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let unsendable =
            |error: http::Error| Failure::refused(format!("the request cannot be written: {error}"));
        match &self.0 {
            Transport::Here { router, .. } => {
                let body = body.map_or_else(Body::empty, Body::from);
                let request = request.uri(path.target("")).body(body).map_err(unsendable)?;
                Ok(router.clone().oneshot(request).await.unwrap_or_else(|never| match never {}))
            }
            Transport::Socket(socket) => {
                let request = request
                    .uri(path.target(""))
                    .header(header::HOST, "localhost")
                    .body(Full::new(body.unwrap_or_default()))
                    .map_err(unsendable)?;
                let stream = UnixStream::connect(socket).await.map_err(|error| {
                    Failure::refused(format!("the server at {} went away: {error}", socket.display()))
                })?;
                remote::exchange(stream, request).await
            }
            Transport::Remote { base, token } => {
                let mut bearer =
                    HeaderValue::try_from(format!("Bearer {}", token.expose())).map_err(|_| {
                        Failure::refused("the admin token has characters that no header may have")
                    })?;
                bearer.set_sensitive(true);
                let request = request
                    .uri(path.target(base.path().trim_end_matches('/')))
                    .header(header::HOST, base.authority())
                    .header(header::AUTHORIZATION, bearer)
                    .body(Full::new(body.unwrap_or_default()))
                    .map_err(unsendable)?;
                remote::send(base, request).await
            }
        }
    }

    /// Lets go of the store, if it was opened here.
    pub(crate) async fn close(self) {
        if let Transport::Here { opened, .. } = self.0 {
            opened.app.store.close().await;
        }
    }
}

/// Whether a server listens on the socket. A socket that a killed server left behind does not count.
async fn server_answers(socket: &Path) -> Result<bool, Failure> {
    match UnixStream::connect(socket).await {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(false),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(Failure::refused(format!(
            "{} belongs to another user: run this as the user that the server runs as, or use --server with an admin token",
            socket.display()
        ))),
        Err(error) => Err(Failure::refused(format!("{} cannot be opened: {error}", socket.display()))),
    }
}

/// The configured admin token, or the one that the server made.
fn admin_token(settings: &Settings) -> Result<AdminToken, Failure> {
    use std::io::Read as _;
    if let Some(token) = &settings.admin_token {
        return Ok(token.clone());
    }
    let path = settings.data_dir.join(ADMIN_TOKEN_FILE);
    let mut text = zeroize::Zeroizing::new(String::new());
    std::fs::File::open(&path)
        .and_then(|file| file.take(MAX_TOKEN_FILE).read_to_string(&mut text))
        .map_err(|error| {
            Failure::refused(format!(
                "--server wants an admin token: set COUNTERSIGN_ADMIN_TOKEN or COUNTERSIGN_ADMIN_TOKEN_FILE ({}: {error})",
                path.display()
            ))
        })?;
    Ok(AdminToken::new(text.trim().to_owned()))
}

/// An error answer as a sentence.
async fn refusal(response: Response<Body>) -> Failure {
    let status = response.status();
    let header_text = |name| {
        response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned)
    };
    let (retry_after, location) = (header_text(header::RETRY_AFTER), header_text(header::LOCATION));
    if status.is_redirection() {
        return Failure::refused(format!(
            "the server points elsewhere ({}): name that place with --server",
            location.unwrap_or_else(|| status.to_string())
        ));
    }
    let body = match remote::collect(response.into_body()).await {
        Ok(bytes) => serde_json::from_slice::<Value>(&bytes).unwrap_or_default(),
        Err(failure) => return failure,
    };
    let described = body.get("error_description").and_then(Value::as_str);
    let code = body.get("error").and_then(Value::as_str);
    let sentence = match (described.or(code), status) {
        (Some(said), StatusCode::UNAUTHORIZED) => {
            format!(
                "{said}: give the server's admin token by COUNTERSIGN_ADMIN_TOKEN or COUNTERSIGN_ADMIN_TOKEN_FILE"
            )
        }
        (Some(said), _) => said.to_owned(),
        (None, _) => {
            format!("the answer is {status}, and not the admin API's: is this the management listener?")
        }
    };
    match retry_after {
        Some(seconds) => Failure::refused(format!("{sentence}; try again in {seconds} s")),
        None => Failure::refused(sentence),
    }
}
