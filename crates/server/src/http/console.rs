//! `/console`: what operators see and do in a browser. The admin API's flows, behind a person's own sign-in: a role to
//! look, and a recent authentication to act. One file per section.

mod clients;
mod events;
mod keys;
mod now;
mod part;
mod revoke;
mod sessions;
mod users;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_wire::{ClientId, ErrorCode, Parameters, UserId};
use http::StatusCode;
use http::uri::PathAndQuery;

pub(super) use self::clients::{disable_client, enable_client, show_client, show_clients};
pub(super) use self::events::show_events;
pub(super) use self::keys::{rotate_keys, show_keys};
pub(super) use self::now::show_now;
pub(super) use self::revoke::{revoke, show_revoke};
pub(super) use self::sessions::{show_session, show_sessions};
pub(super) use self::users::{disable_user, enable_user, show_user, show_users, sign_user_out};
use super::Public;
use super::browser::{Submission, Visit};
use crate::flows::browser::BrowserStanding;
use crate::flows::operator::{self, Confirmed};
use crate::flows::{FlowError, FlowResult, Refusal, authorize};
use crate::pages::{Chrome, ConsoleAction, ConsoleUrls, Fault, FilterField, FilterKind, Named, Verb};

/// Longest address that is come back to after a sign-in: it is kept for whoever asks.
const MAX_BACK: usize = 512;

/// `GET /console`.
pub(super) async fn show(State(public): State<Arc<Public>>, request: Request) -> Response {
    match Desk::enter(public, request).await {
        Ok(desk) => desk.see_other("/console/sessions"),
        Err(page) => page,
    }
}

/// An operator's request.
struct Desk {
    public: Arc<Public>,
    visit: Visit,
    standing: BrowserStanding,
}

/// An operator's form, from somebody who has just shown to be the operator.
struct Act {
    desk: Desk,
    fields: Parameters,
    by: Confirmed,
}

impl Desk {
    /// Lets an operator in.
    ///
    /// # Errors
    /// The sign-in page, or one that says no and nothing else.
    async fn enter(public: Arc<Public>, request: Request) -> Result<Self, Response> {
        let parts = request.into_parts().0;
        let visit = Visit::read(&public, &parts).await?;
        let here = parts.uri.path_and_query().map_or("", PathAndQuery::as_str);
        let back = if here.len() <= MAX_BACK && here.is_ascii() { here } else { "/console" };
        Self::admit(public, visit, back).await
    }

    async fn admit(public: Arc<Public>, visit: Visit, back: &str) -> Result<Self, Response> {
        match visit.standing.clone() {
            Some(standing) if operator::may(&standing.user) => Ok(Self { public, visit, standing }),
            Some(_) => Err(visit.fault(&public, StatusCode::FORBIDDEN, Fault::NotAllowed)),
            None => Err(visit.to_sign_in(&public, back).await),
        }
    }

    fn chrome(&self) -> Chrome {
        self.visit.chrome(&self.public, None)
    }

    /// A page, or why there is none.
    fn answer(&self, page: FlowResult<Result<String, askama::Error>>) -> Response {
        match page {
            Ok(html) => self.visit.page(&self.public, StatusCode::OK, html),
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&self, error: &FlowError) -> Response {
        match error {
            FlowError::Refused(Refusal::Request(body)) if body.error == ErrorCode::NotFound => {
                self.visit.fault(&self.public, StatusCode::NOT_FOUND, Fault::NotFound)
            }
            other => self.visit.failed(&self.public, other),
        }
    }

    fn see_other(&self, path: &str) -> Response {
        self.visit.see_other(&self.public, path)
    }

    /// After an action: to a page that shows what it did.
    fn done<T>(&self, done: FlowResult<T>, path: &str) -> Response {
        match done {
            Ok(_) => self.see_other(path),
            Err(error) => self.failed(&error),
        }
    }

    /// Where a page of the console is.
    fn at(&self, path: &str) -> String {
        format!("{}/console/{path}", self.public.links.base)
    }

    fn urls(&self) -> ConsoleUrls {
        ConsoleUrls {
            users: self.at("users"),
            clients: self.at("clients"),
            sessions: self.at("sessions"),
            events: self.at("events"),
            now: self.at("now"),
            keys: self.at("keys"),
            revoke: self.at("revoke"),
        }
    }

    fn user(&self, id: UserId, name: Option<&String>) -> Named {
        let text = name.map_or_else(|| id.to_string(), Clone::clone);
        Named { text, url: Some(self.at(&format!("users/{id}"))) }
    }

    fn client(&self, id: &ClientId) -> Named {
        Named { text: id.to_string(), url: Some(self.at(&format!("clients/{id}"))) }
    }

    /// A button that does something at a path.
    fn button(&self, verb: Verb, path: &str) -> ConsoleAction {
        ConsoleAction { verb, action: self.at(path), fields: Vec::new() }
    }

    /// A button that leads to the preview of a revocation.
    fn revoke_button(&self, kind: &str, target: &str) -> ConsoleAction {
        let fields = vec![("kind".to_owned(), kind.to_owned()), ("target".to_owned(), target.to_owned())];
        ConsoleAction { fields, ..self.button(Verb::Revoke, "revoke") }
    }

    /// A field of a filter, set to what the query says.
    fn field(&self, kind: FilterKind, name: &str, options: &[&str]) -> FilterField {
        FilterField {
            kind,
            name: name.to_owned(),
            value: self.visit.parameter(name).unwrap_or_default().to_owned(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
        }
    }

    /// What the query says of a state with two words; anything else is no filter.
    fn state(&self, yes: &str, no: &str) -> Option<bool> {
        match self.visit.parameter("state") {
            Some(word) if word == yes => Some(true),
            Some(word) if word == no => Some(false),
            _ => None,
        }
    }
}

impl Act {
    /// Takes an operator's form. Without a recent authentication, with a second factor where there is one, the
    /// operator shows it and comes back to a page, from where the form can be sent again.
    ///
    /// # Errors
    /// Whatever is shown instead; then nothing was changed.
    async fn read(
        public: Arc<Public>,
        request: Request,
        back: impl FnOnce(&Parameters) -> String,
    ) -> Result<Self, Response> {
        let Submission { visit, fields, is_genuine } = Submission::read(&public, request).await?;
        let back = back(&fields);
        let desk = Desk::admit(public, visit, &back).await?;
        let (visit, app) = (&desk.visit, &desk.public.app);
        if !is_genuine {
            return Err(visit.fault(&desk.public, StatusCode::BAD_REQUEST, Fault::FormExpired));
        }
        match operator::confirm(app, &desk.standing, visit.now).await {
            Ok(Some(by)) => Ok(Self { desk, fields, by }),
            Ok(None) => {
                let begun = authorize::begin_confirmed(app, &back, &visit.binding(), visit.now).await;
                Err(match begun {
                    Ok(secret) => desk.see_other(&format!("/signin/confirm?i={}", secret.expose())),
                    Err(error) => desk.failed(&error),
                })
            }
            Err(error) => Err(desk.failed(&error)),
        }
    }
}

/// The name of a setting as the admin API has it.
fn word(setting: &impl serde::Serialize) -> String {
    serde_json::to_value(setting).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
