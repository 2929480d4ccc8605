//! `countersign user`.

mod person;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::list::{self, Extent};
use super::route::Route;
use super::show::{self, Field, flag, plain, time};
use super::transport::{Admin, Need};
use super::{Context, input, receipt};
use person::{Claims, Set};

/// People who have tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Adds a user.
    Add(Add),
    /// Lists users.
    List(List),
    /// Everything about one user but the password: second factors, browser sessions and consents
    /// too.
    Show(One),
    /// Sets the address and what clients may be told of the person, and leaves the rest.
    Set(Set),
    /// Ends all that the user has, for good, and gives nothing more.
    Disable(Ending),
    /// Lets a disabled user sign in again; what was ended stays ended.
    Enable(One),
    /// Removes the user and ends all that the user has.
    Remove(Ending),
    /// Sets the password and signs the user out everywhere.
    Passwd(Passwd),
    /// Ends all sessions of the user, in applications and browsers.
    SignOut(Ending),
    /// Takes all second factors and recovery codes from a user who has lost them, and signs the
    /// user out everywhere.
    ResetFactors(Ending),
    /// Sets the user's roles. Taking one away ends all sessions of the user.
    Roles(Roles),
}

/// The arguments of `user add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The name to sign in with.
    name: String,
    /// The address.
    #[arg(long)]
    email: Option<String>,
    /// Reads the password from standard input; without one, a back end signs the user in.
    #[arg(long)]
    password_stdin: bool,
    /// The tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// A role; may be given again.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// The address was found to be the person's.
    #[arg(long, requires = "email")]
    email_verified: bool,
    #[command(flatten)]
    claims: Claims,
}

/// The arguments of `user list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Of this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Whose name begins so.
    #[arg(long, value_name = "PREFIX")]
    name: Option<String>,
    /// Only users who are enabled.
    #[arg(long, conflicts_with = "disabled")]
    enabled: bool,
    /// Only users who are disabled.
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    extent: Extent,
}

/// A user.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// The user's name or id.
    name: String,
}

/// A user of whom something is ended.
#[derive(Debug, Args)]
pub(crate) struct Ending {
    /// The user's name or id.
    name: String,
    /// Says what would be ended, and changes nothing.
    #[arg(long)]
    preview: bool,
}

/// The arguments of `user passwd`.
#[derive(Debug, Args)]
pub(crate) struct Passwd {
    /// The user's name or id.
    name: String,
    /// Reads the new password from standard input.
    #[arg(long, required_unless_present = "preview")]
    password_stdin: bool,
    /// Says what would be ended, and changes nothing; reads no password.
    #[arg(long, conflicts_with = "password_stdin")]
    preview: bool,
}

/// The arguments of `user roles`.
#[derive(Debug, Args)]
pub(crate) struct Roles {
    /// The user's name or id.
    name: String,
    /// The roles that the user shall have, all of them.
    #[arg(required_unless_present = "clear", conflicts_with = "clear")]
    roles: Vec<String>,
    /// Takes all roles away.
    #[arg(long)]
    clear: bool,
    /// Says what would be ended, and changes nothing.
    #[arg(long)]
    preview: bool,
}

const COLUMNS: [Field; 6] = [
    plain("user", "username"),
    plain("id", "user_id"),
    flag("state", "enabled", "enabled", "disabled"),
    plain("tenant", "tenant"),
    plain("roles", "roles"),
    time("added", "created_at"),
];

const FIELDS: [Field; 10] = [
    plain("user", "username"),
    plain("id", "user_id"),
    plain("email", "email"),
    flag("email verified", "email_verified", "yes", ""),
    plain("claims", "claims"),
    flag("state", "enabled", "enabled", "disabled"),
    flag("password", "has_password", "set", "none: a back end signs the user in"),
    plain("tenant", "tenant"),
    plain("roles", "roles"),
    time("added", "created_at"),
];

impl User {
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
                let route = Route::to(&["users"])
                    .with_some("tenant", list.tenant)
                    .with_some("name", list.name)
                    .with_some("enabled", enabled);
                list::print(context, admin, &route, list.extent, &COLUMNS).await
            }
            Self::Show(one) => {
                let answer = admin.get(&Route::to(&["users", &one.name])).await?;
                person::details(context, answer)
            }
            Self::Set(set) => set.run(context, admin).await,
            Self::Remove(ending) => {
                let route = Route::to(&["users", &ending.name]).preview(ending.preview);
                let answer = admin.call(http::Method::DELETE, &route, None).await?;
                receipt::print(context, &answer, &format!("user {} is removed", ending.name))
            }
            Self::ResetFactors(ending) => person::reset_factors(context, admin, &ending).await,
            Self::Disable(ending) => {
                let done = format!("user {} is disabled", ending.name);
                ending.run(context, admin, "disable", &done).await
            }
            Self::SignOut(ending) => {
                let done = format!("user {} is signed out everywhere", ending.name);
                ending.run(context, admin, "sign-out", &done).await
            }
            Self::Enable(one) => {
                let answer = admin.post(&Route::to(&["users", &one.name, "enable"]), None).await?;
                receipt::print(context, &answer, &format!("user {} is enabled", one.name))
            }
            Self::Passwd(passwd) => passwd.run(context, admin).await,
            Self::Roles(roles) => {
                let route = Route::to(&["users", &roles.name, "roles"]).preview(roles.preview);
                let answer = admin.post(&route, Some(&json!({ "roles": roles.roles }))).await?;
                receipt::print(context, &answer, &format!("the roles of user {} are set", roles.name))
            }
        }
    }
}

impl Add {
    async fn run(self, context: &mut Context, admin: &Admin) -> Result<(), Failure> {
        let mut body = Map::new();
        body.insert("username".to_owned(), json!(self.name));
        if let Some(email) = self.email {
            body.insert("email".to_owned(), json!(email));
        }
        if let Some(tenant) = self.tenant {
            body.insert("tenant".to_owned(), json!(tenant));
        }
        if !self.roles.is_empty() {
            body.insert("roles".to_owned(), json!(self.roles));
        }
        if self.email_verified {
            body.insert("email_verified".to_owned(), json!(true));
        }
        if let Some(claims) = self.claims.object() {
            body.insert("claims".to_owned(), claims);
        }
        if self.password_stdin {
            body.insert("password".to_owned(), json!(input::password()?.expose()));
        }
        let answer = admin.post(&Route::to(&["users"]), Some(&Value::Object(body))).await?;
        one_user(context, &answer)
    }
}

impl Ending {
    async fn run(&self, context: &mut Context, admin: &Admin, verb: &str, done: &str) -> Result<(), Failure> {
        let route = Route::to(&["users", &self.name, verb]).preview(self.preview);
        let answer = admin.post(&route, None).await?;
        receipt::print(context, &answer, done)
    }
}

impl Passwd {
    async fn run(self, context: &mut Context, admin: &Admin) -> Result<(), Failure> {
        // A password change ends exactly what signing out does, and only that can be asked
        // without a password.
        let (verb, body) = if self.preview {
            ("sign-out", None)
        } else {
            ("password", Some(json!({ "password": input::password()?.expose() })))
        };
        let route = Route::to(&["users", &self.name, verb]).preview(self.preview);
        let answer = admin.post(&route, body.as_ref()).await?;
        receipt::print(context, &answer, &format!("the password of user {} is set", self.name))
    }
}

fn one_user(context: &mut Context, answer: &Value) -> Result<(), Failure> {
    if context.output.json {
        return context.output.json(answer);
    }
    show::thing(context, answer.get("user").unwrap_or(answer), &FIELDS)
}
