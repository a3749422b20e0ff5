//! Reports: what happened on a day, and what is scheduled; to be read by programs, in spreadsheets or on paper.

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{Admin, App, Operator, Page, Problem, params::params};
use crate::{
    monitor::{
        digest::{self, Digest, Period},
        scheduled::{self, Scheduled},
    },
    run::letter::Desk,
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(daily)).routes(routes!(scheduled_batches))
}

/// Which report is asked for, and in which format.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DailyParams {
    /// The day on whose morning the report ends; the latest one when absent.
    #[param(format = Date)]
    date: Option<String>,
    /// `json`, `csv` or `pdf`; what `Accept` asks for when absent.
    #[param(inline, value_type = Option<Format>)]
    format: Option<String>,
}

/// In which form a report is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct FormatParams {
    /// `json`, `csv` or `pdf`; what `Accept` asks for when absent.
    #[param(inline, value_type = Option<Format>)]
    format: Option<String>,
}

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ReportFormat)]
enum Format {
    Json,
    Csv,
    Pdf,
}

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv",
            Self::Pdf => "application/pdf",
        }
    }

    /// What `format` says, or else the first of the accepted media types that we have.
    fn of(format: Option<&str>, parts: &Parts) -> Result<Self, Problem> {
        let all = [Self::Json, Self::Csv, Self::Pdf];
        if let Some(format) = format {
            let known = serde_json::from_value(format.into());
            return known.map_err(|_| Problem::at("format", "write `json`, `csv` or `pdf`"));
        }
        let accepted = parts.headers.get(header::ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or_default();
        let mut wanted = accepted.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
        let found = wanted.find_map(|wanted| all.into_iter().find(|form| form.media_type() == wanted));
        Ok(found.unwrap_or(Self::Json))
    }
}

/// A report of one day.
struct Daily {
    date: Option<NaiveDate>,
    format: Format,
}

impl FromRequestParts<App> for Daily {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let asked: DailyParams = params(parts)?;
        let date = asked.date.map(|date| date.parse());
        let date = date.transpose().map_err(|_| Problem::at("date", "write a date such as `2026-04-01`"))?;
        Ok(Self { date, format: Format::of(asked.format.as_deref(), parts)? })
    }
}

impl FromRequestParts<App> for Format {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let asked: FormatParams = params(parts)?;
        Self::of(asked.format.as_deref(), parts)
    }
}

/// Tells what happened in the day up to the morning of a date: what was sent, to whom and when, and what was not.
///
/// JSON and PDF fold what there is a lot of; CSV has a line for each document and recipient.
#[utoipa::path(get, path = "/reports/daily", tag = "reports", operation_id = "read_daily_report", params(DailyParams),
    responses((status = 200, description = "the report",
        content((Digest = "application/json"), (String = "text/csv"), (Vec<u8> = "application/pdf")))))]
async fn daily(State(app): State<App>, _: Operator, Daily { date, format }: Daily) -> Result<Response, Problem> {
    let engine = &app.engine;
    let (config, now) = (&engine.settings.monitor, app.clock.now());
    let date = date.unwrap_or_else(|| digest::day::due(now, config.zone, config.digest_at).0);
    let mut db = engine.db.acquire().await.map_err(anyhow::Error::from)?;
    let period = Period::of_day(&mut db, date, config, now).await?;
    let name = format!("daily-{date}");
    if format == Format::Csv {
        let lines = digest::lines(&mut db, &period).await?;
        return Ok(file(format, &name, digest::csv(&lines, config.zone)?));
    }
    let digest = digest::digest(&mut db, &period).await?;
    drop(db);
    match format {
        Format::Pdf => Ok(file(format, &name, paper(&app, ("digest", date), json!({ "digest": digest })).await?)),
        Format::Json | Format::Csv => Ok(Json(digest).into_response()),
    }
}

/// Lists everything that goes out by itself: each schedule of each enabled batch.
#[utoipa::path(get, path = "/reports/scheduled", tag = "reports", operation_id = "read_scheduled_report",
    params(FormatParams),
    responses((status = 200, description = "the report",
        content((Page<Scheduled> = "application/json"), (String = "text/csv"), (Vec<u8> = "application/pdf")))))]
async fn scheduled_batches(State(app): State<App>, _: Admin, format: Format) -> Result<Response, Problem> {
    let items = scheduled::scheduled(&app.engine.db).await?;
    let date = app.clock.now().with_timezone(&app.engine.settings.monitor.zone).date_naive();
    let name = format!("scheduled-{date}");
    match format {
        Format::Json => Ok(Json(Page { items, next: None }).into_response()),
        Format::Csv => Ok(file(format, &name, scheduled::csv(&items)?)),
        Format::Pdf => Ok(file(format, &name, paper(&app, ("scheduled", date), json!({ "scheduled": items })).await?)),
    }
}

async fn paper(app: &App, page: (&str, NaiveDate), params: Value) -> Result<Bytes, Problem> {
    let desk = Desk::open(&app.engine).await?;
    Ok(desk.paper(&app.engine, page, &params).await?)
}

fn file(format: Format, name: &str, bytes: Bytes) -> Response {
    let (media_type, ending) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Json | Format::Pdf => (format.media_type(), "pdf"),
    };
    let name = format!("attachment; filename=\"{name}.{ending}\"");
    ([(header::CONTENT_TYPE, media_type.to_owned()), (header::CONTENT_DISPOSITION, name)], bytes).into_response()
}
