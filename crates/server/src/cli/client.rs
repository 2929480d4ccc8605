//! `countersign client`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::durations::seconds;
use super::failure::Failure;
use super::list::{self, Extent};
use super::route::Route;
use super::show::{self, Field, flag, member, plain, seconds as lasting, time};
use super::transport::{Admin, Need};
use super::{Context, receipt};
use crate::store::{ClientKind, Rotation, TokenFormat};

/// Applications that get tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum Client {
    /// Adds a client; prints its secret once, if it has one.
    Add(Add),
    /// Lists clients.
    List(List),
    /// Everything about one client but its secrets.
    Show(One),
    /// Changes what is named and leaves the rest. Tokens that are out keep what they were given.
    Update(Update),
    /// Ends all that the client has, for good, and gives it nothing more.
    Disable(Ending),
    /// Lets a disabled client begin anew; what was ended stays ended.
    Enable(One),
    /// Removes the client and ends all that it has.
    Remove(Ending),
    /// Makes a new secret and prints it once; the old one goes on working for a while.
    RotateSecret(One),
}

/// The arguments of `client add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Its id: letters, digits, dot, underscore and hyphen.
    id: String,
    /// What it is, which decides its lifetimes and whether it can keep a secret.
    #[arg(long)]
    kind: ClientKind,
    /// It keeps no secret: the default of spa, native and cli.
    #[arg(long, conflicts_with = "confidential")]
    public: bool,
    /// It keeps a secret: the default of web and service.
    #[arg(long)]
    confidential: bool,
    #[command(flatten)]
    settings: Settings,
}

/// The arguments of `client update`.
#[derive(Debug, Args)]
#[command(after_help = "An empty value clears a list, a text or a tenant: --redirect-uri \"\"")]
pub(crate) struct Update {
    /// The client.
    id: String,
    #[command(flatten)]
    settings: Settings,
}

/// What can be chosen for a client, when it is added and later.
#[derive(Debug, Args)]
struct Settings {
    /// An exact redirect URI; may be given again.
    #[arg(long, value_name = "URI")]
    redirect_uri: Option<Vec<String>>,
    /// A scope that it may be granted, or several separated by spaces; may be given again.
    #[arg(long, value_name = "SCOPE")]
    scope: Option<Vec<String>>,
    /// Whom its access tokens are for; the first is the default. May be given again.
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<Vec<String>>,
    /// The form of its access tokens [default: jwt].
    #[arg(long, value_name = "FORMAT")]
    token_format: Option<TokenFormat>,
    /// What its JWTs are signed with: ES256, EdDSA or RS256 [default: the server's].
    #[arg(long, value_name = "ALG")]
    signing_alg: Option<String>,
    /// The only tenant whose users it serves.
    #[arg(long)]
    tenant: Option<String>,
    /// What a refresh does to the refresh token [default: rotate].
    #[arg(long)]
    rotation: Option<Rotation>,
    /// How long the refresh token before the current one is answered again, as 10s.
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    overlap: Option<u64>,
    /// The lifetime of its access tokens, as 10m.
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    access_lifetime: Option<u64>,
    /// The lifetime of a refresh token that is not used, as 12h.
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    idle_lifetime: Option<u64>,
    /// The lifetime of a session, however often it is refreshed, as 7d.
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    absolute_lifetime: Option<u64>,
    /// As --idle-lifetime, for sessions of users who asked to be remembered.
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    remember_idle_lifetime: Option<u64>,
    /// As --absolute-lifetime, for sessions of users who asked to be remembered.
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    remember_absolute_lifetime: Option<u64>,
    /// Permits access tokens that live longer than an hour.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    allow_long_access_tokens: Option<bool>,
    /// An audience whose tokens it may introspect, because it is that API; * is every one. May be
    /// given again.
    #[arg(long, value_name = "AUDIENCE")]
    introspects: Option<Vec<String>>,
    /// Personal data to put into its access tokens: username or email. May be given again.
    #[arg(long, value_name = "CLAIM")]
    extra_claim: Option<Vec<String>>,
    /// Its name as people know it [default: its id].
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// It is your own: nobody is asked for consent.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    first_party: Option<bool>,
    /// Accepts authorization requests without PKCE that have a nonce: for confidential clients that
    /// cannot send it.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    allow_missing_pkce: Option<bool>,
    /// With --allow-missing-pkce: the nonce may be missing too. Nothing then protects the client
    /// against an injected code.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    allow_missing_nonce: Option<bool>,
    /// Accepts authorization requests only when they were pushed.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    require_pushed_requests: Option<bool>,
    /// What its ID tokens are signed with: ES256, EdDSA or RS256 [default: the server's].
    #[arg(long, value_name = "ALG")]
    id_token_alg: Option<String>,
    /// Where a person may be sent after signing out; exact, and may be given again.
    #[arg(long, value_name = "URI")]
    post_logout_redirect_uri: Option<Vec<String>>,
    /// Where to tell that a session has ended.
    #[arg(long, value_name = "URI")]
    backchannel_logout_uri: Option<String>,
}

