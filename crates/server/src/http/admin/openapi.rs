//! The description of the admin API (OpenAPI 3.1), made from the same table as its routes.

use axum::Json;
use utoipa::PartialSchema as _;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, SecurityRequirement};
use utoipa_axum::router::OpenApiRouter;

use super::error::ErrorAnswer;
use super::extract::Query;
use super::receipt::NoQuery;
use super::{PREFIX, resources};

const SCHEME: &str = "adminToken";

/// The description.
pub fn openapi() -> OpenApi {
    let token = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "The admin token: admin_token of the configuration, or the file admin-token in the data directory. On the \
             Unix socket none is needed.",
        ))
        .build();
    let info = InfoBuilder::new()
        .title("Countersign admin API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "On the management listener and on the Unix socket in the data directory. Times are RFC 3339. Members and \
             parameters that are not known are errors. Every revoking verb can be asked first what it would end, with \
             preview=true.",
        ))
        .build();
    let components = ComponentsBuilder::new()
        .security_scheme(SCHEME, SecurityScheme::Http(token))
        // Schemas that only responses name are not collected by themselves.
        .schema("Error", ErrorAnswer::schema())
        .build();
    let about = OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .security(Some([SecurityRequirement::new(SCHEME, Vec::<String>::new())]))
        .build();
    OpenApiRouter::with_openapi(about).nest(PREFIX, resources()).into_openapi()
}

/// Describes this API.
#[utoipa::path(get, path = "/openapi.json", tag = "status", operation_id = "openapi",
    responses((status = 200, description = "An OpenAPI 3.1 document.", body = serde_json::Value), super::error::Errors))]
pub(super) async fn document(Query(NoQuery {}): Query<NoQuery>) -> Json<OpenApi> {
    Json(openapi())
}
