//! Reading an authorization request: first who asks and where the answer goes, because nothing is
//! ever sent to a place that was not checked (OAuth 2.1 section 4.1.2.1).

use std::sync::Arc;

use countersign_wire::{
    AuthorizationRequest, ClientId, ErrorBody, ErrorCode, Parameters, ParametersError, ResponseMode,
};

use super::{Answer, Asked, look, malformed};
use crate::app::App;
use crate::flows::id_tokens::OPENID;
use crate::flows::{FlowResult, pkce, pushed, redirect};
use crate::store::{Client, ClientKind};
use crate::time::Timestamp;

/// Why there is nowhere to answer to: what the error page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswerable {
    /// No `client_id`, an unknown one, or the client is disabled.
    Client,
    /// The redirect URI is missing or not registered.
    RedirectUri,
    /// The request came twice in one, or is broken in its form.
    Malformed,
    /// The `request_uri` is unknown, was used, has expired, or is another client's.
    RequestUri,
    /// The sign-in is over: answered, expired, or of another browser.
    Over,
}

/// How a request is refused.
pub(super) enum Refused {
    /// On a page of ours.
    Page(Unanswerable),
    /// By an answer to the client.
    Answer(Answer),
}

/// Reads a request.
pub(super) async fn read(
    app: &App,
    pairs: Vec<(String, String)>,
    now: Timestamp,
) -> FlowResult<Result<(Arc<Client>, Asked), Refused>> {
    let page = |why| Ok(Err(Refused::Page(why)));
    let Ok(id) = only(&pairs, "client_id") else { return page(Unanswerable::Malformed) };
    let Some(id) = id.and_then(|id| id.parse::<ClientId>().ok()) else {
        return page(Unanswerable::Client);
    };
    let Some(client) = app.clients.lookup(&id).await?.filter(|client| client.enabled) else {
        return page(Unanswerable::Client);
    };
    let Ok(request_uri) = only(&pairs, "request_uri") else { return page(Unanswerable::Malformed) };
    // Another address is not fetched: it is refused below, as what it is.
    if let Some(request_uri) = request_uri.filter(|uri| pushed::is_handle(uri)) {
        return Ok(match pushed::take(app, request_uri, &client, now).await? {
            Some(asked) => Ok((client, asked)),
            None => Err(Refused::Page(Unanswerable::RequestUri)),
        });
    }
    let (client, resolved) = match resolve(client, &pairs) {
        Ok(resolved) => resolved,
        Err(why) => return page(why),
    };
    let place = (resolved.redirect_uri.as_str(), resolved.mode, resolved.state.as_deref());
    let refuse = |body| Ok(Err(Refused::Answer(malformed(app, place, body))));
    if client.settings.sign_in.require_pushed_requests {
        return refuse(ErrorBody {
            error: ErrorCode::InvalidRequest,
            error_description: "this client must push its requests (RFC 9126)".to_owned(),
        });
    }
    match check(app, &client, &pairs) {
        Ok(request) => {
            let asked = resolved.with(&client, request);
            Ok(Ok((client, asked)))
        }
        Err(body) => refuse(body),
    }
}

/// Where the answer goes, and what goes along with it.
#[derive(Debug, Clone)]
pub struct Resolved {
    redirect_uri: String,
    sent: bool,
    mode: ResponseMode,
    state: Option<String>,
}

impl Resolved {
    /// The whole request.
    pub(in crate::flows) fn with(&self, client: &Client, request: AuthorizationRequest) -> Asked {
        Asked {
            client: client.id.clone(),
            redirect_uri: self.redirect_uri.clone(),
            redirect_uri_sent: self.sent,
            response_mode: self.mode,
            state: self.state.clone(),
            request,
        }
    }
}