/// The arguments of `client list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Of this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Only clients that are enabled.
    #[arg(long, conflicts_with = "disabled")]
    enabled: bool,
    /// Only clients that are disabled.
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    extent: Extent,
}

/// A client.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// The client.
    id: String,
}

/// A client of which something is ended.
#[derive(Debug, Args)]
pub(crate) struct Ending {
    /// The client.
    id: String,
    /// Says what would be ended, and changes nothing.
    #[arg(long)]
    preview: bool,
}

const COLUMNS: [Field; 6] = [
    plain("client", "client_id"),
    plain("kind", "kind"),
    flag("type", "public", "public", "confidential"),
    flag("state", "enabled", "enabled", "disabled"),
    plain("scope", "scope"),
    time("added", "created_at"),
];

const FIELDS: [Field; 22] = [
    plain("client", "client_id"),
    plain("name", "name"),
    plain("kind", "kind"),
    flag("type", "public", "public", "confidential"),
    flag("state", "enabled", "enabled", "disabled"),
    plain("tenant", "tenant"),
    plain("scope", "scope"),
    plain("audience", "audience"),
    plain("redirect URIs", "redirect_uris"),
    plain("redirect URIs, signed out", "post_logout_redirect_uris"),
    plain("told of ended sessions", "backchannel_logout_uri"),
    flag("consent", "first_party", "not asked for: it is your own", "asked for"),
    plain("token format", "token_format"),
    plain("rotation", "rotation"),
    lasting("overlap", "overlap_seconds"),
    lasting("access tokens live", "effective_lifetimes.access"),
    lasting("refresh tokens, unused", "effective_lifetimes.idle"),
    lasting("sessions", "effective_lifetimes.absolute"),
    lasting("if remembered, unused", "effective_lifetimes.remember_idle"),
    lasting("if remembered, sessions", "effective_lifetimes.remember_absolute"),
    plain("changed from the kind's", "lifetimes"),
    time("added", "created_at"),
];

impl Client {
    /// Does it.
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let need = if matches!(self, Self::Add(_)) { Need::MayCreate } else { Need::Existing };
        let admin = Admin::connect(&context.global, need).await?;
        let outcome = self.with(context, &admin).await;
        admin.close().await;
        outcome
    }

    async fn with(self, context: &mut Context, admin: &Admin) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(context, admin).await,
            Self::List(list) => {
                let enabled = (list.enabled || list.disabled).then_some(list.enabled);
                let route =
                    Route::to(&["clients"]).with_some("tenant", list.tenant).with_some("enabled", enabled);
                list::print(context, admin, &route, list.extent, &COLUMNS).await
            }
            Self::Show(one) => {
                let client = admin.get(&Route::to(&["clients", &one.id])).await?;
                one_client(context, &client)
            }
            Self::Update(update) => {
                let body = Value::Object(update.settings.members());
                if body.as_object().is_some_and(Map::is_empty) {
                    return Err(Failure::Usage("name what to change: see client update --help".to_owned()));
                }
                let client = admin
                    .call(http::Method::PATCH, &Route::to(&["clients", &update.id]), Some(&body))
                    .await?;
                one_client(context, &client)
            }
            Self::Disable(ending) => {
                let route = Route::to(&["clients", &ending.id, "disable"]).preview(ending.preview);
                let answer = admin.post(&route, None).await?;
                receipt::print(context, &answer, &format!("client {} is disabled", ending.id))
            }
            Self::Enable(one) => {
                let answer = admin.post(&Route::to(&["clients", &one.id, "enable"]), None).await?;
                receipt::print(context, &answer, &format!("client {} is enabled", one.id))
            }
            Self::Remove(ending) => {
                let route = Route::to(&["clients", &ending.id]).preview(ending.preview);
                let answer = admin.call(http::Method::DELETE, &route, None).await?;
                receipt::print(context, &answer, &format!("client {} is removed", ending.id))
            }
            Self::RotateSecret(one) => {
                let answer = admin.post(&Route::to(&["clients", &one.id, "rotate-secret"]), None).await?;
                secret_answer(context, &answer)
            }
        }
    }
}

