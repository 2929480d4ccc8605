//! `countersign revoke`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::failure::Failure;
use super::route::Route;
use super::show::member;
use super::transport::{Admin, Need};
use super::{Context, receipt};

/// Ends what is named, and all tokens that belong to it.
#[derive(Debug, Subcommand)]
pub(crate) enum Revoke {
    /// One access token, by its jti.
    Token(Subject),
    /// A session, by its id.
    Session(Subject),
    /// All that a user has, by id or name.
    User(Subject),
    /// All that a client has; it may begin anew.
    Client(Subject),
    /// All that the users of a tenant have.
    Tenant(SureSubject),
    /// Every session and every token.
    Everything(Sure),
}

/// What is ended.
#[derive(Debug, Args)]
pub(crate) struct Subject {
    /// Its id.
    subject: String,
    /// Says what would be ended, and changes nothing.
    #[arg(long)]
    preview: bool,
}

/// What is ended, of many people.
#[derive(Debug, Args)]
pub(crate) struct SureSubject {
    /// Its name.
    subject: String,
    #[command(flatten)]
    sure: Sure,
}

/// The confirmation that ending what many people have wants.
#[derive(Debug, Args)]
pub(crate) struct Sure {
    /// Says what would be ended, and changes nothing.
    #[arg(long)]
    preview: bool,
    /// Does it: without this it is only said what would be ended.
    #[arg(long, conflicts_with = "preview")]
    yes: bool,
}

impl Revoke {
    /// Does it.
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let (target, subject, preview, unconfirmed) = match self {
            Self::Token(s) => ("token", Some(s.subject), s.preview, false),
            Self::Session(s) => ("session", Some(s.subject), s.preview, false),
            Self::User(s) => ("user", Some(s.subject), s.preview, false),
            Self::Client(s) => ("client", Some(s.subject), s.preview, false),
            Self::Tenant(s) => ("tenant", Some(s.subject), !s.sure.yes, !s.sure.yes && !s.sure.preview),
            Self::Everything(sure) => ("everything", None, !sure.yes, !sure.yes && !sure.preview),
        };
        let admin = Admin::connect(&context.global, Need::Existing).await?;
        let outcome = end(context, &admin, target, subject, preview).await;
        admin.close().await;
        outcome?;
        if unconfirmed {
            return Err(Failure::refused("nothing was ended yet: say --yes to do it"));
        }
        Ok(())
    }
}

async fn end(
    context: &mut Context,
    admin: &Admin,
    target: &str,
    subject: Option<String>,
    preview: bool,
) -> Result<(), Failure> {
    let mut body = json!({ "target": target });
    if let (Some(subject), Value::Object(members)) = (&subject, &mut body) {
        // The log names users by id; people know their names.
        let subject = if target == "user" && uuid::Uuid::try_parse(subject).is_err() {
            let answer = admin.get(&Route::to(&["users", subject])).await?;
            member(answer.get("user").unwrap_or(&answer), "user_id")
        } else {
            subject.clone()
        };
        members.insert("subject".to_owned(), Value::String(subject));
    }
    let answer = admin.post(&Route::to(&["revocations"]).preview(preview), Some(&body)).await?;
    let done = match subject {
        Some(subject) => format!("all of {target} {subject} is ended"),
        None => "everything is ended".to_owned(),
    };
    receipt::print(context, &answer, &done)
}
