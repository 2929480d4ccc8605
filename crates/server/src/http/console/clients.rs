//! `/console/clients`.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;

use super::part::Part;
use super::sessions::of;
use super::{Act, Desk, word};
use crate::flows::FlowResult;
use crate::flows::manage_clients::{self, Client, ClientFilter, Rotation};
use crate::flows::records::SessionQuery;
use crate::http::Public;
use crate::pages::{self, ClientList, ClientPage, ClientRow, Filter, FilterKind, Verb};

/// `GET /console/clients`.
pub(in crate::http) async fn show_clients(State(public): State<Arc<Public>>, request: Request) -> Response {
    match Desk::enter(public, request).await {
        Ok(desk) => desk.answer(list(&desk).await),
        Err(page) => page,
    }
}

/// `GET /console/clients/{id}`.
pub(in crate::http) async fn show_client(
    State(public): State<Arc<Public>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    match Desk::enter(public, request).await {
        Ok(desk) => desk.answer(one(&desk, &id).await),
        Err(page) => page,
    }
}

/// `POST /console/clients/{id}/disable`.
pub(in crate::http) async fn disable_client(
    State(public): State<Arc<Public>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    set_enabled(public, &id, request, false).await
}

/// `POST /console/clients/{id}/enable`.
pub(in crate::http) async fn enable_client(
    State(public): State<Arc<Public>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    set_enabled(public, &id, request, true).await
}

async fn set_enabled(public: Arc<Public>, id: &str, request: Request, enabled: bool) -> Response {
    let encoded: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    let back = format!("/console/clients/{encoded}");
    let Act { desk, by, .. } = match Act::read(public, request, |_| back.clone()).await {
        Ok(act) => act,
        Err(page) => return page,
    };
    let done = by.set_client_enabled(&desk.public.app, id, enabled, desk.visit.now).await;
    desk.done(done, &back)
}

async fn list(desk: &Desk) -> FlowResult<Result<String, askama::Error>> {
    let part = Part::read(desk, "clients");
    let tenant = desk.visit.parameter("tenant").map(str::to_owned);
    let filter = ClientFilter { tenant, enabled: desk.state("enabled", "disabled") };
    let mut clients = manage_clients::list(&desk.public.app, &filter, &part.page()).await?;
    let next = part.next(&mut clients, |client| client.id.to_string());
    let view = ClientList {
        urls: desk.urls(),
        filter: Filter {
            action: desk.at("clients"),
            fields: vec![
                desk.field(FilterKind::Tenant, "tenant", &[]),
                desk.field(FilterKind::State, "state", &["enabled", "disabled"]),
            ],
        },
        rows: clients.iter().map(|client| row(desk, client)).collect(),
        next,
    };
    Ok(pages::client_list(&desk.chrome(), &view))
}

async fn one(desk: &Desk, id: &str) -> FlowResult<Result<String, askama::Error>> {
    let client = manage_clients::lookup(&desk.public.app, id).await?;
    let id = client.id.as_str();
    let sessions = of(desk, &SessionQuery { client: Some(id), ..SessionQuery::default() }).await?;
    let gate = match client.enabled {
        true => desk.button(Verb::Disable, &format!("clients/{id}/disable")),
        false => desk.button(Verb::Enable, &format!("clients/{id}/enable")),
    };
    let settings = &client.settings;
    let view = ClientPage {
        urls: desk.urls(),
        csrf: desk.visit.csrf(),
        client: row(desk, &client),
        rotation: match settings.rotation {
            Rotation::Rotate => format!("{}, {} s", word(&settings.rotation), settings.overlap().as_secs()),
            Rotation::RotateStrict | Rotation::Reuse => word(&settings.rotation),
        },
        redirect_uris: settings.redirect_uris.clone(),
        scopes: settings.scope.iter().map(str::to_owned).collect(),
        audiences: settings.audience.clone(),
        actions: vec![gate, desk.revoke_button("client", id)],
        sessions,
    };
    Ok(pages::client_page(&desk.chrome(), &view))
}

fn row(desk: &Desk, client: &Client) -> ClientRow {
    ClientRow {
        url: desk.at(&format!("clients/{}", client.id)),
        id: client.id.to_string(),
        kind: word(&client.settings.kind),
        token_format: word(&client.settings.token_format),
        tenant: client.tenant.clone(),
        enabled: client.enabled,
        created: client.created_at,
    }
}
