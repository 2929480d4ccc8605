//! `/users`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use countersign_wire::Password;
use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Admin;
use super::error::{AdminError, Errors};
use super::extract::{Body, NoBody, Path, Query};
use super::page::{List, Wanted};
use super::receipt::{NoQuery, Preview, Receipt};
use crate::flows::Target;
use crate::flows::manage_users::{self, Change, NewUser, User};

const LIST: &str = "users";

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct UserView {
    /// The `sub` claim.
    user_id: String,
    username: String,
    email: Option<String>,
    /// False when a back end signs the user in itself.
    has_password: bool,
    enabled: bool,
    /// The version number: sessions and tokens of an older one are ended.
    stamp: u64,
    tenant: Option<String>,
    roles: Vec<String>,
    #[schema(format = DateTime)]
    created_at: String,
}

impl UserView {
    fn new(user: &User) -> Self {
        Self {
            user_id: user.id.to_string(),
            username: user.username.clone(),
            email: user.email.clone(),
            has_password: user.password_hash.is_some(),
            enabled: user.enabled,
            stamp: user.stamp,
            tenant: user.tenant.clone(),
            roles: user.roles.clone(),
            created_at: user.created_at.to_string(),
        }
    }
}

/// A user, and what a change ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserAnswer {
    user: UserView,
    /// Null for a change that ends nothing.
    receipt: Option<Receipt>,
}

/// Which users to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Most items, 1 to 500; 50 when it is absent.
    limit: Option<u32>,
    /// A `next_cursor`.
    cursor: Option<String>,
    /// Of this tenant.
    tenant: Option<String>,
    /// Enabled or disabled ones.
    enabled: Option<bool>,
    /// Whose name begins so.
    name: Option<String>,
}

/// A user to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUser)]
pub(super) struct AddUser {
    /// 1 to 128 characters, not of a UUID's form; names that look alike are the same.
    username: String,
    #[serde(default)]
    email: Option<String>,
    /// 8 characters to 1,024 bytes; none when a back end signs the user in itself.
    #[serde(default, deserialize_with = "optional_password")]
    #[schema(value_type = Option<String>, format = Password, write_only)]
    password: Option<Password>,
    #[serde(default)]
    tenant: Option<String>,
    /// At most 32 of 64 characters, 1 KiB together.
    #[serde(default)]
    roles: Option<Vec<String>>,
}

/// A new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    /// 8 characters to 1,024 bytes.
    #[serde(deserialize_with = "password_text")]
    #[schema(value_type = String, format = Password, write_only)]
    password: Password,
}

/// New roles.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRoles {
    /// All roles that the user has from now on.
    roles: Vec<String>,
}

fn password_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Password, D::Error> {
    String::deserialize(deserializer).map(Password::new)
}

fn optional_password<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Password>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|text| text.map(Password::new))
}

/// Adds a user.
#[utoipa::path(post, path = "/users", tag = "users", operation_id = "addUser", request_body = AddUser,
    responses((status = 201, description = "The user was added.", body = UserView), Errors))]
pub(super) async fn add(
    State(admin): State<Arc<Admin>>,
    Query(NoQuery {}): Query<NoQuery>,
    Body(request): Body<AddUser>,
) -> Result<(StatusCode, Json<UserView>), AdminError> {
    let app = &admin.app;
    let AddUser { username, email, password, tenant, roles } = request;
    let new = NewUser { username, email, password, tenant, roles: roles.unwrap_or_default() };
    let user = manage_users::add(app, new, app.clock.now()).await?;
    Ok((StatusCode::CREATED, Json(UserView::new(&user))))
}

/// Lists users by name.
#[utoipa::path(get, path = "/users", tag = "users", operation_id = "listUsers", params(Filter),
    responses((status = 200, description = "Users.", body = List<UserView>), Errors))]
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Query(filter): Query<Filter>,
) -> Result<Json<List<UserView>>, AdminError> {
    let app = &admin.app;
    let Filter { limit, cursor, tenant, enabled, name } = filter;
    let wanted = Wanted::read(app, LIST, limit, cursor.as_deref())?;
    let users = manage_users::list(app, tenant, enabled, name.as_deref(), &wanted.page()?).await?;
    Ok(Json(wanted.answer(users, |user| user.canonical.clone(), UserView::new)))
}

