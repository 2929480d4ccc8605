//! `/console/users`.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;

use super::part::Part;
use super::sessions::of;
use super::{Act, Desk};
use crate::flows::FlowResult;
use crate::flows::manage_users::{self, Change, User};
use crate::flows::records::{self, SessionQuery};
use crate::http::Public;
use crate::http::account::browser_row;
use crate::pages::{self, Filter, FilterKind, UserList, UserPage, UserRow, Verb};

/// `GET /console/users`.
pub(in crate::http) async fn show_users(State(public): State<Arc<Public>>, request: Request) -> Response {
    match Desk::enter(public, request).await {
        Ok(desk) => desk.answer(list(&desk).await),
        Err(page) => page,
    }
}

/// `GET /console/users/{ref}`: by id or name.
pub(in crate::http) async fn show_user(
    State(public): State<Arc<Public>>,
    Path(reference): Path<String>,
    request: Request,
) -> Response {
    match Desk::enter(public, request).await {
        Ok(desk) => desk.answer(one(&desk, &reference).await),
        Err(page) => page,
    }
}

/// `POST /console/users/{ref}/disable`.
pub(in crate::http) async fn disable_user(
    State(public): State<Arc<Public>>,
    Path(reference): Path<String>,
    request: Request,
) -> Response {
    change(public, &reference, request, Change::Disable).await
}

/// `POST /console/users/{ref}/enable`.
pub(in crate::http) async fn enable_user(
    State(public): State<Arc<Public>>,
    Path(reference): Path<String>,
    request: Request,
) -> Response {
    change(public, &reference, request, Change::Enable).await
}

/// `POST /console/users/{ref}/sign-out`.
pub(in crate::http) async fn sign_user_out(
    State(public): State<Arc<Public>>,
    Path(reference): Path<String>,
    request: Request,
) -> Response {
    change(public, &reference, request, Change::SignOut).await
}

async fn change(public: Arc<Public>, reference: &str, request: Request, change: Change) -> Response {
    // Encoded anew: what came was decoded.
    let encoded: String = form_urlencoded::byte_serialize(reference.as_bytes()).collect();
    let back = format!("/console/users/{encoded}");
    let Act { desk, by, .. } = match Act::read(public, request, |_| back.clone()).await {
        Ok(act) => act,
        Err(page) => return page,
    };
    let done = by.change_user(&desk.public.app, reference, change, desk.visit.now).await;
    desk.done(done, &back)
}

async fn list(desk: &Desk) -> FlowResult<Result<String, askama::Error>> {
    let part = Part::read(desk, "users");
    let parameter = |name| desk.visit.parameter(name);
    let tenant = parameter("tenant").map(str::to_owned);
    let enabled = desk.state("enabled", "disabled");
    let app = &desk.public.app;
    let mut users = manage_users::list(app, tenant, enabled, parameter("name"), &part.page()).await?;
    let next = part.next(&mut users, |user| user.canonical.clone());
    let view = UserList {
        urls: desk.urls(),
        filter: Filter {
            action: desk.at("users"),
            fields: vec![
                desk.field(FilterKind::Name, "name", &[]),
                desk.field(FilterKind::Tenant, "tenant", &[]),
                desk.field(FilterKind::State, "state", &["enabled", "disabled"]),
            ],
        },
        rows: users.iter().map(|user| row(desk, user)).collect(),
        next,
    };
    Ok(pages::user_list(&desk.chrome(), &view))
}

async fn one(desk: &Desk, reference: &str) -> FlowResult<Result<String, askama::Error>> {
    let (app, now) = (&desk.public.app, desk.visit.now);
    let user = manage_users::find(app, reference).await?;
    let id = user.id.to_string();
    let query = SessionQuery { user: Some(&id), ..SessionQuery::default() };
    let sessions = of(desk, &query).await?;
    let browsers = records::browsers(app, user.id, now).await?;
    let methods = manage_users::methods(app, &user).await?;
    let button = |verb, what: &str| desk.button(verb, &format!("users/{id}/{what}"));
    let gate = match user.enabled {
        true => button(Verb::Disable, "disable"),
        false => button(Verb::Enable, "enable"),
    };
    let view = UserPage {
        urls: desk.urls(),
        csrf: desk.visit.csrf(),
        user: row(desk, &user),
        stamp: user.stamp,
        methods: methods.into_iter().map(str::to_owned).collect(),
        actions: vec![gate, button(Verb::SignOut, "sign-out")],
        sessions,
        browsers: browsers.iter().map(|session| browser_row(session, None)).collect(),
        id,
    };
    Ok(pages::user_page(&desk.chrome(), &view))
}

fn row(desk: &Desk, user: &User) -> UserRow {
    UserRow {
        url: desk.at(&format!("users/{}", user.id)),
        username: user.username.clone(),
        email: user.email.clone(),
        tenant: user.tenant.clone(),
        roles: user.roles.clone(),
        enabled: user.enabled,
        created: user.created_at,
    }
}
