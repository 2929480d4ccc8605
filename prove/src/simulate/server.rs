//! The service as child processes of this program, and what is put into it through its admin API.

use std::fs::{DirBuilder, OpenOptions};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::session::HONEST_AGENT;
use crate::Outcome;

/// How long the service may take to be ready, and to stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time between two looks at a process.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Sessions of one user: under the service's limit for live ones.
const SESSIONS_PER_USER: usize = 50;
/// One for all nodes of a store, whatever their ports.
const ISSUER: &str = "http://127.0.0.1";
/// What the sessions are granted.
const SCOPE: &str = "read";

/// A client to add, by its rotation.
pub(crate) struct NewClient {
    pub(crate) id: &'static str,
    pub(crate) rotation: &'static str,
    pub(crate) overlap: Duration,
}

/// One node of the service; ended when it is dropped.
pub(crate) struct Server {
    child: Child,
    data_dir: PathBuf,
    database: Option<String>,
    public: SocketAddr,
    management: SocketAddr,
}

impl Server {
    /// Starts a node on free ports and waits until it is ready.
    pub(crate) async fn start(data_dir: &Path, database: Option<&str>) -> Outcome<Self> {
        let (public, management) = (free_address()?, free_address()?);
        let database = database.map(str::to_owned);
        let child = spawn(data_dir, database.as_deref(), public, management)?;
        let mut server = Self { child, data_dir: data_dir.to_owned(), database, public, management };
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// Its public address as a URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.public)
    }

    /// Ends the process, by SIGKILL or as an operator would, and starts it again at its addresses.
    pub(crate) async fn restart(&mut self, kill: bool) -> Outcome<()> {
        if kill {
            self.child.kill()?;
            self.child.wait()?;
        } else {
            kill_process(Pid::from_child(&self.child), Signal::TERM)?;
            let start = Instant::now();
            while self.child.try_wait()?.is_none() {
                if start.elapsed() > PATIENCE {
                    return Err("the service does not stop".into());
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        self.child = spawn(&self.data_dir, self.database.as_deref(), self.public, self.management)?;
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&mut self) -> Outcome<()> {
        let start = Instant::now();
        loop {
            if let Ok((200, _)) = call(self.public, "GET", "/readyz", None, None).await {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                let log = std::fs::read_to_string(self.data_dir.join("log")).unwrap_or_default();
                return Err(format!("the service ended: {status}\n{log}").into());
            }
            if start.elapsed() > PATIENCE {
                return Err("the service is not ready".into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn admin(&self, path: &str, body: &Value) -> Outcome<Value> {
        let token = std::fs::read_to_string(self.data_dir.join("admin-token"))?;
        let path = format!("/admin/v1{path}");
        match call(self.management, "POST", &path, Some(token.trim()), Some(body)).await? {
            (200..300, answer) => Ok(answer),
            (status, answer) => Err(format!("the admin API answered {path} with {status}: {answer}").into()),
        }
    }

    /// Adds a public client.
    pub(crate) async fn add_client(&self, client: &NewClient) -> Outcome<()> {
        let body = json!({
            "id": client.id, "kind": "native", "scope": SCOPE, "audience": ["https://api.example"],
            "redirect_uris": ["http://127.0.0.1/callback"], "rotation": client.rotation,
            "overlap_seconds": client.overlap.as_secs(),
        });
        self.admin("/clients", &body).await.map(|_| ())
    }

    /// Starts so many sessions of a client, with users of their own; gives the refresh tokens.
    pub(crate) async fn add_sessions(&self, client: &str, count: usize) -> Outcome<Vec<String>> {
        let mut tokens = Vec::with_capacity(count);
        for index in 0..count {
            let user = format!("{client}-{}", index / SESSIONS_PER_USER);
            if index % SESSIONS_PER_USER == 0 {
                self.admin("/users", &json!({"username": user})).await?;
            }
            // From the place that the refreshes will come from.
            let body = json!({"user": user, "client": client, "network": "127.0.0.0/24", "user_agent": HONEST_AGENT});
            let answer = self.admin("/sessions", &body).await?;
            let token = answer.get("refresh_token").and_then(Value::as_str);
            tokens.push(token.ok_or("a session without a refresh token")?.to_owned());
        }
        Ok(tokens)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already, perhaps.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Nothing but these flags configures the node: no environment, no file.
fn spawn(
    data_dir: &Path,
    database: Option<&str>,
    public: SocketAddr,
    management: SocketAddr,
) -> Outcome<Child> {
    let log = OpenOptions::new().create(true).append(true).open(data_dir.join("log"))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("countersign").arg("--data-dir").arg(data_dir);
    if let Some(database) = database {
        command.args(["--database", database]);
    }
    command
        .args(["serve", "--issuer", ISSUER])
        .args(["--listen", &public.to_string(), "--management-listen", &management.to_string()])
        .env_clear()
        .current_dir(data_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    Ok(command.spawn()?)
}

async fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    bearer: Option<&str>,
    body: Option<&Value>,
) -> Outcome<(u16, Value)> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(driver);
    let mut request = http::Request::builder().method(method).uri(path).header("host", address.to_string());
    if let Some(bearer) = bearer {
        request = request.header("authorization", format!("Bearer {bearer}"));
    }
    let bytes = match body {
        Some(body) => {
            request = request.header("content-type", "application/json");
            body.to_string()
        }
        None => String::new(),
    };
    let response = sender.send_request(request.body(Full::new(Bytes::from(bytes)))?).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// A node's data directory. A further node of one store needs the first one's key.
pub(crate) fn make_directory(data_dir: &Path, first: Option<&Path>) -> Outcome<()> {
    DirBuilder::new().mode(0o700).create(data_dir)?;
    if let Some(first) = first {
        // The copy has the rights of the original: readable by the owner alone.
        std::fs::copy(first.join("kek"), data_dir.join("kek"))?;
    }
    Ok(())
}
