//! `countersign backup`.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use axum::body::Body;
use clap::Args;
use http_body_util::BodyExt as _;
use serde_json::json;

use super::failure::Failure;
use super::route::Route;
use super::transport::{Admin, Need};
use super::{Context, progress};
use crate::backup::{Checker, Summary};

/// Writes everything that the store holds into a file, while the server goes on.
///
/// The file is engine-neutral: a backup of SQLite restores into PostgreSQL and the other way
/// round. It holds the private keys sealed under the key-encryption key, and not that key: keep a
/// copy of it (the file `kek` of the data directory, or the value that you configured) in another
/// place, because a backup without it cannot be used. It also holds users' names and addresses.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Where to; - is standard output. Written beside it first, so that FILE is whole or not there.
    file: PathBuf,
    /// Replaces FILE if it is there.
    #[arg(long)]
    force: bool,
}

/// What is said after every backup.
const WITHOUT_KEK: &str = "The backup holds the private keys sealed, and not the key-encryption key that opens them: keep a copy of that (the file kek of the data directory, or the configured value) in another place.";

impl Backup {
    /// Writes it.
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        if self.file == Path::new("-") {
            let admin = Admin::connect(&context.global, Need::Existing).await?;
            let outcome = to_output(context, &admin).await;
            admin.close().await;
            return outcome;
        }
        if self.file.exists() && !self.force {
            return Err(Failure::refused(format!(
                "{} is there already: name another file, or replace it with --force",
                self.file.display()
            )));
        }
        let admin = Admin::connect(&context.global, Need::Existing).await?;
        let outcome = self.to_file(&admin).await;
        admin.close().await;
        self.report(context, &outcome?)
    }

    async fn to_file(&self, admin: &Admin) -> Result<Summary, Failure> {
        let mut partial = self.file.clone().into_os_string();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let written = async {
            let mut file = create(&partial)?;
            let summary = receive(admin, |bytes| Ok(file.write_all(bytes)?)).await?;
            file.sync_all()?;
            std::fs::rename(&partial, &self.file)?;
            let directory = match self.file.parent() {
                Some(parent) if parent != Path::new("") => parent,
                _ => Path::new("."),
            };
            // The new name must last as well.
            File::open(directory)?.sync_all()?;
            Ok(summary)
        };
        let outcome = written.await;
        if outcome.is_err() {
            // What is left of it is of no use; the error says what went wrong.
            let _ = std::fs::remove_file(&partial);
        }
        outcome.map_err(|failure| match failure {
            // Not our reader's pipe but the file's own trouble.
            Failure::ClosedPipe => Failure::refused(format!("{} cannot be written", self.file.display())),
            other => other,
        })
    }

    fn report(&self, context: &mut Context, summary: &Summary) -> Result<(), Failure> {
        let rows = &summary.trailer.rows;
        if context.output.json {
            context.output.json(&json!({
                "file": self.file.display().to_string(), "bytes": summary.bytes, "rows": rows,
                "sha256": summary.trailer.sha256, "created_at": summary.header.created_at,
                "engine": summary.header.engine,
            }))?;
        } else {
            let total: u64 = rows.values().sum();
            context.output.line(&format!(
                "{}: {total} rows, {} bytes, whole.",
                self.file.display(),
                summary.bytes
            ))?;
        }
        context.output.note(WITHOUT_KEK);
        Ok(())
    }
}

async fn to_output(context: &mut Context, admin: &Admin) -> Result<(), Failure> {
    let output = &mut context.output;
    receive(admin, |bytes| output.raw(bytes)).await?;
    context.output.note(WITHOUT_KEK);
    Ok(())
}

/// Takes the stream, checks that it is whole, and hands every piece on.
async fn receive(
    admin: &Admin,
    mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<Summary, Failure> {
    let response = admin.send(http::Method::GET, &Route::to(&["backup"]), None).await?;
    let mut body: Body = response.into_body();
    let bar = progress::bar("backup", None);
    let mut checker = Checker::default();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::refused(format!("the backup broke off: {error}")))?;
        let Ok(bytes) = frame.into_data() else { continue };
        checker.push(&bytes).map_err(|error| Failure::refused(error.to_string()))?;
        take(&bytes)?;
        bar.inc(bytes.len() as u64);
    }
    bar.finish_and_clear();
    checker.finish().map_err(|error| Failure::refused(error.to_string()))
}

/// A new file that its owner alone can read.
fn create(path: &Path) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // One that was left behind may have other rights, or be a link to somewhere.
        let _ = std::fs::remove_file(path);
        options.mode(0o600).create_new(true);
    }
    options
        .open(path)
        .map_err(|error| Failure::refused(format!("{} cannot be written: {error}", path.display())))
}
