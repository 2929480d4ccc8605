//! `/signin`: a person shows who it is, by a password and, where there is one, a second factor.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_wire::{BrowserSecret, Password};
use http::{HeaderValue, StatusCode, header};

use super::Public;
use super::authorize::{handle, respond};
use super::browser::{Submission, Visit, give_session};
use crate::flows::authorize::{self, Goal, Interaction};
use crate::flows::sign_in::{self, Attempt, Outcome};
use crate::flows::{FlowResult, account, second_factor};
use crate::pages::{
    self, FactorProblem, Fault, PasskeyPrompt, SecondFactor, SecondFactorMethod, SignIn, SignInProblem,
};
use crate::store::Ticket;

/// Longest name that comes back into the form, in characters.
const MAX_SHOWN_NAME: usize = 256;

/// A sign-in that is under way, for one request.
struct UnderWay {
    secret: BrowserSecret,
    ticket: Ticket,
    interaction: Interaction,
}

/// `GET /signin`: the form.
pub(super) async fn show(State(public): State<Arc<Public>>, request: Request) -> Response {
    let visit = match Visit::read(&public, &request.into_parts().0).await {
        Ok(visit) => visit,
        Err(page) => return page,
    };
    match under_way(&public, &visit).await {
        Ok(Some(under_way)) => form(&public, &visit, &under_way, Typed::hinted(&under_way), None).await,
        Ok(None) => visit.fault(&public, StatusCode::BAD_REQUEST, Fault::FormExpired),
        Err(error) => visit.failed(&public, &error),
    }
}

/// `GET /signin/confirm`: the form for somebody who is signed in.
pub(super) async fn show_confirm(State(public): State<Arc<Public>>, request: Request) -> Response {
    let visit = match Visit::read(&public, &request.into_parts().0).await {
        Ok(visit) => visit,
        Err(page) => return page,
    };
    match under_way(&public, &visit).await {
        Ok(Some(under_way)) => {
            let typed = Typed::of_who_is_here(&visit, &under_way);
            form(&public, &visit, &under_way, typed, None).await
        }
        Ok(None) => visit.fault(&public, StatusCode::BAD_REQUEST, Fault::FormExpired),
        Err(error) => visit.failed(&public, &error),
    }
}

/// `POST /signin` and `POST /signin/confirm`.
pub(super) async fn submit(State(public): State<Arc<Public>>, request: Request) -> Response {
    let confirms = request.uri().path().ends_with("/confirm");
    let Submission { visit, fields, is_genuine } = match Submission::read(&public, request).await {
        Ok(submission) => submission,
        Err(page) => return page,
    };
    let under_way = match under_way(&public, &visit).await {
        Ok(Some(under_way)) => under_way,
        Ok(None) => return visit.fault(&public, StatusCode::BAD_REQUEST, Fault::FormExpired),
        Err(error) => return visit.failed(&public, &error),
    };
    let typed = match confirms {
        true => Typed::of_who_is_here(&visit, &under_way),
        false => Typed {
            username: fields.get("username").unwrap_or_default().chars().take(MAX_SHOWN_NAME).collect(),
            remember: fields.get("remember").is_some(),
            confirms: false,
        },
    };
    if !is_genuine {
        // Perhaps the person signed in in another tab meanwhile; if not, nothing typed is lost but
        // the password.
        if visit.standing.is_some() && !confirms {
            return go_on(&public, &visit, &under_way).await;
        }
        return form(&public, &visit, &under_way, typed, Some(SignInProblem::Expired)).await;
    }
    if fields.get("action") == Some("cancel") {
        let step = authorize::refuse(&public.app, &under_way.secret, &under_way.interaction, visit.now);
        return respond(&public, &visit, step.await);
    }
    let password = fields.get("password").unwrap_or_default();
    if typed.username.is_empty() || password.is_empty() {
        return form(&public, &visit, &under_way, typed, Some(SignInProblem::Missing)).await;
    }
    let attempt = Attempt {
        username: typed.username.clone(),
        password: Password::new(password.to_owned()),
        remember: typed.remember,
    };
    let outcome = sign_in::password(
        &public.app,
        (&under_way.ticket, &under_way.interaction),
        attempt,
        visit.standing.as_ref(),
        &visit.origin,
        visit.now,
    );
    match outcome.await {
        Ok(Outcome::Wrong) => {
            let problem = if confirms { SignInProblem::WrongPassword } else { SignInProblem::Wrong };
            form(&public, &visit, &under_way, typed, Some(problem)).await
        }
        Ok(Outcome::Wait(wait)) => {
            let problem = SignInProblem::TryLater { seconds: wait.as_secs().max(1) };
            form(&public, &visit, &under_way, typed, Some(problem)).await
        }
        other => after(&public, visit, &under_way, other).await,
    }
}

