//! `/account`: where a person is signed in, how, and what they allowed.

mod factors;
mod new_sign_ins;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use countersign_wire::{BrowserSessionId, ClientId, Password, SessionId};
use http::{Method, StatusCode};

pub(super) use self::factors::{
    add_passkey, add_totp, new_recovery_codes, remove_passkey, remove_totp, show_totp, submit_totp,
};
pub(super) use self::new_sign_ins::{accept_sign_in, refuse_sign_in};
use super::Public;
use super::browser::{Submission, Visit, give_session, see_other, take_session};
use super::consent::lines;
use crate::flows::FlowResult;
use crate::flows::account::{self, Account as Facts};
use crate::flows::browser::{BrowserStanding, Stays};
use crate::flows::enrol::{self, PasswordChanged};
use crate::flows::explain::{self, State as Closed};
use crate::pages::{
    self, Account, AccountActions, ApplicationRow, BrowserRow, EndedRow, Flash, Lang, Notice, PasskeyPrompt,
    PasskeyRow, PasswordProblem, PermissionRow,
};
use crate::store::{BrowserSession, Factor, FactorKind, Reason, Standing};
use crate::time::Timestamp;

/// `GET /account`.
pub(super) async fn show(State(public): State<Arc<Public>>, request: Request) -> Response {
    let visit = match Visit::read(&public, &request.into_parts().0).await {
        Ok(visit) => visit,
        Err(page) => return page,
    };
    let Some(standing) = visit.standing.clone() else { return visit.to_sign_in(&public, "/account").await };
    let notice = visit.parameter("done").and_then(notice);
    page(&public, &visit, &standing, notice, None, StatusCode::OK).await
}

