//! Runs: what became of them.

use axum::{Json, extract::State};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{Anyone, App, Page, Paging, PagingParams, Problem, body::Id, params::Params};
use crate::{
    account::Caller,
    catalog::Faults,
    id::RunId,
    run::{
        RunState,
        book::{self, Asked, Piece, Purpose, Run, Step, Transmission},
    },
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(read))
        .routes(routes!(steps))
        .routes(routes!(transmissions))
        .routes(routes!(notices))
}

/// Which runs are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Of this batch.
    batch: Option<String>,
    /// In this state.
    #[param(value_type = Option<RunState>)]
    state: Option<String>,
    /// About this business date or a later one.
    #[param(format = Date)]
    from: Option<String>,
    /// About this business date or an earlier one.
    #[param(format = Date)]
    to: Option<String>,
}

impl Filter {
    fn asked(self, caller: &Caller) -> Result<Asked, Problem> {
        let mut faults = Faults::default();
        let asked = Asked {
            state: parsed(self.state, ("state", "write a state of runs, such as `partial`"), &mut faults),
            from: parsed(self.from, ("from", "write a date such as `2026-04-01`"), &mut faults),
            to: parsed(self.to, ("to", "write a date such as `2026-04-01`"), &mut faults),
            batch: self.batch,
            run_as: caller.only().map(str::to_owned),
            run: None,
        };
        if asked.batch.as_deref().is_some_and(|batch| batch.contains('\0')) {
            faults.add("batch", "write the name of a batch");
        }
        Ok(faults.or(asked)?)
    }
}

fn parsed<T: DeserializeOwned>(written: Option<String>, (at, remedy): (&str, &str), faults: &mut Faults) -> Option<T> {
    let parsed = serde_json::from_value(serde_json::Value::String(written?));
    parsed.map_err(|_| faults.add(at, remedy)).ok()
}

/// Lists runs, the latest first.
#[utoipa::path(get, path = "/runs", tag = "runs", operation_id = "list_runs", params(Filter, PagingParams),
    responses((status = 200, body = Page<Run>)))]
async fn list(
    State(app): State<App>,
    Anyone(caller): Anyone,
    Params(filter): Params<Filter>,
    paging: Paging,
) -> Result<Json<Page<Run>>, Problem> {
    let runs = book::runs(&app.shelf.db, &filter.asked(&caller)?, piece(&paging)?).await?;
    Ok(Json(paging.page(runs, |run| run.id.to_string())))
}

/// Gives a run with its state and counts.
#[utoipa::path(get, path = "/runs/{run}", tag = "runs", operation_id = "read_run",
    params(("run" = i64, Path)), responses((status = 200, body = Run)))]
async fn read(State(app): State<App>, Anyone(caller): Anyone, Id(run): Id) -> Result<Json<Run>, Problem> {
    visible(&app, &caller, RunId(run)).await.map(Json)
}

/// Lists the steps of a run.
#[utoipa::path(get, path = "/runs/{run}/steps", tag = "runs", operation_id = "list_steps",
    params(("run" = i64, Path), PagingParams), responses((status = 200, body = Page<Step>)))]
async fn steps(
    State(app): State<App>,
    Anyone(caller): Anyone,
    Id(run): Id,
    paging: Paging,
) -> Result<Json<Page<Step>>, Problem> {
    let run = visible(&app, &caller, RunId(run)).await?.id;
    let steps = book::steps(&app.shelf.db, run, piece(&paging)?).await?;
    Ok(Json(paging.page(steps, |step| step.id.to_string())))
}

/// Lists the transmissions of a run.
#[utoipa::path(get, path = "/runs/{run}/transmissions", tag = "runs", operation_id = "list_transmissions",
    params(("run" = i64, Path), PagingParams), responses((status = 200, body = Page<Transmission>)))]
async fn transmissions(
    State(app): State<App>,
    Anyone(caller): Anyone,
    Id(run): Id,
    paging: Paging,
) -> Result<Json<Page<Transmission>>, Problem> {
    sent(&app, &caller, (run, Purpose::Document), &paging).await
}

/// Lists what monitors were told about a run, as transmissions that carry no documents.
#[utoipa::path(get, path = "/runs/{run}/notices", tag = "runs", operation_id = "list_notices",
    params(("run" = i64, Path), PagingParams), responses((status = 200, body = Page<Transmission>)))]
async fn notices(
    State(app): State<App>,
    Anyone(caller): Anyone,
    Id(run): Id,
    paging: Paging,
) -> Result<Json<Page<Transmission>>, Problem> {
    sent(&app, &caller, (run, Purpose::Notice), &paging).await
}

async fn sent(
    app: &App,
    caller: &Caller,
    (run, purpose): (i64, Purpose),
    paging: &Paging,
) -> Result<Json<Page<Transmission>>, Problem> {
    let run = visible(app, caller, RunId(run)).await?.id;
    let found = book::transmissions(&app.shelf.db, run, purpose, piece(paging)?).await?;
    Ok(Json(paging.page(found, |one| one.id.to_string())))
}

fn piece(paging: &Paging) -> Result<Piece, Problem> {
    Ok(Piece { after: paging.after_id()?, limit: paging.fetch() })
}

/// A run that the caller may see.
pub(super) async fn visible(app: &App, caller: &Caller, run: RunId) -> Result<Run, Problem> {
    let found = book::run(&app.shelf.db, run, caller.only()).await?;
    found.ok_or_else(|| Problem::not_found("run", run))
}
