//! The calendar of all batches: as JSON, and as a feed for calendar programs.

use axum::{Json, extract::State, http::header, response::IntoResponse};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{Anyone, App, Page, Paging, PagingParams, Problem, auth::Feed, ical, params::Params},
    schedules::{Dates, paged, place},
};
use crate::trigger::schedule::{self, Due, Range};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(feed))
}

/// Most occurrences in a feed. More are slow to read for calendar programs, which ask again every few minutes.
const MOST: i64 = 5000;

/// Days shown when nobody says up to when.
const DAYS: u64 = 31;

/// Lists the occurrences of all batches that one may see, in order. A month when `to` is absent.
#[utoipa::path(get, path = "/calendar", tag = "schedules", operation_id = "list_all_occurrences",
    params(Dates, PagingParams), responses((status = 200, body = Page<Due>)))]
async fn list(
    State(app): State<App>,
    Anyone(caller): Anyone,
    Params(dates): Params<Dates>,
    paging: Paging,
) -> Result<Json<Page<Due>>, Problem> {
    let range = paged(dates.range(&app, DAYS)?, &paging)?;
    let dues = schedule::calendar(&app.shelf.db, caller.only(), &range, app.clock.now()).await?;
    Ok(Json(paging.page(dues, place)))
}

/// Gives the same as an iCalendar feed, at most 5000 occurrences. Calendar programs that cannot send a bearer token log in
/// with any name and a token as the password.
#[utoipa::path(get, path = "/calendar.ics", tag = "schedules", operation_id = "read_occurrence_feed", params(Dates),
    responses((status = 200, body = String, content_type = "text/calendar")))]
async fn feed(
    State(app): State<App>,
    Feed(caller): Feed,
    Params(dates): Params<Dates>,
) -> Result<impl IntoResponse, Problem> {
    let range = Range { limit: MOST, ..dates.range(&app, DAYS)? };
    let now = app.clock.now();
    let dues = schedule::calendar(&app.shelf.db, caller.only(), &range, now).await?;
    Ok(([(header::CONTENT_TYPE, "text/calendar; charset=utf-8")], ical::feed(&dues, now)))
}
