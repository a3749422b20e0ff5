//! Files that came in, and the places they come into.

use axum::{Json, extract::State};
use serde::Deserialize;
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{App, Operator, Page, Paging, PagingParams, Problem, params::Params};
use crate::trigger::file::{self, FileState, Listed, PlaceState};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(places))
}

/// Which files are asked for.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// For this batch.
    batch: Option<String>,
    /// In this state.
    #[param(value_type = Option<FileState>)]
    state: Option<String>,
}

/// Lists files that came in, the latest first.
#[utoipa::path(get, path = "/files", tag = "files", operation_id = "list_files", params(Asked, PagingParams),
    responses((status = 200, body = Page<Listed>)))]
async fn list(
    State(app): State<App>,
    _: Operator,
    Params(asked): Params<Asked>,
    paging: Paging,
) -> Result<Json<Page<Listed>>, Problem> {
    let state: Option<FileState> = asked
        .state
        .map(|state| serde_json::from_value(Value::String(state)))
        .transpose()
        .map_err(|_| Problem::at("state", "write a state of files, such as `rejected`"))?;
    if asked.batch.as_deref().is_some_and(|batch| batch.contains('\0')) {
        return Err(Problem::at("batch", "write the name of a batch"));
    }
    let files =
        file::files(&app.shelf.db, (asked.batch.as_deref(), state), (paging.after_id()?, paging.fetch())).await?;
    Ok(Json(paging.page(files, |file| file.id.to_string())))
}

/// Lists the places that are watched, or were, with what is wrong with them.
#[utoipa::path(get, path = "/places", tag = "files", operation_id = "list_places", params(PagingParams),
    responses((status = 200, body = Page<PlaceState>)))]
async fn places(State(app): State<App>, _: Operator, paging: Paging) -> Result<Json<Page<PlaceState>>, Problem> {
    let places = file::places(&app.shelf.db, (paging.after.as_deref(), paging.fetch())).await?;
    Ok(Json(paging.page(places, |place| place.address.clone())))
}
