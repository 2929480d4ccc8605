//! `countersign restore`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::failure::Failure;
use super::transport::Admin;
use super::{Context, progress};
use crate::backup::{Restored, begin_epoch, restore};
use crate::config::Settings;

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
    #[arg(required_unless_present = "after_copy")]
    file: Option<PathBuf>,
    /// Leaves sessions and tokens of before the backup alive. What was revoked after it comes
    /// back to life; refresh tokens that were used after it are refused.
    #[arg(long)]
    keep_sessions: bool,
    /// Instead of a backup: the store itself is an old copy (of a file system snapshot, pg_dump,
    /// point-in-time recovery). Ends every session and token, the forgotten ones too.
    #[arg(long, conflicts_with_all = ["file", "keep_sessions"])]
    after_copy: bool,
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
        let Some(path) = &self.file else { return after_copy(context, &settings).await };
        let unreadable = |error| Failure::refused(format!("{} cannot be read: {error}", path.display()));
        let file = std::fs::File::open(path).map_err(unreadable)?;
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

/// The epoch rule for a store that something else has put back.
async fn after_copy(context: &mut Context, settings: &Settings) -> Result<(), Failure> {
    let refused = |error: &dyn std::fmt::Display| Failure::refused(error.to_string());
    let opened = crate::server::open_store(settings).await.map_err(|error| refused(&error))?;
    let begun = begin_epoch(opened.store.as_ref(), opened.clock.now()).await;
    opened.store.close().await;
    begun.map_err(|error| refused(&error))?;
    if context.output.json {
        context.output.json(&json!({"sessions_kept": false}))?;
    } else {
        context.output.line(ENDED)?;
    }
    Ok(())
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