/// `GET /signin/factor`.
pub(super) async fn show_factor(State(public): State<Arc<Public>>, request: Request) -> Response {
    let visit = match Visit::read(&public, &request.into_parts().0).await {
        Ok(visit) => visit,
        Err(page) => return page,
    };
    match under_way(&public, &visit).await {
        Ok(Some(under_way)) => factor_form(&public, &visit, &under_way, None).await,
        Ok(None) => visit.fault(&public, StatusCode::BAD_REQUEST, Fault::FormExpired),
        Err(error) => visit.failed(&public, &error),
    }
}

/// `POST /signin/factor`: a code.
pub(super) async fn submit_factor(State(public): State<Arc<Public>>, request: Request) -> Response {
    let Submission { visit, fields, is_genuine } = match Submission::read(&public, request).await {
        Ok(submission) => submission,
        Err(page) => return page,
    };
    let under_way = match under_way(&public, &visit).await {
        Ok(Some(under_way)) => under_way,
        Ok(None) => return visit.fault(&public, StatusCode::BAD_REQUEST, Fault::FormExpired),
        Err(error) => return visit.failed(&public, &error),
    };
    if !is_genuine {
        return factor_form(&public, &visit, &under_way, None).await;
    }
    if fields.get("action") == Some("cancel") {
        let step = authorize::refuse(&public.app, &under_way.secret, &under_way.interaction, visit.now);
        return respond(&public, &visit, step.await);
    }
    let (shown, wrong) = match (fields.get("code"), fields.get("recovery_code")) {
        (Some(code), _) => (second_factor::Shown::Totp(code.to_owned()), FactorProblem::Wrong),
        (None, Some(code)) => (second_factor::Shown::Recovery(code.to_owned()), FactorProblem::WrongRecovery),
        (None, None) => return factor_form(&public, &visit, &under_way, Some(FactorProblem::Wrong)).await,
    };
    prove(&public, visit, &under_way, shown, wrong).await
}

/// `POST /signin/factor/passkey`: a passkey as the second factor.
pub(super) async fn submit_factor_passkey(State(public): State<Arc<Public>>, request: Request) -> Response {
    let Submission { visit, fields, is_genuine } = match Submission::read(&public, request).await {
        Ok(submission) => submission,
        Err(page) => return page,
    };
    let under_way = match under_way(&public, &visit).await {
        Ok(Some(under_way)) => under_way,
        Ok(None) => return visit.fault(&public, StatusCode::BAD_REQUEST, Fault::FormExpired),
        Err(error) => return visit.failed(&public, &error),
    };
    let Some(credential) = fields.get("credential").filter(|_| is_genuine) else {
        return factor_form(&public, &visit, &under_way, Some(FactorProblem::Passkey)).await;
    };
    let shown = second_factor::Shown::Passkey(credential.to_owned());
    prove(&public, visit, &under_way, shown, FactorProblem::Passkey).await
}

/// `POST /signin/passkey` and `POST /signin/confirm/passkey`: a passkey and nothing else.
pub(super) async fn submit_passkey(State(public): State<Arc<Public>>, request: Request) -> Response {
    let confirms = request.uri().path() == "/signin/confirm/passkey";
    let Submission { visit, fields, is_genuine } = match Submission::read(&public, request).await {
        Ok(submission) => submission,
        Err(page) => return page,
    };
    let under_way = match under_way(&public, &visit).await {
        Ok(Some(under_way)) => under_way,
        Ok(None) => return visit.fault(&public, StatusCode::BAD_REQUEST, Fault::FormExpired),
        Err(error) => return visit.failed(&public, &error),
    };
    let typed = match confirms {
        true => Typed::of_who_is_here(&visit, &under_way),
        false => Typed { remember: fields.get("remember") == Some("1"), ..Typed::hinted(&under_way) },
    };
    let Some(credential) = fields.get("credential").filter(|_| is_genuine) else {
        return form(&public, &visit, &under_way, typed, Some(SignInProblem::Passkey)).await;
    };
    let outcome = second_factor::passkey_alone(
        &public.app,
        &under_way.secret,
        credential,
        (!typed.confirms).then_some(typed.remember),
        visit.standing.as_ref(),
        &visit.origin,
        visit.now,
    );
    match outcome.await {
        Ok(Outcome::Wrong) => form(&public, &visit, &under_way, typed, Some(SignInProblem::Passkey)).await,
        other => after(&public, visit, &under_way, other).await,
    }
}

