//! `countersign restore`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::failure::Failure;
use super::transport::Admin;
use super::{Context, progress};
use crate::backup::{Restored, restore};

/// Fills an empty store from a backup; no server may run on it.
///
/// Afterwards every session and token that was minted before is ended, and users sign in again:
/// the backup does not know which refresh tokens were spent and what was revoked after it was
/// made. --keep-sessions leaves them alive.
///
/// The private keys in a backup open with the key-encryption key that they were sealed under:
/// put that in place (the file `kek` of the old data directory, or the configured value) before
/// the server starts.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup.
    file: PathBuf,
    /// Leaves sessions and tokens of before the backup alive. What was revoked after it comes
    /// back to life; refresh tokens that were used after it are refused.
    #[arg(long)]
    keep_sessions: bool,
}

/// What the epoch rule means to people.
const ENDED: &str = "Every session and token that was minted before is ended: users sign in again, and services fetch new tokens.";
/// What its absence means.
const KEPT: &str = "Sessions and tokens of before the backup are alive. What was revoked after the backup was made is alive again too: revoke it once more. Clients that refreshed after it find their refresh tokens refused.";

impl Restore {
    /// Restores.
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        if context.global.server.is_some() {
            return Err(Failure::Usage(
                "restore fills a store, not a running server: leave --server out".to_owned(),
            ));
        }
        let settings = context.global.settings()?;
        if Admin::running(&settings).await?.is_some() {
            return Err(Failure::refused(format!(
                "a server runs on {}: stop it first, and restore into a new data directory or database",
                settings.data_dir.display()
            )));
        }
        let unreadable = |error| Failure::refused(format!("{} cannot be read: {error}", self.file.display()));
        let file = std::fs::File::open(&self.file).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let opened = crate::server::open_store(&settings)
            .await
            .map_err(|error| Failure::refused(error.to_string()))?;
        // It is read twice: once to see that it is whole, once to restore it.
        let bar = progress::bar("restore", Some(length.saturating_mul(2)));
        let now = opened.clock.now();
        let outcome =
            restore(opened.store.as_ref(), file, self.keep_sessions, now, &|bytes| bar.inc(bytes)).await;
        bar.finish_and_clear();
        opened.store.close().await;
        let restored = outcome.map_err(|error| Failure::refused(error.to_string()))?;
        report(context, &restored)
    }
}

fn report(context: &mut Context, restored: &Restored) -> Result<(), Failure> {
    let Restored { summary, ended } = restored;
    if context.output.json {
        context.output.json(&json!({
            "rows": summary.trailer.rows, "created_at": summary.header.created_at,
            "engine": summary.header.engine, "sessions_kept": !ended,
        }))?;
    } else {
        let total: u64 = summary.trailer.rows.values().sum();
        let from = context.output.words.api_time(&summary.header.created_at);
        context.output.line(&format!(
            "Restored {total} rows of a backup from {from}, made from {}.",
            summary.header.engine
        ))?;
        context.output.line(if *ended { ENDED } else { KEPT })?;
    }
    context.output.note(
        "Before the server starts, put the key-encryption key in place that the backup's keys were sealed under.",
    );
    Ok(())
}
