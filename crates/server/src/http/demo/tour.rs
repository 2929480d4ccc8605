//! The demo page of `--dev`: an application of a newcomer's own, a thief, and what the server does.
//!
//! It is an ordinary confidential client, but that it calls the flows in this process and keeps its
//! state in this process's memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_wire::{
    AccessToken, AuthorizationCode, ClientId, ClientSecret, CodeGrant, CodeVerifier, IdempotencyKey,
    RefreshToken, SessionId, TokenAnswer,
};
use serde_json::{Value, json};

use crate::app::App;
use crate::flows::bearer::{self, BearerRefusal};
use crate::flows::clients::Credentials;
use crate::flows::refresh::RefreshRequest;
use crate::flows::{FlowError, FlowResult, Origin, Refusal, codes, refresh};
use crate::http::error;
use crate::pages::{DemoEnd, DemoEvent, DemoStep, DemoWho};
use crate::time::Timestamp;

/// Most tours at once.
const MAX_TOURS: usize = 64;

/// The demo application as a client.
pub struct WebClient {
    /// Its id.
    pub id: ClientId,
    /// Its secret, made anew at each start.
    pub secret: ClientSecret,
}

/// The tours under way, by browser.
#[derive(Default)]
pub(super) struct Tours(Mutex<HashMap<String, Tour>>);

/// One browser's tour.
#[derive(Clone)]
pub(super) struct Tour {
    /// What the sign-in under way has to come back with.
    pub(super) pending: Option<Pending>,
    /// The tokens, once there are some.
    pub(super) live: Option<Live>,
}

/// A sign-in under way.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) state: String,
    pub(super) verifier: CodeVerifier,
}

/// What the application and the thief hold, and what was said.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) session: SessionId,
    pub(super) user: String,
    pub(super) access: AccessToken,
    pub(super) claims: Value,
    pub(super) refresh: RefreshToken,
    pub(super) refresh_lifetime: u64,
    pub(super) got_at: Timestamp,
    pub(super) generation: u32,
    pub(super) previous: Option<u32>,
    pub(super) called: bool,
    pub(super) stolen: Option<Stolen>,
    pub(super) ended: Option<DemoEnd>,
    pub(super) log: Vec<DemoStep>,
    /// What the application's retry proofs are made with, as our client library does.
    installation: String,
}

/// The thief's copy.
#[derive(Clone)]
pub(super) struct Stolen {
    pub(super) token: RefreshToken,
    pub(super) generation: u32,
    pub(super) used: bool,
}

impl Tours {
    pub(super) fn find(&self, browser: &str) -> Option<Tour> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(browser).cloned()
    }

    pub(super) fn keep(&self, browser: String, tour: Tour) {
        let mut tours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tours.len() >= MAX_TOURS && !tours.contains_key(&browser) {
            tours.clear();
        }
        tours.insert(browser, tour);
    }

    pub(super) fn forget(&self, browser: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(browser);
    }
}

impl Pending {
    /// A fresh one, and its challenge.
    pub(super) fn fresh() -> (Self, String) {
        let verifier = fresh();
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        (Self { state: fresh(), verifier: CodeVerifier::new(verifier) }, challenge)
    }
}

/// Exchanges the code for the first pair.
pub(super) async fn exchange(
    app: &App,
    client: &WebClient,
    pending: &Pending,
    (code, redirect_uri): (&str, &str),
    origin: Origin,
    now: Timestamp,
) -> FlowResult<Live> {
    let grant = CodeGrant {
        code: AuthorizationCode::new(code.to_owned()),
        redirect_uri: Some(redirect_uri.to_owned()),
        verifier: Some(pending.verifier.clone()),
    };
    let answer = codes::exchange(app, &credentials(client), &grant, &[], origin, now).await?;
    let claims = decode(&answer.access_token);
    let session = claims.get("sid").and_then(Value::as_str).and_then(|sid| sid.parse().ok());
    let (Some(session), Some(refresh)) = (session, answer.refresh_token.clone()) else {
        return Err(FlowError::Internal("the demo got no session"));
    };
    let request = "POST /oauth/token\ngrant_type=authorization_code&code=…&code_verifier=…".to_owned();
    Ok(Live {
        session,
        user: String::new(),
        claims,
        refresh,
        refresh_lifetime: answer.refresh_token_expires_in.unwrap_or_default(),
        got_at: now,
        generation: 1,
        previous: None,
        called: false,
        stolen: None,
        ended: None,
        log: vec![DemoStep {
            who: DemoWho::You,
            event: DemoEvent::SignedIn,
            request,
            status: Some(200),
            body: shown(&answer),
        }],
        access: answer.access_token,
        installation: fresh(),
    })
}

impl Live {
    /// Calls the API with the access token.
    pub(super) async fn call(&mut self, app: &App, audience: &str, scope: &str, now: Timestamp) {
        let checked = bearer::check(app, self.access.expose(), audience, scope, now).await;
        let (event, status, body) = match checked {
            Ok(Ok(claims)) => (
                DemoEvent::ApiAnswered,
                200,
                json!({"hello": claims.sub, "session": claims.sid, "scope": claims.scope}),
            ),
            Ok(Err(refusal)) => (DemoEvent::ApiRefused, bearer::answer(&refusal).0, api_error(&refusal)),
            Err(_) => (DemoEvent::Unavailable, 503, json!({"error": "temporarily_unavailable"})),
        };
        self.called = true;
        let request = format!("GET /api/profile\nAuthorization: Bearer {}", mask(self.access.expose()));
        self.say(DemoWho::You, event, request, status, pretty(&body));
    }