/// Where only forms lead: whoever loads such a page again, or comes back to it, is on the account page.
pub(super) async fn back(State(public): State<Arc<Public>>, method: Method) -> Response {
    match method {
        Method::GET => see_other(&format!("{}/account", public.links.base)),
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

/// `POST /account/browsers/end`.
pub(super) async fn end_browser(State(public): State<Arc<Public>>, request: Request) -> Response {
    let (submission, standing) = match own(&public, request).await {
        Ok(own) => own,
        Err(page) => return page,
    };
    let Submission { visit, fields, .. } = submission;
    let Some(id) = fields.get("id").and_then(|id| id.parse::<BrowserSessionId>().ok()) else {
        return visit.see_other(&public, "/account?done=gone");
    };
    match account::end_browser(&public.app, standing.session.user, id, visit.now).await {
        Ok(true) if id == standing.session.id => {
            let mut response = visit.see_other(&public, "/account");
            take_session(&mut response, &public);
            response
        }
        Ok(true) => visit.see_other(&public, "/account?done=ended"),
        Ok(false) => visit.see_other(&public, "/account?done=gone"),
        Err(error) => visit.failed(&public, &error),
    }
}

/// `POST /account/sessions/end`.
pub(super) async fn end_session(State(public): State<Arc<Public>>, request: Request) -> Response {
    let (submission, standing) = match own(&public, request).await {
        Ok(own) => own,
        Err(page) => return page,
    };
    let Submission { visit, fields, .. } = submission;
    let Some(id) = fields.get("id").and_then(|id| id.parse::<SessionId>().ok()) else {
        return visit.see_other(&public, "/account?done=gone");
    };
    match account::end_session(&public.app, standing.session.user, id, visit.now).await {
        Ok(true) => visit.see_other(&public, "/account?done=ended"),
        Ok(false) => visit.see_other(&public, "/account?done=gone"),
        Err(error) => visit.failed(&public, &error),
    }
}

/// `POST /account/end-others`: everything everywhere, and this browser stays.
pub(super) async fn end_others(State(public): State<Arc<Public>>, request: Request) -> Response {
    let (Submission { visit, .. }, standing) = match own(&public, request).await {
        Ok(own) => own,
        Err(page) => return page,
    };
    match account::end_all(&public.app, &standing, visit.now).await {
        Ok(Some(stays)) => {
            let done = format!("/account?done=others-{}", stays.sessions_ended);
            stay(&public, &visit, &standing, &stays, &done)
        }
        Ok(None) => visit.see_other(&public, "/account?done=gone"),
        Err(error) => visit.failed(&public, &error),
    }
}

/// `POST /account/permissions/withdraw`.
pub(super) async fn withdraw(State(public): State<Arc<Public>>, request: Request) -> Response {
    let (submission, standing) = match own(&public, request).await {
        Ok(own) => own,
        Err(page) => return page,
    };
    let Submission { visit, fields, .. } = submission;
    let Some(client) = fields.get("id").and_then(|id| id.parse::<ClientId>().ok()) else {
        return visit.see_other(&public, "/account?done=gone");
    };
    match account::withdraw(&public.app, standing.session.user, &client, visit.now).await {
        Ok(true) => visit.see_other(&public, "/account?done=withdrawn"),
        Ok(false) => visit.see_other(&public, "/account?done=gone"),
        Err(error) => visit.failed(&public, &error),
    }
}

/// `POST /account/password`.
pub(super) async fn change_password(State(public): State<Arc<Public>>, request: Request) -> Response {
    let (submission, standing) = match own(&public, request).await {
        Ok(own) => own,
        Err(page) => return page,
    };
    let Submission { visit, fields, .. } = submission;
    let field = |name| Password::new(fields.get(name).unwrap_or_default().to_owned());
    let passwords = (field("current_password"), field("new_password"));
    let problem =
        match enrol::change_password(&public.app, &standing, passwords, &visit.origin, visit.now).await {
            Ok(PasswordChanged::Yes(stays)) => {
                let done = format!("/account?done=password-{}", stays.sessions_ended);
                return stay(&public, &visit, &standing, &stays, &done);
            }
            Ok(PasswordChanged::Over) => return visit.see_other(&public, "/account?done=gone"),
            Ok(PasswordChanged::WrongCurrent) => PasswordProblem::WrongCurrent,
            Ok(PasswordChanged::Length) => PasswordProblem::TooShort,
            Ok(PasswordChanged::Same) => PasswordProblem::Same,
            Ok(PasswordChanged::Wait) => PasswordProblem::TooMany,
            Err(error) => return visit.failed(&public, &error),
        };
    page(&public, &visit, &standing, None, Some(problem), StatusCode::UNPROCESSABLE_ENTITY).await
}

/// A form of somebody who is signed in, and that we gave them.
async fn own(public: &Arc<Public>, request: Request) -> Result<(Submission, BrowserStanding), Response> {
    let submission = Submission::read(public, request).await?;
    let Some(standing) = submission.visit.standing.clone() else {
        return Err(submission.visit.to_sign_in(public, "/account").await);
    };
    if !submission.is_genuine {
        return Err(submission.visit.see_other(public, "/account?done=gone"));
    }
    Ok((submission, standing))
}

/// After a change that ended everything: this browser goes on with a new cookie.
fn stay(public: &Public, visit: &Visit, standing: &BrowserStanding, stays: &Stays, path: &str) -> Response {
    let mut response = visit.see_other(public, path);
    give_session(&mut response, public, &stays.secret, standing, visit.now);
    response
}

/// What the page says was done. The query says it, so it is one of a few words and perhaps a number.
fn notice(word: &str) -> Option<Notice> {
    let (word, count) = match word.rsplit_once('-') {
        Some((word, count)) => (word, count.parse().ok()?),
        None => (word, 0),
    };
    Some(match word {
        "ended" => Notice::SessionEnded,
        "others" => Notice::OthersEnded(count),
        "password" => Notice::PasswordChanged(count),
        "totp_added" => Notice::TotpAdded,
        "totp_removed" => Notice::TotpRemoved,
        "passkey_added" => Notice::PasskeyAdded,
        "passkey_removed" => Notice::PasskeyRemoved,
        "passkey_refused" => Notice::PasskeyRefused,
        "withdrawn" => Notice::PermissionWithdrawn,
        "accepted" => Notice::SignInAccepted,
        "refused" => Notice::SignInRefused,
        "gone" => Notice::Gone,
        _ => return None,
    })
}

async fn page(
    public: &Public,
    visit: &Visit,
    standing: &BrowserStanding,
    notice: Option<Notice>,
    password_problem: Option<PasswordProblem>,
    status: StatusCode,
) -> Response {
    match view(public, visit, standing, notice, password_problem).await {
        Ok(view) => visit.page(public, status, pages::account(&visit.chrome(public, None), &view)),
        Err(error) => visit.failed(public, &error),
    }
}

async fn view(
    public: &Public,
    visit: &Visit,
    standing: &BrowserStanding,
    notice: Option<Notice>,
    password_problem: Option<PasswordProblem>,
) -> FlowResult<Account> {
    let facts = account::read(&public.app, standing.session.user, visit.now).await?;
    let new_sign_ins = new_sign_ins::rows(public, visit, standing).await?;
    let factors = enrol::factors(&public.app, standing).await?;
    let options = enrol::begin_passkey(&public.app, standing, visit.now).await?;
    let lang = visit.chrome(public, None).lang;
    let at = |path: &str| format!("{}/account/{path}", public.links.base);
    let of_kind = |kind| factors.iter().filter(move |factor: &&Factor| factor.kind == kind);
    let Facts { browsers, sessions, ended, consents } = facts;
    let mut browsers: Vec<BrowserRow> =
        browsers.iter().map(|session| browser_row(session, Some(standing))).collect();
    browsers.sort_by_key(|row| !row.current);
    let flash: Option<Flash> = notice.map(|notice| notice.flash(lang));
    Ok(Account {
        csrf: visit.csrf(),
        actions: AccountActions {
            accept_sign_in: at("sign-ins/accept"),
            refuse_sign_in: at("sign-ins/refuse"),
            end_browser: at("browsers/end"),
            end_session: at("sessions/end"),
            end_others: at("end-others"),
            change_password: at("password"),
            add_totp: at("totp/add"),
            remove_totp: at("totp/remove"),
            remove_passkey: at("passkeys/remove"),
            new_recovery_codes: at("recovery-codes"),
            withdraw: at("permissions/withdraw"),
        },
        flash,
        new_sign_ins,
        username: standing.user.username.clone(),
        browsers,
        applications: sessions
            .iter()
            .chain(&ended)
            .map(|row| application_row(row, lang, visit.now))
            .collect(),
        password_min: enrol::MIN_CHARS,
        password_problem,
        totp_since: of_kind(FactorKind::Totp).next().map(|factor| factor.created_at),
        passkeys: of_kind(FactorKind::Passkey).map(passkey_row).collect(),
        add_passkey: options.map(|options| PasskeyPrompt { action: at("passkeys/add"), options }),
        recovery_left: of_kind(FactorKind::Recovery)
            .next()
            .map(|_| of_kind(FactorKind::Recovery).filter(|factor| factor.counter == 0).count()),
        permissions: consents
            .iter()
            .map(|(client, consent)| PermissionRow {
                id: consent.client.to_string(),
                client: client.clone(),
                scopes: lines(lang, &consent.scope, None),
                since: consent.granted_at,
            })
            .collect(),
    })
}

/// A browser session as a row; `this`: the one that looks, when it is the person's own page.
pub(super) fn browser_row(session: &BrowserSession, this: Option<&BrowserStanding>) -> BrowserRow {
    BrowserRow {
        id: session.id.to_string(),
        device: device_in_words(session.agent.as_deref()),
        network: session.network.clone(),
        first_seen: session.created_at,
        last_seen: session.seen_at,
        current: this.is_some_and(|this| session.id == this.session.id),
    }
}

fn application_row((client, standing): &(String, Standing), lang: Lang, now: Timestamp) -> ApplicationRow {
    let session = &standing.session;
    let state = explain::state(standing, now);
    ApplicationRow {
        id: session.id.to_string(),
        client: client.clone(),
        device: Some(match &session.device {
            Some(label) => label.clone(),
            None => device_in_words(session.agent.as_deref()),
        }),
        network: session.network.clone(),
        first_seen: session.created_at,
        last_seen: session.rotated_at,
        scopes: session.scope.iter().map(str::to_owned).collect(),
        ended: lang.why_ended(state).map(|why| EndedRow {
            why: why.to_owned(),
            at: match state {
                Closed::Row(ended) => Some(ended.at),
                Closed::Expired => Some(session.expires_at),
                Closed::Idle => Some(session.idle_expires_at),
                _ => None,
            },
            alarming: session.ended.is_some_and(|ended| {
                matches!(ended.reason, Reason::Reuse | Reason::Lockstep | Reason::CodeReplay | Reason::Leaked)
            }),
        }),
    }
}

fn passkey_row(factor: &Factor) -> PasskeyRow {
    PasskeyRow {
        id: factor.id.to_string(),
        label: factor.label.clone(),
        added: factor.created_at,
        last_used: factor.used_at,
    }
}

/// The browser and the system that a user agent speaks of, in the few words that people know.
pub(super) fn device_in_words(agent: Option<&str>) -> String {
    let agent = agent.unwrap_or_default();
    // More special names first: browsers name the ones that they descend from as well.
    const BROWSERS: [(&str, &str); 6] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chromium/", "Chromium"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let find = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser}, {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) if agent.is_empty() => "?".to_owned(),
        (None, None) => agent.chars().take(60).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_as_people_know_them() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36";
        assert_eq!(device_in_words(Some(chrome)), "Chrome, Linux");
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Version/19.0 Mobile Safari/604.1";
        assert_eq!(device_in_words(Some(phone)), "Safari, iPhone");
        assert_eq!(device_in_words(Some("curl/8.0")), "curl/8.0");
        assert_eq!(device_in_words(None), "?");
    }

    #[test]
    fn a_notice_is_one_of_a_few_words() {
        assert_eq!(notice("password-3"), Some(Notice::PasswordChanged(3)));
        assert_eq!(notice("ended"), Some(Notice::SessionEnded));
        assert_eq!(notice("<script>"), None);
        assert_eq!(notice("password-x"), None);
    }
}
