//! `countersign key`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::Context;
use super::failure::Failure;
use super::list;
use super::route::Route;
use super::show::{Field, plain, time};
use super::transport::{Admin, Need};

/// Signing keys, and the keys of refresh and opaque tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Lists keys: their purpose, their state and when they change it.
    List,
    /// Makes new keys ahead of their time. Tokens that are out stay good: old keys go on
    /// verifying as long as a token made with them can live.
    Rotate(Rotate),
}

/// The arguments of `key rotate`.
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// Only for this purpose, as `key list` names it: sign-ES256, refresh, opaque.
    #[arg(long)]
    purpose: Option<String>,
    /// The new keys make tokens at once, before others have had time to fetch them: for a key
    /// that is no longer secret.
    #[arg(long)]
    immediately: bool,
}

const COLUMNS: [Field; 7] = [
    plain("key", "id"),
    plain("purpose", "purpose"),
    plain("number", "number"),
    plain("state", "state"),
    time("made", "created_at"),
    time("active", "active_at"),
    time("expires", "expires_at"),
];

/// What follows when a new key is used before others know it.
const IMMEDIATELY: &str = "Resource servers that keep the key set fetch it again when they meet the new key. The old keys still verify: to end their tokens, use `countersign revoke everything`.";

impl Key {
    /// Does it.
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let admin = Admin::connect(&context.global, Need::Existing).await?;
        let outcome = match self {
            Self::List => admin.get(&Route::to(&["keys"])).await.map(|answer| (answer, false)),
            Self::Rotate(rotate) => rotate.run(&admin).await.map(|answer| (answer, rotate.immediately)),
        };
        admin.close().await;
        let (answer, immediately) = outcome?;
        if context.output.json {
            context.output.json(&answer)?;
        } else {
            list::table(context, list::items(&answer)?, &COLUMNS)?;
        }
        if immediately {
            context.output.note(IMMEDIATELY);
        }
        Ok(())
    }
}

impl Rotate {
    async fn run(&self, admin: &Admin) -> Result<Value, Failure> {
        let mut body = Map::new();
        if let Some(purpose) = &self.purpose {
            body.insert("purpose".to_owned(), json!(purpose));
        }
        if self.immediately {
            body.insert("immediately".to_owned(), json!(true));
        }
        admin.post(&Route::to(&["keys", "rotate"]), Some(&Value::Object(body))).await
    }
}
