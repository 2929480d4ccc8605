//! From a database URL to connections that behave: with TLS where it is due, durable commits, and
//! no wait without an end.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{classify, unavailable};
use crate::store::{StoreError, StoreResult};

/// An idle connection is probed after this time, and this often again.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// Probes without an answer that end a connection.
const KEEPALIVE_PROBES: u32 = 3;
/// After how many times the deadline of a call the server gives its statement up by itself, or a
/// transaction in which nothing happens: later than any caller waits, never earlier. A commit that
/// waits for a synchronous standby and is cancelled on the server is reported as done, with a mere
/// warning; it must be the caller who gives up first and knows nothing.
const GIVEN_UP_AFTER_DEADLINES: u32 = 2;

/// Settings that help and that not every engine or system has: what a caller has given up, the
/// server drops too, rather than to wait for a lock in its name.
const COMMON_ADVICE: &str = "SET client_connection_check_interval = '2s'";

/// How to reach the database.
#[derive(Clone)]
pub(super) struct Target {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    deadline: Duration,
}

impl Target {
    /// Reads the URL; `deadline` is that of every call. `sslmode` may be `disable`, `prefer`, `require`, `verify-ca` or
    /// `verify-full`; the last three are one here, because encryption to a server that nobody
    /// checked protects against nothing that a database connection meets.
    pub(super) fn parse(url: &str, deadline: Duration) -> StoreResult<Self> {
        let (url, asked) = take_sslmode(url);
        // The driver's own message quotes the URL's parts, and one of them may be a password.
        let mut config = Config::from_str(&url)
            .map_err(|_| refused("the database URL is not of the form postgres://user@host/database"))?;
        let local =
            config.get_hosts().iter().all(is_local) && config.get_hostaddrs().iter().all(IpAddr::is_loopback);
        let encrypted = match asked.as_deref() {
            Some("require" | "verify-ca" | "verify-full") => true,
            Some("disable") => false,
            None | Some("prefer" | "allow") if local => false,
            None | Some("prefer" | "allow") => {
                return Err(refused(
                    "the database is on another machine: add sslmode=verify-full to its URL, \
                     or sslmode=disable when the network between is yours alone",
                ));
            }
            Some(_) => return Err(refused("sslmode is disable, prefer, require, verify-ca or verify-full")),
        };
        config
            .ssl_mode(if encrypted { SslMode::Require } else { SslMode::Disable })
            .application_name("countersign")
            .connect_timeout(deadline)
            // Data sent and not acknowledged for so long ends a connection.
            .tcp_user_timeout(deadline)
            .keepalives_idle(KEEPALIVE)
            .keepalives_interval(KEEPALIVE)
            .keepalives_retries(KEEPALIVE_PROBES);
        let tls = if encrypted { Some(tls()?) } else { None };
        Ok(Self { config, tls, deadline })
    }

    /// Longest time that a call takes.
    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The pool's way to make connections.
    pub(super) fn manager(&self) -> deadpool_postgres::Manager {
        // Fast: a connection is looked at, not asked, before it is used again. One that died
        // since fails its first call, as it would if it died a moment later.
        let config =
            deadpool_postgres::ManagerConfig { recycling_method: deadpool_postgres::RecyclingMethod::Fast };
        match &self.tls {
            Some(tls) => deadpool_postgres::Manager::from_config(self.config.clone(), tls.clone(), config),
            None => deadpool_postgres::Manager::from_config(self.config.clone(), NoTls, config),
        }
    }

    /// A connection of one's own, with what the server says without being asked.
    pub(super) async fn connect_alone(&self) -> StoreResult<(Client, Unasked)> {
        let connect = async {
            match &self.tls {
                Some(tls) => self
                    .config
                    .connect(tls.clone())
                    .await
                    .map(|(client, connection)| (client, drive(connection))),
                None => {
                    self.config.connect(NoTls).await.map(|(client, connection)| (client, drive(connection)))
                }
            }
        };
        match tokio::time::timeout(self.deadline, connect).await {
            Ok(result) => result.map_err(|error| classify(&error).into()),
            Err(_) => Err(unavailable("PostgreSQL did not answer in time").into()),
        }
    }
}

