//! Batches: what administrators set up.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    Admin, Anyone, App, Page, Paging, PagingParams, Problem,
    body::{Body, Name, named},
};
use crate::catalog::{self, Expect, Faults, Saved, batch, input};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, replace, delete))
        .routes(routes!(enable))
        .routes(routes!(disable))
}

/// Lists batches by name.
#[utoipa::path(get, path = "/batches", tag = "batches", operation_id = "list_batches", params(PagingParams),
    responses((status = 200, body = Page<batch::Summary>)))]
async fn list(
    State(app): State<App>,
    Anyone(caller): Anyone,
    paging: Paging,
) -> Result<Json<Page<batch::Summary>>, Problem> {
    let page = (paging.after.as_deref(), paging.fetch());
    let batches = batch::list(&app.shelf.db, caller.only(), page).await?;
    Ok(Json(paging.page(batches, |batch| batch.name.clone())))
}

/// Adds a batch.
#[utoipa::path(post, path = "/batches", tag = "batches", operation_id = "create_batch", request_body = input::Batch,
    responses(
        (status = 201, body = input::Batch, headers(("location" = String), ("etag" = String))),
        (status = 409, description = "there is one of that name", body = Problem, content_type = "application/problem+json"),
    ))]
async fn create(
    State(app): State<App>,
    admin: Admin,
    Body(batch, faults): Body<input::Batch>,
) -> Result<impl IntoResponse, Problem> {
    let name = batch.name.clone().unwrap_or_default();
    save(&app, &admin, (batch, faults), Expect::Absent).await?;
    let location = [(header::LOCATION, format!("/api/v1/batches/{name}"))];
    Ok((StatusCode::CREATED, location, written(&app, &name, None).await?))
}

/// Gives a batch in the shape it was written in; the header `ETag` names its revision.
#[utoipa::path(get, path = "/batches/{batch}", tag = "batches", operation_id = "read_batch",
    params(("batch" = String, Path)),
    responses((status = 200, body = input::Batch, headers(("etag" = String)))))]
async fn read(State(app): State<App>, Anyone(caller): Anyone, Name(name): Name) -> Result<impl IntoResponse, Problem> {
    written(&app, &name, caller.only()).await
}

/// Replaces a batch, or adds it. One that is the same already gets no new revision.
#[utoipa::path(put, path = "/batches/{batch}", tag = "batches", operation_id = "replace_batch",
    params(("batch" = String, Path)), request_body = input::Batch,
    responses(
        (status = 200, body = input::Batch, headers(("etag" = String))),
        (status = 201, body = input::Batch, headers(("etag" = String))),
        (status = 409, description = "a document of it was deleted meanwhile", body = Problem, content_type = "application/problem+json"),
    ))]
async fn replace(
    State(app): State<App>,
    admin: Admin,
    Name(name): Name,
    Body(mut batch, mut faults): Body<input::Batch>,
) -> Result<impl IntoResponse, Problem> {
    named(name.clone(), &mut batch.name, &mut faults);
    let saved = save(&app, &admin, (batch, faults), Expect::Any).await?;
    Ok((status(saved), written(&app, &name, None).await?))
}

/// Deletes a batch; its runs stay in the book.
#[utoipa::path(delete, path = "/batches/{batch}", tag = "batches", operation_id = "delete_batch",
    params(("batch" = String, Path)), responses((status = 204, description = "it is gone")))]
async fn delete(State(app): State<App>, admin: Admin, Name(name): Name) -> Result<StatusCode, Problem> {
    let deleted = batch::delete(&app.shelf.db, &admin.author(&app), &name).await?;
    if deleted { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("batch", name)) }
}

/// Lets a batch fire.
#[utoipa::path(post, path = "/batches/{batch}/enable", tag = "batches", operation_id = "enable_batch",
    params(("batch" = String, Path)),
    responses(
        (status = 204, description = "it may fire"),
        (status = 409, description = "it counts on a channel without an account", body = Problem, content_type = "application/problem+json"),
    ))]
async fn enable(State(app): State<App>, admin: Admin, Name(name): Name) -> Result<StatusCode, Problem> {
    let closed = batch::closed(&app.shelf.db, &name, &app.accounts).await?;
    if !closed.is_empty() {
        return Err(Problem::conflict(format!("the batch `{name}` cannot fire: {}", closed.join("; "))));
    }
    switch(&app, &admin, (&name, true)).await
}

/// Keeps a batch from firing; its history stays.
#[utoipa::path(post, path = "/batches/{batch}/disable", tag = "batches", operation_id = "disable_batch",
    params(("batch" = String, Path)), responses((status = 204, description = "it fires no more")))]
async fn disable(State(app): State<App>, admin: Admin, Name(name): Name) -> Result<StatusCode, Problem> {
    switch(&app, &admin, (&name, false)).await
}

async fn switch(app: &App, admin: &Admin, (name, enabled): (&str, bool)) -> Result<StatusCode, Problem> {
    let there = batch::enable(&app.shelf.db, &admin.author(app), (name, enabled)).await?;
    if there { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("batch", name)) }
}

async fn save(
    app: &App,
    admin: &Admin,
    (batch, faults): (input::Batch, Faults),
    expect: Expect,
) -> Result<Saved, Problem> {
    let known = catalog::known(&app.shelf.db, &batch, &app.outside()).await?;
    let draft = catalog::validate::batch(batch, &known, faults)?;
    Ok(catalog::save(&app.shelf, &admin.author(app), draft, expect).await?)
}

async fn written(app: &App, name: &str, only: batch::Only<'_>) -> Result<impl IntoResponse + use<>, Problem> {
    let found = batch::get(&app.shelf, name, only).await?;
    let (batch, revision) = found.ok_or_else(|| Problem::not_found("batch", name))?;
    Ok(([(header::ETAG, format!("\"{revision}\""))], Json(batch)))
}

/// Created, or simply done.
pub(super) fn status(saved: Saved) -> StatusCode {
    if saved == Saved::Created { StatusCode::CREATED } else { StatusCode::OK }
}