async fn prove(
    public: &Arc<Public>,
    visit: Visit,
    under_way: &UnderWay,
    shown: second_factor::Shown,
    wrong: FactorProblem,
) -> Response {
    let outcome = second_factor::prove(
        &public.app,
        (&under_way.secret, &under_way.interaction),
        &shown,
        visit.standing.as_ref(),
        &visit.origin,
        visit.now,
    );
    match outcome.await {
        Ok(Outcome::Wrong) => factor_form(public, &visit, under_way, Some(wrong)).await,
        Ok(Outcome::Wait(wait)) => {
            let problem = FactorProblem::TryLater { seconds: wait.as_secs().max(1) };
            factor_form(public, &visit, under_way, Some(problem)).await
        }
        other => after(public, visit, under_way, other).await,
    }
}

/// What follows an outcome that is not "wrong".
async fn after(
    public: &Public,
    visit: Visit,
    under_way: &UnderWay,
    outcome: FlowResult<Outcome>,
) -> Response {
    match outcome {
        Ok(Outcome::SignedIn(cookie, standing)) => {
            // On by a redirect, so that the next page is asked for with the new cookie.
            let path = format!("/oauth/authorize/continue?{}", handle(&under_way.secret));
            let mut response = visit.see_other(public, &path);
            give_session(&mut response, public, &cookie, &standing, visit.now);
            response
        }
        Ok(Outcome::SecondFactor) => {
            visit.see_other(public, &format!("/signin/factor?{}", handle(&under_way.secret)))
        }
        Ok(Outcome::Over) => over(public, &visit, under_way).await,
        Ok(Outcome::Wrong | Outcome::Wait(_)) => {
            visit.fault(public, StatusCode::BAD_REQUEST, Fault::FormExpired)
        }
        Err(error) => visit.failed(public, &error),
    }
}

/// This form is not what is owed, or not any more: who is signed in goes on to what is.
async fn over(public: &Public, visit: &Visit, under_way: &UnderWay) -> Response {
    match visit.standing {
        Some(_) => go_on(public, visit, under_way).await,
        None => visit.fault(public, StatusCode::BAD_REQUEST, Fault::FormExpired),
    }
}

async fn go_on(public: &Public, visit: &Visit, under_way: &UnderWay) -> Response {
    let interaction = under_way.interaction.clone();
    let step =
        authorize::step(&public.app, &under_way.secret, interaction, visit.standing.as_ref(), visit.now);
    respond(public, visit, step.await)
}

async fn under_way(public: &Public, visit: &Visit) -> FlowResult<Option<UnderWay>> {
    let secret = BrowserSecret::new(visit.parameter("i").unwrap_or_default().to_owned());
    let found = authorize::find(&public.app, &secret, &visit.binding(), visit.now).await?;
    Ok(found.map(|(ticket, interaction)| UnderWay { secret, ticket, interaction }))
}

/// What stands in the form.
struct Typed {
    username: String,
    remember: bool,
    confirms: bool,
}

impl Typed {
    fn hinted(under_way: &UnderWay) -> Self {
        let hint = match &under_way.interaction.goal {
            Goal::Authorize(asked) => asked.request.login_hint.clone(),
            Goal::Page(_) | Goal::Confirmed(_) => None,
        };
        Self { username: hint.unwrap_or_default(), remember: false, confirms: false }
    }

    /// Nobody signs in as somebody else here; without anybody it is the plain form.
    fn of_who_is_here(visit: &Visit, under_way: &UnderWay) -> Self {
        match &visit.standing {
            Some(standing) => Self {
                username: standing.user.username.clone(),
                remember: standing.session.remember,
                confirms: true,
            },
            None => Self::hinted(under_way),
        }
    }
}

