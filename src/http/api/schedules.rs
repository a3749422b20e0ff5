//! Schedules of batches: how they stand, when they are due, pausing them, and running afterwards what was not run.

use axum::{Json, extract::State};
use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    Anyone, App, Operator, Page, Paging, PagingParams, Problem,
    body::{Body, MaybeBody, Name},
    params::Params,
};
use crate::{
    catalog::{Faults, batch, check},
    trigger::schedule::{self, Due, Filled, Range, Scheduled, Span},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(backfill))
        .routes(routes!(occurrences))
}

/// Lists the schedules of a batch: since when they count, whether they fire, and when next.
#[utoipa::path(get, path = "/batches/{batch}/schedules", tag = "schedules", operation_id = "list_schedules",
    params(("batch" = String, Path)), responses((status = 200, body = Page<Scheduled>)))]
async fn list(
    State(app): State<App>,
    Anyone(caller): Anyone,
    Name(name): Name,
) -> Result<Json<Page<Scheduled>>, Problem> {
    there(&app, &name, caller.only()).await?;
    listed(&app, &name, caller.only()).await
}

async fn listed(app: &App, name: &str, only: batch::Only<'_>) -> Result<Json<Page<Scheduled>>, Problem> {
    let items = schedule::schedules(&app.shelf.db, (Some(name), only), app.clock.now()).await?;
    Ok(Json(Page { items, next: None }))
}

/// A word for whoever finds a schedule paused.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Note {
    #[schema(example = "the yard is closed until Monday")]
    note: Option<String>,
}

impl Note {
    fn checked(self, mut faults: Faults) -> Result<Option<String>, Problem> {
        faults.told("note", self.note.as_deref().and_then(check::line));
        Ok(faults.or(self.note)?)
    }
}

/// Pauses the schedules of a batch. What comes due meanwhile is skipped and says so; what was due before still runs.
#[utoipa::path(post, path = "/batches/{batch}/schedules/pause", tag = "schedules", operation_id = "pause_schedules",
    params(("batch" = String, Path)), request_body = Note,
    responses(
        (status = 200, body = Page<Scheduled>),
        (status = 409, description = "all of them are paused", body = Problem, content_type = "application/problem+json"),
    ))]
async fn pause(
    State(app): State<App>,
    operator: Operator,
    Name(name): Name,
    Body(note, mut faults): Body<Note>,
) -> Result<Json<Page<Scheduled>>, Problem> {
    if note.note.is_none() {
        faults.add("note", "is missing; write why, for whoever finds it paused");
    }
    let note = note.checked(faults)?.unwrap_or_default();
    schedule::pause(&app.engine, &operator.author(&app), (&name, &note)).await?;
    listed(&app, &name, None).await
}

/// Lets the schedules of a batch fire again. What passed meanwhile stays skipped; it can be backfilled.
#[utoipa::path(post, path = "/batches/{batch}/schedules/resume", tag = "schedules", operation_id = "resume_schedules",
    params(("batch" = String, Path)), request_body = Option<Note>,
    responses(
        (status = 200, body = Page<Scheduled>),
        (status = 409, description = "none of them is paused", body = Problem, content_type = "application/problem+json"),
    ))]
async fn resume(
    State(app): State<App>,
    operator: Operator,
    Name(name): Name,
    MaybeBody(note, faults): MaybeBody<Note>,
) -> Result<Json<Page<Scheduled>>, Problem> {
    let note = note.checked(faults)?;
    schedule::resume(&app.engine, &operator.author(&app), (&name, note.as_deref())).await?;
    listed(&app, &name, None).await
}

/// Which dates are to be filled.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Fill {
    /// The first business date.
    #[schema(required, format = Date, example = "2026-04-01")]
    from: Option<String>,
    /// The last one.
    #[schema(required, format = Date, example = "2026-04-07")]
    to: Option<String>,
    /// Only say what would be done.
    dry_run: Option<bool>,
}

/// Runs afterwards what did not run of the occurrences about a range of business dates, each about its own date. What ran
/// or waits is left alone, so asking again does nothing more.
#[utoipa::path(post, path = "/batches/{batch}/backfill", tag = "schedules", operation_id = "backfill_batch",
    params(("batch" = String, Path)), request_body = Fill,
    responses(
        (status = 200, body = Page<Filled>),
        (status = 409, description = "the batch is disabled, or there are too many", body = Problem, content_type = "application/problem+json"),
    ))]