impl Add {
    async fn run(self, context: &mut Context, admin: &Admin) -> Result<(), Failure> {
        let mut body = self.settings.members();
        body.insert("id".to_owned(), json!(self.id));
        body.insert("kind".to_owned(), json!(self.kind));
        if self.public || self.confidential {
            body.insert("public".to_owned(), json!(self.public));
        }
        let answer = admin.post(&Route::to(&["clients"]), Some(&Value::Object(body))).await?;
        secret_answer(context, &answer)
    }
}

impl Settings {
    /// The members that were named.
    fn members(self) -> Map<String, Value> {
        let mut members = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            members.extend(value.map(|value| (name.to_owned(), value)));
        };
        put("redirect_uris", self.redirect_uri.map(list));
        put(
            "scope",
            self.scope.map(|parts| json!(parts.join(" ").split_whitespace().collect::<Vec<_>>().join(" "))),
        );
        put("audience", self.audience.map(list));
        put("token_format", self.token_format.map(|format| json!(format)));
        put("signing_alg", self.signing_alg.map(text));
        put("tenant", self.tenant.map(text));
        put("rotation", self.rotation.map(|rotation| json!(rotation)));
        put("overlap_seconds", self.overlap.map(|seconds| json!(seconds)));
        put("allow_long_access_tokens", self.allow_long_access_tokens.map(|allow| json!(allow)));
        put("introspects", self.introspects.map(list));
        put("extra_claims", self.extra_claim.map(list));
        put("name", self.name.map(text));
        put("first_party", self.first_party.map(|own| json!(own)));
        put("allow_missing_pkce", self.allow_missing_pkce.map(|allow| json!(allow)));
        put("allow_missing_nonce", self.allow_missing_nonce.map(|allow| json!(allow)));
        put("require_pushed_requests", self.require_pushed_requests.map(|require| json!(require)));
        put("id_token_alg", self.id_token_alg.map(text));
        put("post_logout_redirect_uris", self.post_logout_redirect_uri.map(list));
        put("backchannel_logout_uri", self.backchannel_logout_uri.map(text));
        let lifetimes: Map<String, Value> = [
            ("access", self.access_lifetime),
            ("idle", self.idle_lifetime),
            ("absolute", self.absolute_lifetime),
            ("remember_idle", self.remember_idle_lifetime),
            ("remember_absolute", self.remember_absolute_lifetime),
        ]
        .into_iter()
        .filter_map(|(name, seconds)| Some((name.to_owned(), json!(seconds?))))
        .collect();
        put("lifetimes", (!lifetimes.is_empty()).then_some(Value::Object(lifetimes)));
        members
    }
}

/// A text; an empty one goes back to the default.
fn text(value: String) -> Value {
    if value.is_empty() { Value::Null } else { Value::String(value) }
}

/// A list's values; a lone empty one clears it.
fn list(values: Vec<String>) -> Value {
    Value::Array(values.into_iter().filter(|value| !value.is_empty()).map(Value::String).collect())
}

fn one_client(context: &mut Context, answer: &Value) -> Result<(), Failure> {
    if context.output.json {
        return context.output.json(answer);
    }
    warnings(context, answer);
    show::thing(context, answer.get("client").unwrap_or(answer), &FIELDS)
}

/// The answer that holds a new secret: the only time that it is ever shown.
fn secret_answer(context: &mut Context, answer: &Value) -> Result<(), Failure> {
    let has_secret = answer.get("client_secret").is_some_and(|secret| !secret.is_null());
    if context.output.json {
        context.output.json(answer)?;
    } else {
        let mut rows = vec![("client".to_owned(), member(answer, "client_id"))];
        if has_secret {
            rows.push(("secret".to_owned(), member(answer, "client_secret")));
        }
        if let Some(until) = answer.get("old_secret_works_until").and_then(Value::as_str) {
            rows.push(("old secret works until".to_owned(), context.output.words.api_time(until)));
        }
        context.output.block(&rows)?;
    }
    warnings(context, answer);
    if has_secret {
        context.output.note("The secret is shown this once and kept only as a hash: put it away now.");
    }
    Ok(())
}

fn warnings(context: &mut Context, answer: &Value) {
    for warning in answer.get("warnings").and_then(Value::as_array).into_iter().flatten() {
        context.output.warn(&show::text(warning));
    }
}
