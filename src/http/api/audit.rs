//! The audit log: who changed what, newest first.

use axum::{Json, extract::State};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{Admin, App, Page, Paging, PagingParams, Problem};
use crate::audit::{self, Line};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Lists changes, newest first.
#[utoipa::path(get, path = "/audit", tag = "audit", operation_id = "list_audit", params(PagingParams),
    responses((status = 200, body = Page<Line>)))]
async fn list(State(app): State<App>, _: Admin, paging: Paging) -> Result<Json<Page<Line>>, Problem> {
    let lines = audit::list(&app.shelf.db, paging.after_id()?, paging.fetch()).await?;
    Ok(Json(paging.page(lines, |line| line.id.to_string())))
}
