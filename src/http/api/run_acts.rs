//! What people do to runs.

use axum::{Json, extract::State};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{App, Operator, Problem, body::Id},
    runs::visible,
};
use crate::{
    id::RunId,
    run::{act, book::Run},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(retry))
        .routes(routes!(cancel))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(release))
}

/// Tries again what failed in a run, and nothing else.
#[utoipa::path(post, path = "/runs/{run}/retry", tag = "runs", operation_id = "retry_run",
    params(("run" = i64, Path)),
    responses(
        (status = 200, body = Run),
        (status = 409, description = "nothing failed", body = Problem, content_type = "application/problem+json"),
    ))]
async fn retry(State(app): State<App>, operator: Operator, Id(run): Id) -> Result<Json<Run>, Problem> {
    act::retry(&app.engine, RunId(run), &operator.0.user).await?;
    visible(&app, &operator.0, RunId(run)).await.map(Json)
}

/// Stops a run. What is on its way is finished and recorded.
#[utoipa::path(post, path = "/runs/{run}/cancel", tag = "runs", operation_id = "cancel_run",
    params(("run" = i64, Path)),
    responses(
        (status = 200, body = Run),
        (status = 409, description = "it has ended", body = Problem, content_type = "application/problem+json"),
    ))]
async fn cancel(State(app): State<App>, operator: Operator, Id(run): Id) -> Result<Json<Run>, Problem> {
    act::cancel(&app.engine, RunId(run), &operator.0.user).await?;
    visible(&app, &operator.0, RunId(run)).await.map(Json)
}

/// Keeps the steps of a run from being begun.
#[utoipa::path(post, path = "/runs/{run}/pause", tag = "runs", operation_id = "pause_run",
    params(("run" = i64, Path)),
    responses(
        (status = 200, body = Run),
        (status = 409, description = "it is not running", body = Problem, content_type = "application/problem+json"),
    ))]
async fn pause(State(app): State<App>, operator: Operator, Id(run): Id) -> Result<Json<Run>, Problem> {
    act::pause(&app.engine, RunId(run), &operator.0.user).await?;
    visible(&app, &operator.0, RunId(run)).await.map(Json)
}

/// Lets a paused run go on.
#[utoipa::path(post, path = "/runs/{run}/resume", tag = "runs", operation_id = "resume_run",
    params(("run" = i64, Path)),
    responses(
        (status = 200, body = Run),
        (status = 409, description = "it is not paused", body = Problem, content_type = "application/problem+json"),
    ))]
async fn resume(State(app): State<App>, operator: Operator, Id(run): Id) -> Result<Json<Run>, Problem> {
    act::resume(&app.engine, RunId(run), &operator.0.user).await?;
    visible(&app, &operator.0, RunId(run)).await.map(Json)
}

/// Lets a held run begin.
#[utoipa::path(post, path = "/runs/{run}/release", tag = "runs", operation_id = "release_run",
    params(("run" = i64, Path)),
    responses(
        (status = 200, body = Run),
        (status = 409, description = "it is not held", body = Problem, content_type = "application/problem+json"),
    ))]
async fn release(State(app): State<App>, operator: Operator, Id(run): Id) -> Result<Json<Run>, Problem> {
    act::release(&app.engine, RunId(run), &operator.0.user).await?;
    visible(&app, &operator.0, RunId(run)).await.map(Json)
}
