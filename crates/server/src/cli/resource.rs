//! `countersign resource`.

use clap::{Args, Subcommand};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::Context;
use super::failure::Failure;
use super::input;
use super::list::{self, Extent};
use super::route::Route;
use super::show::{self, Field, plain, time};
use super::transport::{Admin, Need};
use crate::keys::public_jwk;

/// APIs that have a key for their access tokens to be encrypted to.
#[derive(Debug, Subcommand)]
pub(crate) enum Resource {
    /// Registers an API's public key, or puts another in its place.
    Add(Add),
    /// Lists resources.
    List(List),
    /// One resource with its key.
    Show(One),
    /// Forgets a resource: no more encrypted tokens are made for it.
    Remove(One),
}

/// The arguments of `resource add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The audience of its access tokens, to the letter.
    audience: String,
    /// A file with its public key as a JWK (kty EC, crv P-256), or - for standard input. Never the
    /// private key: that stays at the API.
    #[arg(long, value_name = "FILE|-")]
    encryption_key: String,
}

/// The arguments of `resource list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    extent: Extent,
}

/// A resource.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// Its audience.
    audience: String,
}

const COLUMNS: [Field; 4] = [
    plain("audience", "audience"),
    plain("key", "encryption_key.kid"),
    time("added", "created_at"),
    time("key given", "changed_at"),
];

const FIELDS: [Field; 6] = [
    plain("audience", "audience"),
    plain("key", "encryption_key.kid"),
    plain("algorithm", "encryption_key.alg"),
    plain("curve", "encryption_key.crv"),
    time("added", "created_at"),
    time("key given", "changed_at"),
];

/// What follows from another key.
const REPLACED: &str = "Tokens that are out are encrypted to the key before: keep its private half at the API until the last of them has expired.";
/// What follows from none.
const REMOVED: &str = "Clients whose tokens are encrypted get none for this API any more; tokens that are out stay good until they expire.";

impl Resource {
    /// Does it.
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        // Before anything is sent anywhere: it may be a private key.
        let key = match &self {
            Self::Add(add) => Some(add.key()?),
            Self::List(_) | Self::Show(_) | Self::Remove(_) => None,
        };
        let need = if key.is_some() { Need::MayCreate } else { Need::Existing };
        let admin = Admin::connect(&context.global, need).await?;
        let outcome = self.with(context, &admin, key).await;
        admin.close().await;
        outcome
    }

    async fn with(self, context: &mut Context, admin: &Admin, key: Option<Value>) -> Result<(), Failure> {
        match self {
            Self::Add(Add { audience, .. }) => {
                let route = Route::to(&["resources", &audience]);
                let body = json!({"encryption_key": key});
                let (status, answer) = admin.call_for(Method::PUT, &route, Some(&body)).await?;
                let replaced = status != StatusCode::CREATED;
                one_resource(context, &answer, replaced.then_some(REPLACED))
            }
            Self::List(List { extent }) => {
                list::print(context, admin, &Route::to(&["resources"]), extent, &COLUMNS).await
            }
            Self::Show(One { audience }) => {
                let answer = admin.get(&Route::to(&["resources", &audience])).await?;
                one_resource(context, &answer, None)
            }
            Self::Remove(One { audience }) => {
                let route = Route::to(&["resources", &audience]);
                let answer = admin.call(Method::DELETE, &route, None).await?;
                one_resource(context, &answer, Some(REMOVED))
            }
        }
    }
}

impl Add {
    /// The key, as the server is going to have it.
    fn key(&self) -> Result<Value, Failure> {
        let text = input::document(&self.encryption_key)?;
        // What the parser complains of is left out: it could quote a private key.
        let given = serde_json::from_str(&text).unwrap_or(Value::Null);
        match public_jwk(&given) {
            Ok(jwk) => Ok(json!(jwk)),
            Err(problem) => Err(Failure::refused(format!("the key {problem}"))),
        }
    }
}

fn one_resource(context: &mut Context, answer: &Value, note: Option<&str>) -> Result<(), Failure> {
    match context.output.json {
        true => context.output.json(answer)?,
        false => show::thing(context, answer, &FIELDS)?,
    }
    if let Some(note) = note {
        context.output.note(note);
    }
    Ok(())
}
