//! What is next for an authorization request: one pure function.

use std::time::Duration;

use countersign_wire::{AuthorizationRequest, ErrorCode, Scope, UserId};

use super::{Asked, Todo};
use crate::flows::browser::{ACR_TWO_FACTORS, ACR_VALUES, BrowserStanding};
use crate::flows::policy::Sensitive;
use crate::store::Client;
use crate::time::Timestamp;

/// The scope that asks for access while the person is away (OpenID Connect Core section 11).
pub const OFFLINE_ACCESS: &str = "offline_access";

/// The way back from the form takes a moment, so that `max_age=0` can be met at all. Those who compare `auth_time`
/// allow for clocks by as much.
const MOMENT: Duration = Duration::from_secs(10);

/// All that the decision is made from.
pub struct Situation<'a> {
    /// Who asks.
    pub client: &'a Client,
    /// What.
    pub asked: &'a Asked,
    /// Who is signed in: a live browser session.
    pub browser: Option<&'a BrowserStanding>,
    /// What this person allowed this client before.
    pub consent: Option<&'a Scope>,
    /// Whether the person has a second factor to show.
    pub has_second_factor: bool,
    /// Whom the ID token hint names.
    pub hinted: Option<UserId>,
    /// What wants a recent authentication.
    pub sensitive: &'a Sensitive,
    /// When the interaction began.
    pub started_at: Timestamp,
    /// Who agreed in this interaction.
    pub agreed_by: Option<UserId>,
    /// When.
    pub now: Timestamp,
}

/// What is next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The person has to do this.
    Do(Todo),
    /// The client is told no.
    Refuse(ErrorCode, &'static str),
    /// The client gets a code for this.
    Issue(Scope),
}

/// The rules of OpenID Connect Core section 3.1.2, RFC 9470 and OAuth 2.1 section 7.3, in the
/// order in which a person meets them: sign in, show more, agree.
pub fn judge(situation: &Situation<'_>) -> Decision {
    let Situation { client, asked, browser, .. } = situation;
    let request = &asked.request;
    let todo = match who(situation) {
        Err(decision) => return decision,
        Ok(todo) => todo,
    };
    if let Some(todo) = todo {
        // Section 3.1.2.1: nothing is shown.
        return match todo {
            _ if !request.prompt.none => Decision::Do(todo),
            Todo::SecondFactor => {
                Decision::Refuse(ErrorCode::InteractionRequired, "the person must show a second factor")
            }
            _ => Decision::Refuse(ErrorCode::LoginRequired, "the person must sign in"),
        };
    }
    let Some(_) = browser else { return Decision::Do(Todo::SignIn) };
    let scope = scope(client, request);
    if !needs_consent(situation, &scope) {
        return Decision::Issue(scope);
    }
    if request.prompt.none {
        return Decision::Refuse(ErrorCode::ConsentRequired, "the person must agree");
    }
    Decision::Do(Todo::Consent(scope))
}

/// What is granted if the person agrees.
pub(super) fn scope(client: &Client, request: &AuthorizationRequest) -> Scope {
    match &request.scope {
        Some(scope) => scope.clone(),
        // RFC 6749 section 3.3: our default is all but what is only had by asking for it.
        None => client.settings.scope.without(OFFLINE_ACCESS),
    }
}

/// Whether the right person is here, authenticated lately and well enough.
fn who(situation: &Situation<'_>) -> Result<Option<Todo>, Decision> {
    let Situation { client, asked, browser, has_second_factor, hinted, sensitive, started_at, now, .. } =
        situation;
    let request = &asked.request;
    let Some(standing) = browser else { return Ok(Some(Todo::SignIn)) };
    let session = &standing.session;
    let in_this_interaction = session.auth_time >= *started_at;
    if client.tenant.is_some() && client.tenant != standing.user.tenant {
        return match in_this_interaction {
            true => Err(Decision::Refuse(ErrorCode::AccessDenied, "the client does not serve this person")),
            false => Ok(Some(Todo::SignIn)),
        };
    }
    // Section 3.1.2.1: who is not the one of the hint after signing in gets the client an error;
    // the form again would be a circle.
    if hinted.is_some_and(|user| user != session.user) {
        return match in_this_interaction {
            true => Err(Decision::Refuse(ErrorCode::LoginRequired, "another person signed in")),
            false => Ok(Some(Todo::SignIn)),
        };
    }
    if request.prompt.select_account && !in_this_interaction {
        return Ok(Some(Todo::SignIn));
    }
    if request.prompt.login && !in_this_interaction {
        return Ok(Some(Todo::Confirm));
    }
    let within = |age: Duration| now.since(session.auth_time) <= age;
    if let Some(max_age) = request.max_age {
        // The client sees `auth_time`: who has read for long since, in this interaction or not, shows it again.
        let moment = if in_this_interaction { MOMENT } else { Duration::ZERO };
        if !within(Duration::from_secs(max_age).saturating_add(moment)) {
            return Ok(Some(Todo::Confirm));
        }
    }
    if sensitive.forbids(&scope(client, request), session.auth_time, *now) {
        return Ok(Some(Todo::Confirm));
    }
    let mut known = request.acr_values.iter().filter(|acr| ACR_VALUES.contains(&acr.as_str())).peekable();
    // Values that nobody here knows are wishes that cannot be met (OpenID Connect Core section 5.5.1.1).
    let wants_two = known.peek().is_some() && known.all(|acr| acr == ACR_TWO_FACTORS);
    if wants_two && session.acr != ACR_TWO_FACTORS {
        if *has_second_factor {
            return Ok(Some(Todo::SecondFactor));
        }
        return Err(Decision::Refuse(
            ErrorCode::UnmetAuthenticationRequirements,
            "the person has no second factor",
        ));
    }
    Ok(None)
}

fn needs_consent(situation: &Situation<'_>, scope: &Scope) -> bool {
    let Situation { client, asked, browser, consent, agreed_by, started_at, .. } = situation;
    // Somebody else may have signed in since.
    if agreed_by.is_some_and(|user| browser.is_some_and(|browser| browser.session.user == user)) {
        return false;
    }
    if asked.request.prompt.consent {
        return true;
    }
    // OAuth 2.1 section 7.3.1: anyone on the person's device can be a public client whose answer
    // goes to loopback or a private scheme, so what was agreed before says nothing of who asks now.
    let is_assured = !client.settings.public || asked.redirect_uri.starts_with("https://");
    if client.settings.sign_in.first_party {
        // Nobody has to agree to their own company's program, but it gets nothing behind their back.
        return !is_assured && browser.is_none_or(|browser| browser.session.auth_time < *started_at);
    }
    !(is_assured && consent.is_some_and(|known| scope.is_subset(known)))
}

#[cfg(test)]
mod tests;
