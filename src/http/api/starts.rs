//! Starting runs, and looking at what one would do.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    App, Operator, Problem,
    body::{MaybeBody, Name},
    idempotency::{IdempotencyHeader, IdempotencyKey},
};
use crate::{
    catalog::Faults,
    run::{self, Cause, CauseKind, Preview, Start, book},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(start)).routes(routes!(preview))
}

/// What a run is to be about.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
struct NewRun {
    /// The business date; today in the batch's zone when absent.
    #[schema(format = Date, example = "2026-04-01")]
    date: Option<String>,
    /// Values for this run only, for the documents that declare them.
    params: Option<Map<String, Value>>,
    /// Wait to be released before anything is rendered or sent.
    hold: Option<bool>,
}

impl NewRun {
    fn date(&self, mut faults: Faults) -> Result<Option<NaiveDate>, Problem> {
        let date = self.date.as_deref().map(str::parse).transpose();
        if date.is_err() {
            faults.add("date", "write a date such as `2026-04-01`");
        }
        Ok(faults.or(date.unwrap_or_default())?)
    }
}

/// Starts a run of a batch. It goes on by itself; this answers at once.
#[utoipa::path(post, path = "/batches/{batch}/runs", tag = "runs", operation_id = "start_run",
    params(("batch" = String, Path), IdempotencyHeader), request_body = Option<NewRun>,
    responses(
        (status = 202, body = book::Run, headers(("location" = String))),
        (status = 409, description = "the batch is disabled", body = Problem, content_type = "application/problem+json"),
    ))]
async fn start(
    State(app): State<App>,
    operator: Operator,
    Name(batch): Name,
    IdempotencyKey(key): IdempotencyKey,
    MaybeBody(wanted, faults): MaybeBody<NewRun>,
) -> Result<impl IntoResponse, Problem> {
    let date = wanted.date(faults)?;
    let cause = Cause { kind: CauseKind::Demand, key: format!("demand {key}"), by: Some(operator.0.user.clone()) };
    let hold = wanted.hold.unwrap_or_default();
    let start = Start { batch: batch.clone(), cause, date, params: wanted.params.unwrap_or_default(), hold };
    let started = run::start(&app.engine, start).await?;
    let run = book::run(&app.shelf.db, started.run, None).await?;
    let run = run.ok_or_else(|| Problem::not_found("run", started.run))?;
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, format!("/api/v1/runs/{}", run.id))], Json(run)))
}

/// Tells what a run would do now: who gets what, who is skipped and why. Sends nothing.
#[utoipa::path(post, path = "/batches/{batch}/preview", tag = "runs", operation_id = "preview_run",
    params(("batch" = String, Path)), request_body = Option<NewRun>,
    responses(
        (status = 200, body = Preview),
        (status = 409, description = "the batch is disabled", body = Problem, content_type = "application/problem+json"),
    ))]
async fn preview(
    State(app): State<App>,
    _: Operator,
    Name(batch): Name,
    MaybeBody(wanted, faults): MaybeBody<NewRun>,
) -> Result<Json<Preview>, Problem> {
    let date = wanted.date(faults)?;
    let params = wanted.params.unwrap_or_default();
    Ok(Json(run::preview(&app.engine, &batch, date, &params).await?))
}
