//! `/demo`: the handlers of the demo page. Each button is a form, so that it works without script.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::Value;

use super::Demo;
use super::tour::{Live, Pending, Tour, exchange, mask};
use crate::flows::explain;
use crate::http::Public;
use crate::http::browser::{Submission, Visit};
use crate::http::timeline::points;
use crate::pages::{self, DemoAccess, DemoActions, DemoRefresh, DemoStart, DemoStolen, Fault, TimelinePoint};
use crate::time::Timestamp;

type Shared = State<(Arc<Public>, Arc<Demo>)>;

/// `GET /demo`.
pub(super) async fn show(State((public, demo)): Shared, request: Request) -> Response {
    let visit = match Visit::read(&public, &request.into_parts().0).await {
        Ok(visit) => visit,
        Err(page) => return page,
    };
    let chrome = visit.chrome(&public, None);
    let live = demo.tours.find(&visit.binding()).and_then(|tour| tour.live);
    let Some(live) = live else {
        let view = DemoStart {
            action: format!("{}/demo/start", public.links.base),
            csrf: visit.csrf(),
            login: Some((demo.user.0.to_owned(), demo.user.1.to_owned())),
        };
        return visit.page(&public, StatusCode::OK, pages::demo_start(&chrome, &view));
    };
    let timeline = timeline(&public, &live, visit.now).await;
    let view = view(&public, &visit, &live, timeline);
    visit.page(&public, StatusCode::OK, pages::demo(&chrome, &view))
}

/// `POST /demo/start`: to the authorization endpoint, as any application.
pub(super) async fn start(State((public, demo)): Shared, request: Request) -> Response {
    let Submission { visit, is_genuine, .. } = match Submission::read(&public, request).await {
        Ok(submission) => submission,
        Err(page) => return page,
    };
    if !is_genuine {
        return visit.see_other(&public, "/demo");
    }
    let (pending, challenge) = Pending::fresh();
    let query: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("response_type", "code"),
            ("client_id", demo.web.id.as_str()),
            ("redirect_uri", &redirect_uri(&public)),
            ("scope", "openid profile email profile:read"),
            ("state", &pending.state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ])
        .finish();
    demo.tours.keep(visit.binding(), Tour { pending: Some(pending), live: None });
    visit.see_other(&public, &format!("/oauth/authorize?{query}"))
}

/// `GET /demo/callback`: the way back.
pub(super) async fn callback(State((public, demo)): Shared, request: Request) -> Response {
    let visit = match Visit::read(&public, &request.into_parts().0).await {
        Ok(visit) => visit,
        Err(page) => return page,
    };
    let pending = demo.tours.find(&visit.binding()).and_then(|tour| tour.pending);
    let Some(pending) = pending.filter(|pending| visit.parameter("state") == Some(pending.state.as_str()))
    else {
        return visit.see_other(&public, "/demo");
    };
    let Some(code) = visit.parameter("code") else {
        demo.tours.forget(&visit.binding());
        return visit.see_other(&public, "/demo");
    };
    let place = (code, redirect_uri(&public));
    let origin = visit.origin.clone();
    let exchanged = exchange(&public.app, &demo.web, &pending, (place.0, &place.1), origin, visit.now).await;
    match exchanged {
        Ok(mut live) => {
            live.user = visit.standing.as_ref().map(|s| s.user.username.clone()).unwrap_or_default();
            demo.tours.keep(visit.binding(), Tour { pending: None, live: Some(live) });
            visit.see_other(&public, "/demo")
        }
        Err(error) => visit.failed(&public, &error),
    }
}

/// `POST /demo/{what}`: one of the buttons.
pub(super) async fn act(State((public, demo)): Shared, request: Request) -> Response {
    let what = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let Submission { visit, is_genuine, .. } = match Submission::read(&public, request).await {
        Ok(submission) => submission,
        Err(page) => return page,
    };
    let live = demo.tours.find(&visit.binding()).and_then(|tour| tour.live);
    let (Some(mut live), true) = (live, is_genuine) else { return visit.see_other(&public, "/demo") };
    live.previous = None;
    let app = &public.app;
    match what.as_str() {
        "call" => live.call(app, &demo.audience, demo.scope, visit.now).await,
        "refresh" => live.refresh(app, &demo.web, visit.origin.clone(), visit.now).await,
        "steal" => live.steal(),
        "use-stolen" => live.use_stolen(app, &demo.web, visit.now).await,
        "restart" => {
            demo.tours.forget(&visit.binding());
            return visit.see_other(&public, "/demo");
        }
        _ => return visit.fault(&public, StatusCode::NOT_FOUND, Fault::NotFound),
    }
    demo.tours.keep(visit.binding(), Tour { pending: None, live: Some(live) });
    visit.see_other(&public, "/demo")
}

fn redirect_uri(public: &Public) -> String {
    format!("{}/demo/callback", public.app.policy.issuer)
}

fn view(public: &Public, visit: &Visit, live: &Live, timeline: Vec<TimelinePoint>) -> pages::Demo {
    let at = |what: &str| format!("{}/demo/{what}", public.links.base);
    let seconds = |claim: &str| live.claims.get(claim).and_then(Value::as_i64).unwrap_or_default();
    let lifetime = u64::try_from(seconds("exp") - seconds("iat")).unwrap_or_default();
    pages::Demo {
        csrf: visit.csrf(),
        actions: DemoActions {
            call: at("call"),
            refresh: at("refresh"),
            steal: at("steal"),
            use_stolen: at("use-stolen"),
            restart: at("restart"),
        },
        user: live.user.clone(),
        access: DemoAccess {
            masked: mask(live.access.expose()),
            claims: claims(&live.claims),
            expires_at: Timestamp(seconds("exp").saturating_mul(1000)),
            lifetime,
        },
        refresh: DemoRefresh {
            masked: mask(live.refresh.expose()),
            generation: live.generation,
            previous: live.previous,
            session_id: live.session.to_string(),
            expires_at: live.got_at.plus(std::time::Duration::from_secs(live.refresh_lifetime)),
            lifetime: live.refresh_lifetime,
        },
        called: live.called,
        stolen: live.stolen.as_ref().map(|stolen| DemoStolen {
            masked: mask(stolen.token.expose()),
            generation: stolen.generation,
            used: stolen.used,
        }),
        ended: live.ended,
        timeline,
        log: live.log.clone(),
    }
}

fn claims(claims: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    claims.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// The session's life as the server tells it. Without it the page is still of use.
async fn timeline(public: &Public, live: &Live, now: Timestamp) -> Vec<TimelinePoint> {
    explain::run(&public.app, &live.session.to_string(), now).await.map_or_else(|_| Vec::new(), points)
}
