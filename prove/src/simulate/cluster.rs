//! A PostgreSQL of the run's own: a fresh cluster in a temporary directory.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::Outcome;

/// What keeps the server: it makes the cluster, starts it, says `done`, and when its standard
/// input ends, as it does with this process, stops it and removes the directory.
const KEEPER: &str = r#"
trap '' INT TERM HUP PIPE
ctl() { "$BIN/pg_ctl" -D "$DIR/data" -l "$DIR/log" -s "$@" >>"$DIR/log" 2>&1; }
if "$BIN/initdb" --no-sync --no-locale -E UTF8 -A trust -U postgres -D "$DIR/data" >"$DIR/log" 2>&1 \
    && ctl -w -t 60 -o "$OPTIONS" start
then echo done
else cat "$DIR/log"; echo failed
fi
read -r _
ctl -w -m immediate stop
rm -rf "$DIR"
"#;

/// A cluster, ended when it is dropped.
pub(crate) struct Cluster {
    keeper: Child,
    directory: PathBuf,
}

impl Cluster {
    /// Makes and starts one, durable as an operator's would be.
    pub(crate) fn start() -> Outcome<Self> {
        let bin = binaries()?;
        let directory = tempfile::Builder::new().prefix("countersign-pg-").tempdir()?.keep();
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories={} -c max_connections=200 -c timezone=UTC",
            directory.display()
        );
        let mut command = Command::new("sh");
        if let Some((uid, gid)) = unprivileged(&directory)? {
            command.uid(uid).gid(gid);
        }
        let mut keeper = command
            .args(["-c", KEEPER])
            .current_dir("/")
            .env("BIN", bin)
            .env("DIR", &directory)
            .env("OPTIONS", options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut answers = BufReader::new(keeper.stdout.take().ok_or("the keeper has no output")?);
        let cluster = Self { keeper, directory };
        let mut said = String::new();
        answers.read_line(&mut said)?;
        if said.trim_end() != "done" {
            answers.read_to_string(&mut said)?;
            return Err(format!("PostgreSQL did not start:\n{said}").into());
        }
        Ok(cluster)
    }

    /// The URL of its one database, over its socket.
    pub(crate) fn url(&self) -> String {
        format!("postgres:///postgres?user=postgres&host={}", self.directory.display())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // The keeper removes what it made; a failure to would leave a temporary directory.
        let _ = self.keeper.wait();
    }
}

/// Where initdb is: in PATH, or the newest of those that Debian keeps out of it.
fn binaries() -> Outcome<PathBuf> {
    let on_path = Command::new("sh").args(["-c", "command -v initdb"]).output()?;
    if on_path.status.success() {
        let found = PathBuf::from(String::from_utf8_lossy(&on_path.stdout).trim()).canonicalize()?;
        return Ok(found.parent().ok_or("initdb is in no directory")?.to_owned());
    }
    let version = |bin: &PathBuf| bin.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .max_by_key(version)
        .ok_or_else(|| "PostgreSQL's programs (initdb) are not installed: give --database".into())
}

/// PostgreSQL refuses to run as root: root gives the directory to another user.
fn unprivileged(directory: &Path) -> Outcome<Option<(u32, u32)>> {
    if std::fs::metadata(directory)?.uid() != 0 {
        return Ok(None);
    }
    let id = |flag: &str, name: &str| -> Option<u32> {
        let output = Command::new("id").args([flag, name]).output().ok()?;
        String::from_utf8_lossy(&output.stdout).trim().parse().ok()
    };
    let ids = ["postgres", "nobody"].iter().find_map(|name| Some((id("-u", name)?, id("-g", name)?)));
    let (uid, gid) = ids.ok_or("root needs a user `postgres` or `nobody` to run PostgreSQL as")?;
    chown(directory, Some(uid), Some(gid))?;
    Ok(Some((uid, gid)))
}
