//! `/users`.

mod views;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use countersign_wire::Password;
use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::Admin;
use super::error::{AdminError, Errors};
use super::extract::{Body, NoBody, Path, Query};
use super::page::{List, Wanted};
use super::receipt::{NoQuery, Preview, Receipt};
use crate::flows::Target;
use crate::flows::manage_users::{self, Change, NewUser, ProfileFields};
use views::{UserDetails, UserView};

const LIST: &str = "users";

/// A user, and what a change ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserAnswer {
    user: UserView,
    /// Null for a change that ends nothing.
    receipt: Option<Receipt>,
}

/// A user, and what taking the factors away ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FactorsAnswer {
    user: UserView,
    /// How many second factors and recovery codes were taken away, or would be.
    factors_removed: usize,
    /// Null when there were none.
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
    /// Whether the address was found to be the person's.
    #[serde(default)]
    email_verified: Option<bool>,
    /// Standard claims of OpenID Connect Core section 5.1 beside username and address: `name`,
    /// `given_name`, `picture` and so on, at most 8 KiB together.
    #[serde(default)]
    claims: Option<Map<String, Value>>,
}

/// What can be changed about a person.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserFields {
    /// Another address; `null` takes it away. The user is signed out everywhere.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    /// Whether the address was found to be the person's; an address that is new is not, unless
    /// this says so.
    #[serde(default)]
    email_verified: Option<bool>,
    /// Standard claims; those that are not named stay, and `null` takes one away.
    #[serde(default)]
    claims: Option<Map<String, Value>>,
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

/// `null` is told from absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
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
    let AddUser { username, email, password, tenant, roles, email_verified, claims } = request;
    let new = NewUser {
        username,
        email,
        password,
        tenant,
        roles: roles.unwrap_or_default(),
        email_verified: email_verified.unwrap_or_default(),
        claims: claims.unwrap_or_default(),
    };
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

/// Shows a user, with second factors, live browser sessions and consents.
#[utoipa::path(get, path = "/users/{ref}", tag = "users", operation_id = "showUser",
    params(("ref" = String, Path, description = "The user's id or name.")),
    responses((status = 200, description = "The user.", body = UserDetails), Errors))]
pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    Path(reference): Path,
    Query(NoQuery {}): Query<NoQuery>,
) -> Result<Json<UserDetails>, AdminError> {
    let app = &admin.app;
    let details = manage_users::details(app, &reference, app.clock.now()).await?;
    Ok(Json(UserDetails::new(&details)))
}

/// Changes what is said of the person. Another address ends all that the user has.
#[utoipa::path(patch, path = "/users/{ref}", tag = "users", operation_id = "changeUser", request_body = UserFields,
    params(("ref" = String, Path, description = "The user's id or name."), Preview),
    responses((status = 200, description = "The user, and what that ended or would end.", body = UserAnswer), Errors))]
pub(super) async fn change(
    State(admin): State<Arc<Admin>>,
    Path(reference): Path,
    Query(Preview { preview }): Query<Preview>,
    Body(UserFields { email, email_verified, claims }): Body<UserFields>,
) -> Result<Json<UserAnswer>, AdminError> {
    let fields = ProfileFields { email, email_verified, claims: claims.unwrap_or_default() };
    apply(&admin, &reference, Change::Profile(fields), preview).await
}

/// Removes a user with all that the user has.
#[utoipa::path(delete, path = "/users/{ref}", tag = "users", operation_id = "removeUser",
    params(("ref" = String, Path, description = "The user's id or name."), Preview),
    responses((status = 200, description = "What that ended, or would end.", body = Receipt), Errors))]
pub(super) async fn remove(
    State(admin): State<Arc<Admin>>,
    Path(reference): Path,
    Query(Preview { preview }): Query<Preview>,
    _: NoBody,
) -> Result<Json<Receipt>, AdminError> {
    let app = &admin.app;
    let (target, ending) = manage_users::remove(app, &reference, preview, app.clock.now()).await?;
    Ok(Json(Receipt::new(&target, &ending, preview)))
}

/// Takes all second factors and recovery codes from a user who has lost them, and ends all that the
/// user has.
#[utoipa::path(post, path = "/users/{ref}/reset-factors", tag = "users", operation_id = "resetUserFactors",
    params(("ref" = String, Path, description = "The user's id or name."), Preview),
    responses((status = 200, description = "The user, and what that ended or would end.", body = FactorsAnswer), Errors))]
pub(super) async fn reset_factors(
    State(admin): State<Arc<Admin>>,
    Path(reference): Path,
    Query(Preview { preview }): Query<Preview>,
    _: NoBody,
) -> Result<Json<FactorsAnswer>, AdminError> {
    let app = &admin.app;
    let (user, factors_removed, ending) =
        manage_users::reset_factors(app, &reference, preview, app.clock.now()).await?;
    let receipt = ending.map(|ending| Receipt::new(&Target::User(user.id), &ending, preview));
    Ok(Json(FactorsAnswer { user: UserView::new(&user), factors_removed, receipt }))
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