/// Messages that the server sends unasked: notifications and notices.
pub(super) type Unasked = tokio::sync::mpsc::UnboundedReceiver<tokio_postgres::AsyncMessage>;

/// Keeps a connection going until it ends or nobody listens to it any more.
fn drive<S>(mut connection: tokio_postgres::Connection<tokio_postgres::Socket, S>) -> Unasked
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (send, receive) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
            if send.send(message).is_err() {
                return;
            }
        }
    });
    receive
}

/// Settings of every connection.
///
/// An answer is sent after durability, so commits are synchronous whatever the server's default
/// is; only where that is stronger still (`remote_apply`) it stays. Read committed, because every
/// gate stands in the statement that it guards.
pub(super) async fn prepare(
    client: &Client,
    settings: &str,
    deadline: Duration,
) -> Result<(), tokio_postgres::Error> {
    client
        .batch_execute(&format!(
            "SELECT set_config('synchronous_commit', 'on', false)
             WHERE current_setting('synchronous_commit', true) NOT IN ('on', 'remote_apply');
             SET default_transaction_isolation = 'read committed';
             SET statement_timeout = {0};
             SET idle_in_transaction_session_timeout = {0}",
            (deadline * GIVEN_UP_AFTER_DEADLINES).as_millis(),
        ))
        .await?;
    for setting in COMMON_ADVICE.split(';').chain(settings.split(';')).filter(|s| !s.is_empty()) {
        // Advice; an engine that does not know it goes without.
        if let Err(error) = client.batch_execute(setting).await
            && error.is_closed()
        {
            return Err(error);
        }
    }
    Ok(())
}

/// The URL without its `sslmode`, and that: the driver knows fewer modes than there are.
fn take_sslmode(url: &str) -> (String, Option<String>) {
    let Some((base, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let mut asked = None;
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| match pair.strip_prefix("sslmode=") {
            Some(mode) => {
                asked = Some(mode.to_owned());
                false
            }
            None => true,
        })
        .collect();
    let url = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    (url, asked)
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost"
                || name.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// TLS with the machine's own list of authorities; `SSL_CERT_FILE` names another.
fn tls() -> StoreResult<MakeRustlsConnect> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(refused("no certificate authority is known on this machine: set SSL_CERT_FILE"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(&format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn refused(why: &str) -> StoreError {
    StoreError::Broken(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encrypted(url: &str) -> Option<bool> {
        Target::parse(url, Duration::from_secs(1)).ok().map(|target| target.tls.is_some())
    }

    #[test]
    fn tls_is_left_out_only_where_no_network_is_or_where_it_was_said() {
        assert_eq!(encrypted("postgres://u@localhost/db"), Some(false));
        assert_eq!(encrypted("postgres://u@127.0.0.1/db?sslmode=prefer"), Some(false));
        assert_eq!(encrypted("postgres:///db?host=/run/postgresql&user=u"), Some(false));
        assert_eq!(encrypted("postgres://u@db.example/db"), None);
        assert_eq!(encrypted("postgres://u@db.example/db?sslmode=prefer"), None);
        assert_eq!(encrypted("postgres://u@db.example/db?sslmode=disable"), Some(false));
        assert_eq!(encrypted("postgres://u@db.example/db?connect_timeout=1&sslmode=sideways"), None);
    }

    #[test]
    fn a_url_that_is_refused_is_not_quoted() {
        let error = Target::parse("postgres://u:pa55word@host:port/db", Duration::from_secs(1))
            .err()
            .unwrap()
            .to_string();
        assert!(!error.contains("pa55word"), "{error}");
    }
}