async fn backfill(
    State(app): State<App>,
    operator: Operator,
    Name(name): Name,
    Body(fill, mut faults): Body<Fill>,
) -> Result<Json<Page<Filled>>, Problem> {
    let from = date(fill.from.as_deref(), "from", &mut faults);
    let to = date(fill.to.as_deref(), "to", &mut faults);
    let (Some(from), Some(to)) = (from, to) else {
        for (at, given) in [("from", fill.from.is_some()), ("to", fill.to.is_some())] {
            if !given {
                faults.add(at, A_DATE);
            }
        }
        return Err(faults.into());
    };
    let span = Span { from, to, dry_run: fill.dry_run.unwrap_or_default() };
    faults.or(())?;
    let items = schedule::backfill(&app.engine, &operator.author(&app), (&name, span)).await?;
    Ok(Json(Page { items, next: None }))
}

const A_DATE: &str = "write a date such as `2026-04-01`";

fn date(written: Option<&str>, at: &str, faults: &mut Faults) -> Option<NaiveDate> {
    let date = written?.parse();
    date.map_err(|_| faults.add(at, A_DATE)).ok()
}

/// Which occurrences are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Dates {
    /// From this local date on; today when absent.
    #[param(format = Date)]
    from: Option<String>,
    /// Up to this local date; so many days later when absent.
    #[param(format = Date)]
    to: Option<String>,
}

impl Dates {
    /// The range that is asked for, of `days` days unless it is said.
    pub(super) fn range(&self, app: &App, days: u64) -> Result<Range, Problem> {
        let mut faults = Faults::default();
        let today = app.clock.now().date_naive();
        let from = date(self.from.as_deref(), "from", &mut faults).unwrap_or(today);
        let to = date(self.to.as_deref(), "to", &mut faults);
        let to = to.or_else(|| from.checked_add_days(Days::new(days))).unwrap_or(from);
        let limits = NaiveDate::from_ymd_opt(1970, 1, 1)..NaiveDate::from_ymd_opt(9000, 1, 1);
        for (at, date) in [("from", from), ("to", to)] {
            if !limits.contains(&Some(date)) {
                faults.add(at, "lies where no schedule reaches; write a date from 1970 on");
            }
        }
        Ok(faults.or(Range { from, to, after: None, limit: 0 })?)
    }
}

/// A page of `range`.
pub(super) fn paged(range: Range, paging: &Paging) -> Result<Range, Problem> {
    let after = match paging.after_parts()? {
        None => None,
        Some([at, batch, key]) => {
            let at = at.parse::<DateTime<Utc>>();
            Some((at.map_err(|_| Problem::at("after", "write the `next` of the page before"))?, batch, key))
        }
    };
    Ok(Range { after, limit: paging.fetch(), ..range })
}

/// The place of an occurrence in a list.
pub(super) fn place(due: &Due) -> String {
    serde_json::json!([due.at, due.batch, due.key]).to_string()
}

/// Lists when a batch fires and fired, in order: what became of past occurrences, and what lies ahead, with notes on
/// changes of clocks, holidays and short months. A year when `to` is absent.
#[utoipa::path(get, path = "/batches/{batch}/occurrences", tag = "schedules", operation_id = "list_occurrences",
    params(("batch" = String, Path), Dates, PagingParams), responses((status = 200, body = Page<Due>)))]
async fn occurrences(
    State(app): State<App>,
    Anyone(caller): Anyone,
    Name(name): Name,
    Params(dates): Params<Dates>,
    paging: Paging,
) -> Result<Json<Page<Due>>, Problem> {
    there(&app, &name, caller.only()).await?;
    let range = paged(dates.range(&app, 366)?, &paging)?;
    let dues = schedule::of_batch(&app.shelf.db, (&name, caller.only()), &range, app.clock.now()).await?;
    Ok(Json(paging.page(dues, place)))
}

async fn there(app: &App, name: &str, only: batch::Only<'_>) -> Result<(), Problem> {
    let there = batch::is_there(&app.shelf.db, name, only).await?;
    if there { Ok(()) } else { Err(Problem::not_found("batch", name)) }
}
