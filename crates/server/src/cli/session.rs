//! `countersign session`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::list::{self, Extent};
use super::route::Route;
use super::show::{self, Field, member, plain, seconds, time};
use super::transport::{Admin, Need};
use super::{Context, explain, receipt};

/// What a user has with a client on a device.
#[derive(Debug, Subcommand)]
pub(crate) enum Session {
    /// Starts a session and prints its tokens: for a back end that has authenticated the user.
    Add(Add),
    /// Lists sessions, newest first.
    List(List),
    /// One session as it is now.
    Show(One),
    /// What happened to a session, and why it ended if it did.
    Explain(One),
    /// Ends a session and all tokens of it.
    Revoke(Ending),
}

/// The arguments of `session add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The user's name or id.
    #[arg(long)]
    user: String,
    /// The client.
    #[arg(long)]
    client: String,
    /// What is granted, separated by spaces [default: all that the client may have].
    #[arg(long)]
    scope: Option<String>,
    /// A resource that the access token is for (RFC 8707); may be given again.
    #[arg(long = "resource", value_name = "URI")]
    resources: Vec<String>,
    /// The user asked to be remembered: longer lifetimes.
    #[arg(long)]
    remember: bool,
    /// A name for the device, as "Ana's phone".
    #[arg(long, value_name = "LABEL")]
    device: Option<String>,
    /// When the user authenticated, as 2026-11-23T06:39:10Z [default: now].
    #[arg(long, value_name = "TIME")]
    auth_time: Option<String>,
    /// How well the user was authenticated: the acr claim.
    #[arg(long)]
    acr: Option<String>,
    /// A method of authentication (RFC 8176), as pwd or otp; may be given again.
    #[arg(long, value_name = "METHOD")]
    amr: Vec<String>,
    /// The user's network address.
    #[arg(long, value_name = "ADDRESS")]
    network: Option<String>,
    /// The user agent.
    #[arg(long, value_name = "TEXT")]
    user_agent: Option<String>,
}

/// The arguments of `session list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Of this user: a name or an id.
    #[arg(long)]
    user: Option<String>,
    /// Of this client.
    #[arg(long)]
    client: Option<String>,
    /// Only sessions that are alive.
    #[arg(long, conflicts_with = "ended")]
    live: bool,
    /// Only sessions that are not.
    #[arg(long)]
    ended: bool,
    #[command(flatten)]
    extent: Extent,
}

/// A session.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// The session's id: the sid of its tokens.
    sid: String,
}

/// A session to end.
#[derive(Debug, Args)]
pub(crate) struct Ending {
    /// The session's id: the sid of its tokens.
    sid: String,
    /// Says what would be ended, and changes nothing.
    #[arg(long)]
    preview: bool,
}

const COLUMNS: [Field; 7] = [
    plain("session", "session_id"),
    plain("user", "username"),
    plain("client", "client_id"),
    plain("status", "status"),
    plain("device", "device"),
    time("started", "created_at"),
    time("last used", "rotated_at"),
];

const FIELDS: [Field; 12] = [
    plain("session", "session_id"),
    plain("status", "status"),
    plain("user", "username"),
    plain("client", "client_id"),
    plain("scope", "scope"),
    plain("audience", "audience"),
    plain("device", "device"),
    time("started", "created_at"),
    time("last used", "rotated_at"),
    time("expires if unused", "idle_expires_at"),
    time("expires at the latest", "expires_at"),
    time("ended", "ended_at"),
];

const TOKENS: [Field; 8] = [
    plain("session", "session_id"),
    plain("access token", "access_token"),
    plain("token type", "token_type"),
    seconds("expires in", "expires_in"),
    plain("scope", "scope"),
    plain("refresh token", "refresh_token"),
    seconds("if unused, expires in", "refresh_token_expires_in"),
    seconds("in any case, expires in", "authorization_expires_in"),
];

impl Session {
    /// Does it.
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let admin = Admin::connect(&context.global, Need::Existing).await?;
        let outcome = self.with(context, &admin).await;
        admin.close().await;
        outcome
    }

    async fn with(self, context: &mut Context, admin: &Admin) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(context, admin).await,
            Self::List(list) => {
                let live = (list.live || list.ended).then_some(list.live);
                let route = Route::to(&["sessions"])
                    .with_some("user", list.user)
                    .with_some("client", list.client)
                    .with_some("live", live);
                list::print(context, admin, &route, list.extent, &COLUMNS).await
            }
            Self::Show(one) => {
                let answer = admin.get(&Route::to(&["sessions", &one.sid])).await?;
                if context.output.json {
                    return context.output.json(&answer);
                }
                show::thing(context, answer.get("session").unwrap_or(&answer), &FIELDS)
            }
            Self::Explain(one) => {
                let answer = admin.get(&Route::to(&["sessions", &one.sid, "explain"])).await?;
                explain::print(context, &answer)
            }
            Self::Revoke(ending) => {
                let route = Route::to(&["sessions", &ending.sid, "revoke"]).preview(ending.preview);
                let answer = admin.post(&route, None).await?;
                receipt::print(context, &answer, &format!("session {} is ended", ending.sid))
            }
        }
    }
}

impl Add {
    async fn run(self, context: &mut Context, admin: &Admin) -> Result<(), Failure> {
        let mut body = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            body.extend(value.map(|value| (name.to_owned(), value)));
        };
        put("user", Some(json!(self.user)));
        put("client", Some(json!(self.client)));
        put("scope", self.scope.map(Value::String));
        put("resource", (!self.resources.is_empty()).then(|| json!(self.resources)));
        put("remember", self.remember.then_some(Value::Bool(true)));
        put("device", self.device.map(Value::String));
        put("auth_time", self.auth_time.map(Value::String));
        put("acr", self.acr.map(Value::String));
        put("amr", (!self.amr.is_empty()).then(|| json!(self.amr)));
        put("network", self.network.map(Value::String));
        put("user_agent", self.user_agent.map(Value::String));
        let answer = admin.post(&Route::to(&["sessions"]), Some(&Value::Object(body))).await?;
        if context.output.json {
            context.output.json(&answer)?;
        } else {
            show::thing(context, &answer, &TOKENS)?;
        }
        if !member(&answer, "refresh_token").is_empty() {
            context.output.note("The tokens are shown this once: the store has no copy of them.");
        }
        Ok(())
    }
}