/// Shows a user.
#[utoipa::path(get, path = "/users/{ref}", tag = "users", operation_id = "showUser",
    params(("ref" = String, Path, description = "The user's id or name.")),
    responses((status = 200, description = "The user.", body = UserView), Errors))]
pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    Path(reference): Path,
    Query(NoQuery {}): Query<NoQuery>,
) -> Result<Json<UserView>, AdminError> {
    let user = manage_users::find(&admin.app, &reference).await?;
    Ok(Json(UserView::new(&user)))
}

/// Disables a user and ends all that the user has, for good.
#[utoipa::path(post, path = "/users/{ref}/disable", tag = "users", operation_id = "disableUser",
    params(("ref" = String, Path, description = "The user's id or name."), Preview),
    responses((status = 200, description = "The user, and what that ended or would end.", body = UserAnswer), Errors))]
pub(super) async fn disable(
    State(admin): State<Arc<Admin>>,
    Path(reference): Path,
    Query(Preview { preview }): Query<Preview>,
    _: NoBody,
) -> Result<Json<UserAnswer>, AdminError> {
    apply(&admin, &reference, Change::Disable, preview).await
}

/// Enables a user. What was ended stays ended.
#[utoipa::path(post, path = "/users/{ref}/enable", tag = "users", operation_id = "enableUser",
    params(("ref" = String, Path, description = "The user's id or name.")),
    responses((status = 200, description = "The user.", body = UserAnswer), Errors))]
pub(super) async fn enable(
    State(admin): State<Arc<Admin>>,
    Path(reference): Path,
    Query(NoQuery {}): Query<NoQuery>,
    _: NoBody,
) -> Result<Json<UserAnswer>, AdminError> {
    apply(&admin, &reference, Change::Enable, false).await
}

/// Ends all sessions of a user.
#[utoipa::path(post, path = "/users/{ref}/sign-out", tag = "users", operation_id = "signUserOut",
    params(("ref" = String, Path, description = "The user's id or name."), Preview),
    responses((status = 200, description = "The user, and what that ended or would end.", body = UserAnswer), Errors))]
pub(super) async fn sign_out(
    State(admin): State<Arc<Admin>>,
    Path(reference): Path,
    Query(Preview { preview }): Query<Preview>,
    _: NoBody,
) -> Result<Json<UserAnswer>, AdminError> {
    apply(&admin, &reference, Change::SignOut, preview).await
}

/// Sets a user's password and ends all that the user has.
#[utoipa::path(post, path = "/users/{ref}/password", tag = "users", operation_id = "setUserPassword",
    request_body = NewPassword,
    params(("ref" = String, Path, description = "The user's id or name."), Preview),
    responses((status = 200, description = "The user, and what that ended or would end.", body = UserAnswer), Errors))]
pub(super) async fn password(
    State(admin): State<Arc<Admin>>,
    Path(reference): Path,
    Query(Preview { preview }): Query<Preview>,
    Body(NewPassword { password }): Body<NewPassword>,
) -> Result<Json<UserAnswer>, AdminError> {
    apply(&admin, &reference, Change::Password(password), preview).await
}

/// Sets a user's roles; taking one away ends all that the user has.
#[utoipa::path(post, path = "/users/{ref}/roles", tag = "users", operation_id = "setUserRoles", request_body = NewRoles,
    params(("ref" = String, Path, description = "The user's id or name."), Preview),
    responses((status = 200, description = "The user, and what that ended or would end.", body = UserAnswer), Errors))]
pub(super) async fn roles(
    State(admin): State<Arc<Admin>>,
    Path(reference): Path,
    Query(Preview { preview }): Query<Preview>,
    Body(NewRoles { roles }): Body<NewRoles>,
) -> Result<Json<UserAnswer>, AdminError> {
    apply(&admin, &reference, Change::Roles(roles), preview).await
}

async fn apply(
    admin: &Admin,
    reference: &str,
    change: Change,
    preview: bool,
) -> Result<Json<UserAnswer>, AdminError> {
    let app = &admin.app;
    let (user, ending) = manage_users::change(app, reference, change, preview, app.clock.now()).await?;
    let receipt = ending.map(|ending| Receipt::new(&Target::User(user.id), &ending, preview));
    Ok(Json(UserAnswer { user: UserView::new(&user), receipt }))
}
