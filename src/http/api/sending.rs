//! Whether anything is sent, what waits, and letting it go or dropping it.

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{App, Operator, Problem, body::Body};
use crate::{
    catalog::{Faults, check},
    id::RunId,
    run::{
        act::ActError,
        sending::{self, Sending},
    },
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show)).routes(routes!(pause)).routes(routes!(release)).routes(routes!(drop_it))
}

/// Why sending is paused or released, and for which run.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Wish {
    /// For the audit log.
    #[schema(required, example = "the mail server's log was compared")]
    reason: Option<String>,
    /// One run; all of them when it is left out.
    run: Option<i64>,
}

/// Why sending is paused.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct PauseWish {
    /// Shown wherever something waits.
    #[schema(required, example = "until the new mail server is checked")]
    reason: Option<String>,
}

/// What is dropped, and why.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct DropWish {
    /// For the audit log.
    #[schema(required, example = "sent before the backup was put back")]
    reason: Option<String>,
    /// One run.
    run: Option<i64>,
    /// Every run that has begun and not ended, and what ended ones still have queued.
    all: bool,
}

fn reason(written: Option<String>, faults: &mut Faults) -> String {
    let reason = faults.need("reason", written, "write a line that says why").unwrap_or_default();
    faults.told("reason", check::line(&reason));
    reason
}

/// Says whether sending is paused, and what waits to be sent.
#[utoipa::path(get, path = "/sending", tag = "sending", operation_id = "read_sending",
    responses((status = 200, body = Sending)))]
async fn show(State(app): State<App>, _: Operator) -> Result<Json<Sending>, Problem> {
    Ok(Json(sending::sending(&app.engine).await?))
}

/// Keeps everything from being sent, on all nodes, until it is released.
#[utoipa::path(post, path = "/sending/pause", tag = "sending", operation_id = "pause_sending",
    request_body = PauseWish,
    responses(
        (status = 200, body = Sending),
        (status = 409, description = "it is paused", body = Problem, content_type = "application/problem+json"),
    ))]
async fn pause(
    State(app): State<App>,
    operator: Operator,
    Body(wish, mut faults): Body<PauseWish>,
) -> Result<Json<Sending>, Problem> {
    let reason = faults_or(reason(wish.reason, &mut faults), faults)?;
    sending::pause(&app.engine, &operator.author(&app), &reason).await?;
    show(State(app), operator).await
}

/// Lets everything go that waits, or one run.
#[utoipa::path(post, path = "/sending/release", tag = "sending", operation_id = "release_sending",
    request_body = Wish,
    responses(
        (status = 200, body = Sending),
        (status = 409, description = "it is not paused", body = Problem, content_type = "application/problem+json"),
    ))]
async fn release(
    State(app): State<App>,
    operator: Operator,
    Body(wish, mut faults): Body<Wish>,
) -> Result<Json<Sending>, Problem> {
    let reason = faults_or(reason(wish.reason, &mut faults), faults)?;
    let author = operator.author(&app);
    match wish.run {
        Some(run) => sending::release_run(&app.engine, RunId(run), (&author, &reason)).await.map_err(refused)?,
        None => sending::release(&app.engine, &author, &reason).await?,
    }
    show(State(app), operator).await
}

/// Cancels what a run, or every open run, has queued.
#[utoipa::path(post, path = "/sending/drop", tag = "sending", operation_id = "drop_sending",
    request_body = DropWish,
    responses(
        (status = 200, body = Sending),
        (status = 409, description = "it has nothing queued", body = Problem, content_type = "application/problem+json"),
    ))]
async fn drop_it(
    State(app): State<App>,
    operator: Operator,
    Body(wish, mut faults): Body<DropWish>,
) -> Result<Json<Sending>, Problem> {
    if wish.run.is_some() == wish.all {
        faults.add("run", "write either the number of a `run`, or `\"all\": true`");
    }
    let reason = faults_or(reason(wish.reason, &mut faults), faults)?;
    let author = operator.author(&app);
    match wish.run {
        Some(run) => sending::drop_run(&app.engine, RunId(run), (&author, &reason)).await.map_err(refused)?,
        None => drop(sending::drop_all(&app.engine, (&author, &reason)).await?),
    }
    show(State(app), operator).await
}

/// The run stands in the body, so it is the body that is wrong.
fn refused(error: ActError) -> Problem {
    match error {
        ActError::UnknownRun(_) => Problem::at("run", error.to_string()),
        error => error.into(),
    }
}

fn faults_or(reason: String, faults: Faults) -> Result<String, Problem> {
    Ok(faults.or(reason)?)
}