async fn form(
    public: &Public,
    visit: &Visit,
    under_way: &UnderWay,
    typed: Typed,
    problem: Option<SignInProblem>,
) -> Response {
    let UnderWay { secret, interaction, .. } = under_way;
    let (client, target) = match client(public, interaction).await {
        Ok(client) => client,
        Err(error) => return visit.failed(public, &error),
    };
    let options = match second_factor::passkey_options(&public.app, secret, visit.now).await {
        Ok(options) => options,
        Err(error) => return visit.failed(public, &error),
    };
    let path = if typed.confirms { "/signin/confirm" } else { "/signin" };
    let view = SignIn {
        action: format!("{}{path}?{}", public.links.base, handle(secret)),
        csrf: visit.csrf(),
        can_cancel: client.is_some(),
        client,
        username: typed.username,
        reauthenticate: typed.confirms,
        offer_remember: !typed.confirms,
        remember: typed.remember,
        problem,
        passkey: options.map(|options| PasskeyPrompt {
            action: format!("{}{path}/passkey?{}", public.links.base, handle(secret)),
            options,
        }),
    };
    let status = match problem {
        None => StatusCode::OK,
        Some(SignInProblem::TryLater { .. }) => StatusCode::TOO_MANY_REQUESTS,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let html = pages::sign_in(&visit.chrome(public, interaction.ui_locales.as_deref()), &view);
    let mut response = visit.page_that_leads_to(public, status, html, target.as_deref());
    retry_after(
        &mut response,
        match problem {
            Some(SignInProblem::TryLater { seconds }) => Some(seconds),
            _ => None,
        },
    );
    response
}

async fn factor_form(
    public: &Public,
    visit: &Visit,
    under_way: &UnderWay,
    problem: Option<FactorProblem>,
) -> Response {
    let UnderWay { secret, interaction, .. } = under_way;
    let (client, target) = match client(public, interaction).await {
        Ok(client) => client,
        Err(error) => return visit.failed(public, &error),
    };
    let whose = second_factor::whose(&public.app, interaction, visit.standing.as_ref(), visit.now);
    let whose = match whose.await {
        Ok(Some(whose)) => whose,
        Ok(None) => return over(public, visit, under_way).await,
        Err(error) => return visit.failed(public, &error),
    };
    let offer = match second_factor::offer(&public.app, secret, whose, visit.now).await {
        Ok(offer) => offer,
        Err(error) => return visit.failed(public, &error),
    };
    let wants_recovery =
        visit.parameter("method") == Some("recovery") || problem == Some(FactorProblem::WrongRecovery);
    let method = match (offer.totp, offer.recovery) {
        (_, true) if wants_recovery => SecondFactorMethod::Recovery,
        (true, _) => SecondFactorMethod::Totp,
        (false, true) if offer.passkey.is_none() => SecondFactorMethod::Recovery,
        (false, _) => SecondFactorMethod::Passkey,
    };
    let base = format!("{}/signin/factor?{}", public.links.base, handle(secret));
    let other_url = match method {
        SecondFactorMethod::Recovery => (offer.totp || offer.passkey.is_some()).then(|| base.clone()),
        _ => offer.recovery.then(|| format!("{base}&method=recovery")),
    };
    let view = SecondFactor {
        action: if wants_recovery { format!("{base}&method=recovery") } else { base },
        csrf: visit.csrf(),
        client,
        method,
        other_url,
        problem,
        passkey: offer.passkey.map(|options| PasskeyPrompt {
            action: format!("{}/signin/factor/passkey?{}", public.links.base, handle(secret)),
            options,
        }),
    };
    let status = match problem {
        None => StatusCode::OK,
        Some(FactorProblem::TryLater { .. }) => StatusCode::TOO_MANY_REQUESTS,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let html = pages::second_factor(&visit.chrome(public, interaction.ui_locales.as_deref()), &view);
    let mut response = visit.page_that_leads_to(public, status, html, target.as_deref());
    retry_after(
        &mut response,
        match problem {
            Some(FactorProblem::TryLater { seconds }) => Some(seconds),
            _ => None,
        },
    );
    response
}

fn retry_after(response: &mut Response, seconds: Option<u64>) {
    if let Some(seconds) = seconds {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// The application's name, and where the answer goes.
async fn client(public: &Public, interaction: &Interaction) -> FlowResult<(Option<String>, Option<String>)> {
    match &interaction.goal {
        Goal::Page(_) | Goal::Confirmed(_) => Ok((None, None)),
        Goal::Authorize(asked) => {
            let name = account::client_name(&public.app, &asked.client).await?;
            Ok((Some(name), Some(asked.redirect_uri.clone())))
        }
    }
}
