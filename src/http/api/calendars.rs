//! Calendars: which days are business days.

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        Admin, App, Operator, Page, Paging, PagingParams, Problem,
        body::{self, Name, named},
    },
    batches::status,
};
use crate::catalog::{
    Expect, Faults,
    calendar::{self, Written},
    read,
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, replace, delete))
}

/// A calendar that was sent as JSON, as TOML or as an iCalendar file, with what is wrong with its types.
struct CalendarBody(Written, Faults);

impl FromRequest<App> for CalendarBody {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let is_icalendar = body::is(request.headers(), "text/calendar");
        let is_toml = body::is(request.headers(), "application/toml");
        let value = match (is_icalendar, is_toml) {
            (true, _) => json!({ "ics": text(request, app).await? }),
            (_, true) => toml(&text(request, app).await?).map_err(IntoResponse::into_response)?,
            _ => body::json(request, app).await?,
        };
        let mut faults = Faults::default();
        Ok(Self(read(value, &mut faults), faults))
    }
}

async fn text(request: Request, app: &App) -> Result<String, Response> {
    let bytes = Bytes::from_request(request, app).await.map_err(IntoResponse::into_response)?;
    let text = String::from_utf8(bytes.into());
    text.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "the body is not in UTF-8").into_response())
}

fn toml(text: &str) -> Result<Value, Problem> {
    toml::from_str(text).map_err(|fault: toml::de::Error| {
        Problem::new(StatusCode::BAD_REQUEST, format!("the body cannot be read as TOML: {}", fault.message()))
    })
}

/// Lists calendars by name.
#[utoipa::path(get, path = "/calendars", tag = "calendars", operation_id = "list_calendars", params(PagingParams),
    responses((status = 200, body = Page<calendar::Summary>)))]
async fn list(State(app): State<App>, _: Operator, paging: Paging) -> Result<Json<Page<calendar::Summary>>, Problem> {
    let calendars = calendar::list(&app.shelf.db, (paging.after.as_deref(), paging.fetch())).await?;
    Ok(Json(paging.page(calendars, |calendar| calendar.name.clone())))
}

/// Gives a calendar in the shape it was written in; an iCalendar file is its `ics`.
#[utoipa::path(get, path = "/calendars/{calendar}", tag = "calendars", operation_id = "read_business_calendar",
    params(("calendar" = String, Path)), responses((status = 200, body = Written)))]
async fn get(State(app): State<App>, _: Operator, Name(name): Name) -> Result<Json<Written>, Problem> {
    written(&app, &name).await
}

/// Replaces a calendar, or adds it. What is due from then on goes by it.
#[utoipa::path(put, path = "/calendars/{calendar}", tag = "calendars", operation_id = "replace_calendar",
    params(("calendar" = String, Path)),
    request_body(content((Written = "application/json"), (String = "application/toml"), (String = "text/calendar"))),
    responses((status = 200, body = Written), (status = 201, body = Written)))]
async fn replace(
    State(app): State<App>,
    admin: Admin,
    Name(name): Name,
    CalendarBody(mut calendar, mut faults): CalendarBody,
) -> Result<impl IntoResponse, Problem> {
    named(name.clone(), &mut calendar.name, &mut faults);
    let draft = calendar::check(calendar, faults)?;
    let saved = calendar::save(&app.shelf.db, &admin.author(&app), draft, Expect::Any).await?;
    Ok((status(saved), written(&app, &name).await?))
}

/// Deletes a calendar that no schedule names.
#[utoipa::path(delete, path = "/calendars/{calendar}", tag = "calendars", operation_id = "delete_calendar",
    params(("calendar" = String, Path)),
    responses(
        (status = 204, description = "it is gone"),
        (status = 409, description = "schedules name it", body = Problem, content_type = "application/problem+json"),
    ))]
async fn delete(State(app): State<App>, admin: Admin, Name(name): Name) -> Result<StatusCode, Problem> {
    calendar::delete(&app.shelf.db, &admin.author(&app), &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn written(app: &App, name: &str) -> Result<Json<Written>, Problem> {
    let found = calendar::get(&app.shelf.db, name).await?;
    found.map(Json).ok_or_else(|| Problem::not_found("calendar", name))
}
