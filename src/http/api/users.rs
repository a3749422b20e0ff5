//! Users.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        Admin, Anyone, App, Page, Paging, PagingParams, Problem,
        body::{Body, Name, named},
    },
    batches::status,
};
use crate::{
    account::{self, Role, User, UserInput},
    catalog::Expect,
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, replace))
        .routes(routes!(enable))
        .routes(routes!(disable))
}

/// Lists users by name.
#[utoipa::path(get, path = "/users", tag = "users", operation_id = "list_users", params(PagingParams),
    responses((status = 200, body = Page<User>)))]
async fn list(State(app): State<App>, _: Admin, paging: Paging) -> Result<Json<Page<User>>, Problem> {
    let users = account::list(&app.shelf.db, paging.after.as_deref(), paging.fetch()).await?;
    Ok(Json(paging.page(users, |user| user.name.clone())))
}

/// Adds a user.
#[utoipa::path(post, path = "/users", tag = "users", operation_id = "create_user", request_body = UserInput,
    responses(
        (status = 201, body = User, headers(("location" = String))),
        (status = 409, description = "there is one of that name", body = Problem, content_type = "application/problem+json"),
    ))]
async fn create(
    State(app): State<App>,
    admin: Admin,
    Body(user, faults): Body<UserInput>,
) -> Result<impl IntoResponse, Problem> {
    let user = account::check(user, app.engine.country, faults)?;
    account::save(&app.shelf.db, &admin.author(&app), user.clone(), Expect::Absent).await?;
    let location = [(header::LOCATION, format!("/api/v1/users/{}", user.name))];
    Ok((StatusCode::CREATED, location, Json(user)))
}

/// Gives a user; those who are no administrators see themselves only.
#[utoipa::path(get, path = "/users/{user}", tag = "users", operation_id = "read_user",
    params(("user" = String, Path)), responses((status = 200, body = User)))]
async fn read(State(app): State<App>, Anyone(caller): Anyone, Name(name): Name) -> Result<Json<User>, Problem> {
    let may = caller.role == Role::Admin || caller.user == name;
    let user = if may { account::get(&app.shelf.db, &name).await? } else { None };
    user.map(Json).ok_or_else(|| Problem::not_found("user", name))
}

/// Replaces a user, or adds it.
#[utoipa::path(put, path = "/users/{user}", tag = "users", operation_id = "replace_user",
    params(("user" = String, Path)), request_body = UserInput,
    responses(
        (status = 200, body = User), (status = 201, body = User),
        (status = 409, description = "no admin would be left", body = Problem, content_type = "application/problem+json"),
    ))]
async fn replace(
    State(app): State<App>,
    admin: Admin,
    Name(name): Name,
    Body(mut user, mut faults): Body<UserInput>,
) -> Result<impl IntoResponse, Problem> {
    named(name, &mut user.name, &mut faults);
    let user = account::check(user, app.engine.country, faults)?;
    let saved = account::save(&app.shelf.db, &admin.author(&app), user.clone(), Expect::Any).await?;
    Ok((status(saved), Json(user)))
}

/// Lets a user in again.
#[utoipa::path(post, path = "/users/{user}/enable", tag = "users", operation_id = "enable_user",
    params(("user" = String, Path)), responses((status = 204, description = "they may come in")))]
async fn enable(State(app): State<App>, admin: Admin, Name(name): Name) -> Result<StatusCode, Problem> {
    account::enable(&app.shelf.db, &admin.author(&app), (&name, true)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Keeps a user and all their tokens out.
#[utoipa::path(post, path = "/users/{user}/disable", tag = "users", operation_id = "disable_user",
    params(("user" = String, Path)),
    responses(
        (status = 204, description = "they are kept out"),
        (status = 409, description = "no admin would be left", body = Problem, content_type = "application/problem+json"),
    ))]
async fn disable(State(app): State<App>, admin: Admin, Name(name): Name) -> Result<StatusCode, Problem> {
    account::enable(&app.shelf.db, &admin.author(&app), (&name, false)).await?;
    Ok(StatusCode::NO_CONTENT)
}
