//! All files of a run as one archive, written while it is read.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::IntoResponse,
};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        Anyone, App, Problem,
        auth::author,
        body::{Id, Name},
    },
    runs::visible,
};
use crate::{
    account::Caller,
    audit::{self, Deed},
    catalog::batch,
    id::RunId,
    run::{
        book::{self, Run},
        files,
    },
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(zip)).routes(routes!(latest))
}

/// Gives all files of a run, and who got them in `manifest.csv`.
#[utoipa::path(get, path = "/runs/{run}/files.zip", tag = "runs", operation_id = "download_run",
    params(("run" = i64, Path)),
    responses(
        (status = 200, description = "the archive", body = Vec<u8>, content_type = "application/zip"),
        (status = 410, description = "its files were purged", body = Problem, content_type = "application/problem+json"),
    ))]
async fn zip(State(app): State<App>, Anyone(caller): Anyone, Id(run): Id) -> Result<impl IntoResponse, Problem> {
    let run = visible(&app, &caller, RunId(run)).await?;
    archive(&app, &caller, &run).await
}

/// Gives all files of the latest run of a batch that has any.
#[utoipa::path(get, path = "/batches/{batch}/runs/latest/files.zip", tag = "runs", operation_id = "download_latest_run",
    params(("batch" = String, Path)),
    responses(
        (status = 200, description = "the archive", body = Vec<u8>, content_type = "application/zip"),
        (status = 410, description = "its files were purged", body = Problem, content_type = "application/problem+json"),
    ))]
async fn latest(
    State(app): State<App>,
    Anyone(caller): Anyone,
    Name(name): Name,
) -> Result<impl IntoResponse, Problem> {
    if !batch::is_there(&app.shelf.db, &name, caller.only()).await? {
        return Err(Problem::not_found("batch", name));
    }
    let run = book::latest(&app.shelf.db, &name).await?;
    let run = run.ok_or_else(|| Problem::not_found("run with files of the batch", &name))?;
    let run = visible(&app, &caller, run).await?;
    archive(&app, &caller, &run).await
}

async fn archive(app: &App, caller: &Caller, run: &Run) -> Result<impl IntoResponse + use<>, Problem> {
    if let Some(at) = files::purged(&app.shelf.db, run.id).await? {
        let text = format!("the files of run {} were purged on {}, as they were too old", run.id, at.date_naive());
        return Err(Problem::new(StatusCode::GONE, text));
    }
    let deed = Deed { action: "run.downloaded", object: &run.id.to_string(), detail: json!({ "batch": run.batch }) };
    audit::note(&app.shelf.db, &author(caller, app), deed).await?;
    let bytes = files::zip(&app.shelf.db, &app.shelf.store, run.id).await?;
    Ok((zipped(&format!("{}-{}-{}.zip", run.batch, run.business_date, run.id)), Body::from_stream(bytes)))
}

/// The headers of an archive called `name`, which holds only what names of batches and numbers hold.
pub(super) fn zipped(name: &str) -> [(HeaderName, String); 2] {
    [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ]
}