    /// The application refreshes.
    pub(super) async fn refresh(&mut self, app: &App, client: &WebClient, origin: Origin, now: Timestamp) {
        let token = self.refresh.clone();
        let proof = digest(&SHA256, format!("{}{}", self.installation, token.expose()).as_bytes());
        let key = Some(IdempotencyKey::new(URL_SAFE_NO_PAD.encode(proof)));
        let presented = self.generation;
        let request = refresh_request(&token, true);
        match present(app, client, token, key, origin, now).await {
            Ok(answer) => {
                self.previous = Some(presented);
                self.generation = presented + 1;
                self.take(answer, now, DemoWho::You, DemoEvent::Refreshed { from: presented }, request);
            }
            Err(error) => self.refused(DemoWho::You, presented, request, &error, now),
        }
    }

    /// The thief copies the refresh token.
    pub(super) fn steal(&mut self) {
        let generation = self.generation;
        self.stolen = Some(Stolen { token: self.refresh.clone(), generation, used: false });
        self.log.push(DemoStep {
            who: DemoWho::Thief,
            event: DemoEvent::Copied { generation },
            request: String::new(),
            status: None,
            body: String::new(),
        });
    }

    /// The thief refreshes with the copy, from elsewhere, and without the application's proof.
    pub(super) async fn use_stolen(&mut self, app: &App, client: &WebClient, now: Timestamp) {
        let Some(stolen) = self.stolen.clone() else { return };
        let origin = Origin { network: "203.0.113.0/24".to_owned(), agent: "the thief's program".to_owned() };
        let request = refresh_request(&stolen.token, false);
        match present(app, client, stolen.token, None, origin, now).await {
            Ok(answer) => {
                let body = shown(&answer);
                if let Some(token) = answer.refresh_token {
                    self.stolen = Some(Stolen { token, generation: stolen.generation + 1, used: true });
                }
                let event = DemoEvent::Refreshed { from: stolen.generation };
                self.say(DemoWho::Thief, event, request, 200, body);
            }
            Err(error) => self.refused(DemoWho::Thief, stolen.generation, request, &error, now),
        }
    }

    fn take(&mut self, answer: TokenAnswer, now: Timestamp, who: DemoWho, event: DemoEvent, request: String) {
        let body = shown(&answer);
        self.claims = decode(&answer.access_token);
        self.refresh_lifetime = answer.refresh_token_expires_in.unwrap_or_default();
        self.access = answer.access_token;
        self.got_at = now;
        if let Some(token) = answer.refresh_token {
            self.refresh = token;
        }
        self.say(who, event, request, 200, body);
    }

    fn refused(&mut self, who: DemoWho, generation: u32, request: String, error: &FlowError, now: Timestamp) {
        let (event, status, body) = match error {
            FlowError::Refused(refusal) => {
                let (status, code, text) = error::answer(refusal);
                let event = match refusal {
                    Refusal::Reuse(_) => DemoEvent::Reused { generation },
                    _ => DemoEvent::Refused,
                };
                (event, status.as_u16(), json!({"error": code.as_str(), "error_description": text}))
            }
            _ => (DemoEvent::Unavailable, 503, json!({"error": "temporarily_unavailable"})),
        };
        if matches!(event, DemoEvent::Reused { .. }) && self.ended.is_none() {
            let until =
                self.claims.get("exp").and_then(Value::as_i64).unwrap_or_default().saturating_mul(1000);
            self.ended = Some(DemoEnd { by: who, access_until: Timestamp(until.max(now.0)) });
        }
        self.say(who, event, request, status, pretty(&body));
    }

    fn say(&mut self, who: DemoWho, event: DemoEvent, request: String, status: u16, body: String) {
        self.log.push(DemoStep { who, event, request, status: Some(status), body });
    }
}

async fn present(
    app: &App,
    client: &WebClient,
    token: RefreshToken,
    idempotency_key: Option<IdempotencyKey>,
    origin: Origin,
    now: Timestamp,
) -> FlowResult<TokenAnswer> {
    let request = RefreshRequest { token, scope: None, resources: Vec::new(), idempotency_key, origin };
    refresh::run(app, &credentials(client), &request, now).await.map(|(answer, _)| answer)
}

fn credentials(client: &WebClient) -> Credentials {
    Credentials::Secret(client.id.clone(), client.secret.clone())
}

fn refresh_request(token: &RefreshToken, proves: bool) -> String {
    let proof = if proves { "Idempotency-Key: …\n" } else { "" };
    format!("POST /oauth/token\n{proof}grant_type=refresh_token&refresh_token={}", mask(token.expose()))
}

/// An answer with its tokens masked.
fn shown(answer: &TokenAnswer) -> String {
    pretty(&json!({
        "access_token": mask(answer.access_token.expose()),
        "token_type": "Bearer",
        "expires_in": answer.expires_in,
        "refresh_token": answer.refresh_token.as_ref().map(|token| mask(token.expose())),
        "scope": answer.scope,
    }))
}

fn api_error(refusal: &BearerRefusal) -> Value {
    match bearer::answer(refusal).1 {
        Some(body) => json!({"error": body.error, "error_description": body.error_description}),
        None => Value::Null,
    }
}

fn pretty(body: &Value) -> String {
    serde_json::to_string_pretty(body).unwrap_or_default()
}

/// The beginning and the end of a token. The end of a refresh token is a part of its mac that nobody
/// can make the rest from.
pub(super) fn mask(token: &str) -> String {
    let head: String = token.chars().take(8).collect();
    let tail: String = token.chars().skip(token.chars().count().saturating_sub(4)).collect();
    format!("{head}…{tail}")
}

/// The claims, as anybody can read them: nothing is checked here.
fn decode(token: &AccessToken) -> Value {
    let payload = token.expose().split('.').nth(1).unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

fn fresh() -> String {
    URL_SAFE_NO_PAD.encode(crate::entropy::bytes::<32>())
}
