//! `/revocations` and `/tokens/revoke`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use countersign_wire::AccessToken;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Admin;
use super::error::{AdminError, Errors};
use super::extract::{Body, Query};
use super::page::{List, Wanted};
use super::receipt::{Preview, Receipt};
use crate::flows::records::{self, RevocationEntry};

const LIST: &str = "revocations";

/// An entry of the revocation log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Revocation)]
pub(super) struct RevocationView {
    number: u64,
    #[schema(format = DateTime)]
    at: String,
    /// When the last access token that it could concern has expired: then it is removed.
    #[schema(format = DateTime)]
    expires_at: String,
    /// `token`, `session`, `user`, `client`, `tenant` or `everything`.
    target: &'static str,
    /// Its id or name; empty for everything.
    subject: String,
    /// For a user: tokens with a lower stamp version are ended.
    stamp: Option<u64>,
    reason: &'static str,
}

impl RevocationView {
    fn new(entry: &RevocationEntry) -> Self {
        Self {
            number: entry.number,
            at: entry.at.to_string(),
            expires_at: entry.expires_at.to_string(),
            target: entry.target.kind(),
            subject: entry.target.subject(),
            stamp: entry.stamp,
            reason: entry.reason.as_str(),
        }
    }
}

/// Which entries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Most items, 1 to 500; 50 when it is absent.
    limit: Option<u32>,
    /// A `next_cursor`.
    cursor: Option<String>,
    /// Numbered above this.
    after: Option<u64>,
}

/// What to end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRevocation {
    /// `token`, `session`, `user`, `client`, `tenant` or `everything`.
    target: String,
    /// Its id or name, for a token its `jti`; none for everything.
    #[serde(default)]
    subject: Option<String>,
}

/// A token to revoke.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenToRevoke {
    /// An access token, or a refresh token, spent or not: that ends its session.
    #[serde(deserialize_with = "token_text")]
    #[schema(value_type = String, write_only)]
    token: AccessToken,
}

fn token_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AccessToken, D::Error> {
    String::deserialize(deserializer).map(AccessToken::new)
}

/// Lists the entries of the revocation log that have not expired, in order.
#[utoipa::path(get, path = "/revocations", tag = "revocations", operation_id = "listRevocations", params(Filter),
    responses((status = 200, description = "Entries.", body = List<RevocationView>), Errors))]
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Query(Filter { limit, cursor, after }): Query<Filter>,
) -> Result<Json<List<RevocationView>>, AdminError> {
    let app = &admin.app;
    if cursor.is_some() && after.is_some() {
        return Err(AdminError::invalid("send cursor or after, not both"));
    }
    let wanted = Wanted::read(app, LIST, limit, cursor.as_deref())?;
    let after = wanted.page()?.after.or(after).unwrap_or(0);
    let entries = records::revocations(app, after, wanted.rows(), app.clock.now()).await?;
    Ok(Json(wanted.answer(entries, |entry| entry.number.to_string(), RevocationView::new)))
}

/// Ends what is named.
#[utoipa::path(post, path = "/revocations", tag = "revocations", operation_id = "revoke", request_body = NewRevocation,
    params(Preview),
    responses((status = 200, description = "What that ended, or would end.", body = Receipt), Errors))]
pub(super) async fn revoke(
    State(admin): State<Arc<Admin>>,
    Query(Preview { preview }): Query<Preview>,
    Body(NewRevocation { target, subject }): Body<NewRevocation>,
) -> Result<Json<Receipt>, AdminError> {
    let app = &admin.app;
    let (target, ending) =
        records::revoke(app, &target, subject.as_deref(), preview, app.clock.now()).await?;
    Ok(Json(Receipt::new(&target, &ending, preview)))
}

/// Ends an access token, or the session of a refresh token.
#[utoipa::path(post, path = "/tokens/revoke", tag = "revocations", operation_id = "revokeToken",
    request_body = TokenToRevoke, params(Preview),
    responses((status = 200, description = "What that ended, or would end.", body = Receipt), Errors))]
pub(super) async fn revoke_token(
    State(admin): State<Arc<Admin>>,
    Query(Preview { preview }): Query<Preview>,
    Body(TokenToRevoke { token }): Body<TokenToRevoke>,
) -> Result<Json<Receipt>, AdminError> {
    let app = &admin.app;
    let (target, ending) = records::revoke_token(app, token.expose(), preview, app.clock.now()).await?;
    Ok(Json(Receipt::new(&target, &ending, preview)))
}
