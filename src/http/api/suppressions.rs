//! Suppressions: addresses nothing is sent to.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::IntoResponse,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{Admin, App, Operator, Page, Paging, PagingParams, Problem, body::Body};
use crate::catalog::suppression::{self, Input, Suppression};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(remove))
}

/// Lists suppressions by channel and address.
#[utoipa::path(get, path = "/suppressions", tag = "suppressions", operation_id = "list_suppressions",
    params(PagingParams), responses((status = 200, body = Page<Suppression>)))]
async fn list(State(app): State<App>, _: Operator, paging: Paging) -> Result<Json<Page<Suppression>>, Problem> {
    let found = suppression::list(&app.shelf.db, paging.after_pair()?, paging.fetch()).await?;
    Ok(Json(paging.page(found, |one| format!("{}/{}", one.channel, one.contact))))
}

/// Suppresses an address, or changes the reason.
#[utoipa::path(post, path = "/suppressions", tag = "suppressions", operation_id = "add_suppression",
    request_body = Input, responses((status = 201, body = Suppression)))]
async fn add(
    State(app): State<App>,
    admin: Admin,
    Body(address, faults): Body<Input>,
) -> Result<impl IntoResponse, Problem> {
    let address = suppression::check(address, app.engine.country, faults)?;
    let added = suppression::add(&app.shelf.db, &admin.author(&app), address).await?;
    Ok((StatusCode::CREATED, Json(added)))
}

/// Lets an address be sent to again.
#[utoipa::path(delete, path = "/suppressions/{channel}/{contact}", tag = "suppressions",
    operation_id = "remove_suppression", params(("channel" = String, Path), ("contact" = String, Path)),
    responses((status = 204, description = "it may be sent to")))]
async fn remove(
    State(app): State<App>,
    admin: Admin,
    Path((channel, contact)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let is_line = !channel.contains('\0') && !contact.contains('\0');
    let address = (channel.as_str(), contact.as_str());
    let country = app.engine.country;
    let removed = is_line && suppression::remove(&app.shelf.db, &admin.author(&app), address, country).await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("suppressed address", contact)) }
}