/// Finds where the answer goes: a registered place only.
///
/// # Errors
/// Why there is none.
pub fn resolve(
    client: Arc<Client>,
    pairs: &[(String, String)],
) -> Result<(Arc<Client>, Resolved), Unanswerable> {
    let malformed = |()| Unanswerable::Malformed;
    let registered = &client.settings.redirect_uris;
    let sent = only(pairs, "redirect_uri").map_err(malformed)?;
    let redirect_uri = match (sent, registered.as_slice()) {
        (Some(sent), _) if is_registered(&client, sent) => sent.to_owned(),
        // OAuth 2.1 section 4.1.1: it may be left out when there is only one.
        (None, [one]) => one.clone(),
        _ => return Err(Unanswerable::RedirectUri),
    };
    // A mode or a state that came twice cannot be used for the refusal of a request in which
    // anything came twice, so that goes back without them.
    let mode = only(pairs, "response_mode").ok().flatten();
    let resolved = Resolved {
        redirect_uri,
        sent: sent.is_some(),
        mode: ResponseMode::parse(mode).unwrap_or_default(),
        state: only(pairs, "state").ok().flatten().map(str::to_owned),
    };
    Ok((client, resolved))
}

/// Whether an answer may go there.
pub(super) fn is_registered(client: &Client, redirect_uri: &str) -> bool {
    client.settings.redirect_uris.iter().any(|registered| redirect::matches(registered, redirect_uri))
}

/// Checks what is asked against what the client may ask.
///
/// # Errors
/// The error that goes back to the client.
pub(in crate::flows) fn check(
    app: &App,
    client: &Client,
    pairs: &[(String, String)],
) -> Result<AuthorizationRequest, ErrorBody> {
    let refuse = |error, text: &str| Err(ErrorBody { error, error_description: text.to_owned() });
    let parameters = Parameters::new(pairs.to_vec()).map_err(|error: ParametersError| ErrorBody {
        error: ErrorCode::InvalidRequest,
        error_description: error.to_string(),
    })?;
    let settings = &client.settings;
    if settings.kind == ClientKind::Service {
        return refuse(ErrorCode::UnauthorizedClient, "the client acts for itself, not for people");
    }
    let request = AuthorizationRequest::parse(&parameters)?;
    match &request.code_challenge {
        Some(challenge) if !pkce::is_challenge(challenge) => {
            return refuse(
                ErrorCode::InvalidRequest,
                "code_challenge must be 43 base64url characters: a SHA-256 hash",
            );
        }
        Some(_) => {}
        // OAuth 2.1 section 7.5.1: a confidential client, and a nonce in place of the challenge,
        // which it sees in the ID token only.
        None if settings.sign_in.allow_missing_pkce && !settings.public => {
            let scope = request.scope.as_ref().unwrap_or(&settings.scope);
            let bound = request.nonce.is_some() && scope.contains(OPENID);
            if !bound && !settings.sign_in.allow_missing_nonce {
                return refuse(
                    ErrorCode::InvalidRequest,
                    "code_challenge is missing: without PKCE there must be a nonce and the scope openid",
                );
            }
        }
        None => return refuse(ErrorCode::InvalidRequest, "code_challenge is missing: PKCE is required"),
    }
    if let Some(scope) = &request.scope
        && !scope.is_subset(&settings.scope)
    {
        return refuse(ErrorCode::InvalidScope, "scope asks for more than the client may have");
    }
    if request.resources.iter().any(|resource| !settings.audience.contains(resource)) {
        return refuse(ErrorCode::InvalidTarget, "resource names an API that the client may not use");
    }
    if look::hinted(app, &request).is_none() {
        return refuse(ErrorCode::InvalidRequest, look::WRONG_HINT);
    }
    Ok(request)
}

/// The value of a parameter that may come once; an empty value counts as absent.
fn only<'a>(pairs: &'a [(String, String)], name: &str) -> Result<Option<&'a str>, ()> {
    let mut values = pairs.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let first = values.next();
    match values.next() {
        Some(_) => Err(()),
        None => Ok(first.filter(|value| !value.is_empty())),
    }
}
