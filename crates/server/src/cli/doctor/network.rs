//! The issuer, the clock, the running server and its listeners.

use serde_json::Value;
use url::{Host, Url};

use super::Findings;
use crate::cli::failure::Failure;
use crate::cli::healthcheck::reachable;
use crate::cli::remote;
use crate::cli::route::Route;
use crate::cli::show::member;
use crate::cli::transport::Admin;
use crate::cli::words;
use crate::config::Settings;
use crate::time::Timestamp;

/// A clock before 2026 is wrong: this program was made later. Milliseconds.
const EARLIEST: Timestamp = Timestamp(1_767_225_600_000);
/// A clock after 2100 is wrong as well. Milliseconds.
const LATEST: Timestamp = Timestamp(4_102_444_800_000);
/// More than this between two clocks makes tokens look expired or not yet valid, in seconds.
pub(super) const MAX_SKEW: u64 = 5;

/// Whether clients can mean the issuer that is configured.
pub(super) fn issuer(settings: &Settings, findings: &mut Findings) {
    const CHECK: &str = "issuer";
    let issuer = &settings.issuer;
    let loopback = Url::parse(issuer).is_ok_and(|url| match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    });
    if loopback {
        let found = format!("{issuer}, which only this machine can reach");
        findings.warn(CHECK, found, "before others use it, set issuer to the https URL that they reach");
    } else if issuer.starts_with("http://") {
        findings.fail(CHECK, format!("{issuer} is not encrypted"), "use https, by way of a reverse proxy");
    } else {
        findings.ok(CHECK, issuer.clone());
    }
}

/// Whether this machine knows what year it is.
pub(super) fn clock(now: Timestamp, findings: &mut Findings) {
    const CHECK: &str = "clock";
    let found = words::clock_time(now);
    if (EARLIEST..LATEST).contains(&now) {
        findings.ok(CHECK, found);
    } else {
        findings.fail(CHECK, found, "set the clock: timedatectl set-ntp true");
    }
}

/// The running server of this data directory, and what it says of itself.
pub(super) async fn server(settings: &Settings, now: Timestamp, findings: &mut Findings) -> Option<Admin> {
    const CHECK: &str = "server";
    let admin = match Admin::running(settings).await {
        Ok(Some(admin)) => admin,
        Ok(None) => {
            findings.ok(CHECK, "not running");
            return None;
        }
        Err(Failure::Refused(said)) => {
            findings.fail(CHECK, said, "run this as the user that the server runs as");
            return None;
        }
        Err(_) => return None,
    };
    match admin.get(&Route::to(&["status"])).await {
        Ok(status) => {
            judge_status(&status, settings, now, findings);
            Some(admin)
        }
        Err(Failure::Refused(said)) => {
            findings.fail(CHECK, format!("it listens on its socket but {said}"), "look into its log");
            None
        }
        Err(_) => None,
    }
}

fn judge_status(status: &Value, settings: &Settings, now: Timestamp, findings: &mut Findings) {
    const CHECK: &str = "server";
    let version = member(status, "version");
    let own = env!("CARGO_PKG_VERSION");
    if version == own {
        findings.ok(CHECK, format!("running, version {version}"));
    } else {
        let found = format!("running version {version}, while this is {own}");
        findings.warn(CHECK, found, "restart it with this version");
    }
    let issuer = member(status, "issuer");
    if issuer != settings.issuer && settings.issuer_configured {
        let found = format!("it is the issuer {issuer}, and the configuration says {}", settings.issuer);
        findings.warn(CHECK, found, "restart it, or run this with its configuration");
    }
    // The server tells the time of the store's clock: with PostgreSQL, the database's.
    if let Some(theirs) = words::parse(&member(status, "now")) {
        let skew = theirs.since(now).max(now.since(theirs)).as_secs();
        if skew > MAX_SKEW {
            let found = format!("the store's clock differs from this machine's by {skew} s");
            findings.fail("clock", found, "set both clocks by NTP");
        }
    }
}

/// Whether the listeners answer, or could be opened.
pub(super) async fn listeners(settings: &Settings, running: bool, findings: &mut Findings) {
    for (check, address) in [("listen", settings.listen), ("management_listen", settings.management_listen)] {
        if address.port() == 0 {
            findings.ok(check, "a port of the system's choice");
        } else if running {
            let here = reachable(address);
            match ready(&format!("http://{here}/readyz")).await {
                Ok(()) => findings.ok(check, format!("{address} answers that it is ready")),
                Err(said) => findings.fail(check, said, "look into the server's log"),
            }
        } else {
            match std::net::TcpListener::bind(address) {
                Ok(_) => findings.ok(check, format!("{address} is free")),
                Err(error) => findings.fail(
                    check,
                    format!("{address} cannot be opened: {error}"),
                    "stop the program that listens there, or choose another address",
                ),
            }
        }
    }
}

async fn ready(url: &str) -> Result<(), String> {
    let said = |failure| match failure {
        Failure::Refused(said) | Failure::Usage(said) => said,
        Failure::ClosedPipe | Failure::Said => "it does not answer".to_owned(),
    };
    let url = remote::base_url(url, true).map_err(said)?;
    let response = remote::send(&url, remote::get(&url).map_err(said)?).await.map_err(said)?;
    match response.status().is_success() {
        true => Ok(()),
        false => Err(format!("{url} answers {}", response.status())),
    }
}
