//! Running afterwards what was not run: the occurrences about a range of dates, each with its own date. What ran already
//! is left alone.

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;

use super::{
    act::{ScheduleError, up_to_date},
    decide::Case,
    fact::{self, Known},
    plan::{self, Planned},
    row::{self, Row, named},
    settle, why, write,
};
use crate::{
    audit::{self, Author, Deed},
    id::RunId,
    run::{self, Engine},
    schedule::Overlap,
};

/// The dates that are to be filled, both included.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What became of one occurrence, or would.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Filled {
    pub key: String,
    #[schema(format = Date)]
    pub business_date: NaiveDate,
    /// `started`, `waits` behind a run under way, `ran` before, or `failed` to start.
    pub outcome: &'static str,
    #[schema(value_type = Option<i64>)]
    pub run: Option<RunId>,
}

/// Occurrences filled at once. More are asked for in several ranges.
const MOST: usize = 1000;

/// How far a business date may lie from the date of its occurrence, in days.
const ROLLED: u64 = 15;

/// Runs what did not run of the occurrences about the dates in `span`.
///
/// # Errors
/// When the batch is unknown or disabled, or there are too many.
pub async fn backfill(
    engine: &Engine,
    author: &Author,
    (batch, span): (&str, Span),
) -> Result<Vec<Filled>, ScheduleError> {
    let mut db = engine.db.begin().await.context("beginning to backfill")?;
    up_to_date(&mut db, batch, author.at).await?;
    let rows = row::all(&mut db, &[batch.to_owned()]).await?;
    if rows.iter().any(|row| row.disabled_at.is_some()) {
        return Err(ScheduleError::NotNow(format!("the batch `{batch}` is disabled; enable it first")));
    }
    let cases = cases(&mut db, &rows, (span, author.at)).await?;
    if cases.len() > MOST {
        let text = format!("there are more than {MOST} occurrences from {} to {}; ask for fewer", span.from, span.to);
        return Err(ScheduleError::NotNow(text));
    }
    let keys: Vec<_> = cases.iter().map(Case::key).collect();
    let known = fact::known(&mut db, &keys).await?;
    let (done, open): (Vec<_>, Vec<_>) =
        cases.into_iter().partition(|case| known.get(&case.key()).is_some_and(|known| known.taken));
    let mut filled: Vec<_> =
        done.iter().map(|case| told(case, ("ran", known.get(&case.key()).and_then(|known| known.run)))).collect();
    if span.dry_run {
        filled.extend(open.iter().map(|case| told(case, (wish(case), None))));
    } else {
        filled.extend(fill(&mut db, (&open, &known), author).await?);
        let detail = json!({ "from": span.from, "to": span.to, "occurrences": open.len() });
        audit::record(&mut db, author, Deed { action: "schedule.backfilled", object: batch, detail }).await?;
        db.commit().await.context("backfilling")?;
    }
    filled.sort_by(|a, b| (a.business_date, &a.key).cmp(&(b.business_date, &b.key)));
    Ok(filled)
}

fn told(case: &Case, (outcome, run): (&'static str, Option<RunId>)) -> Filled {
    let occurrence = &case.planned.occurrence;
    Filled { key: occurrence.key.clone(), business_date: occurrence.business_date, outcome, run }
}

/// What is to become of an occurrence: where runs may not overlap, they go one after another.
fn wish(case: &Case) -> &'static str {
    if case.overlap == Overlap::Allow { "started" } else { "waits" }
}

/// The occurrences in the range that have come due, each key once.
async fn cases(
    db: &mut PgConnection,
    rows: &[Row],
    (span, now): (Span, DateTime<Utc>),
) -> Result<Vec<Case>, ScheduleError> {
    let mut cases: Vec<Case> = Vec::new();
    let midnight = |date: NaiveDate| date.and_time(NaiveTime::MIN).and_utc();
    let begin = midnight(span.from.checked_sub_days(Days::new(ROLLED)).unwrap_or(span.from));
    let end = midnight(span.to.checked_add_days(Days::new(ROLLED)).unwrap_or(span.to)).min(now);
    for (row, plan) in rows.iter().zip(plan::all(db, &named(rows)).await?) {
        let plan = plan.map_err(ScheduleError::NotNow)?;
        let due = plan.after(begin).take_while(|planned| planned.occurrence.at <= end);
        let in_span = |planned: &Planned| {
            planned.due_at <= now && (span.from..=span.to).contains(&planned.occurrence.business_date)
        };
        for planned in due.filter(in_span).take(MOST + 1) {
            if !cases.iter().any(|case| case.planned.occurrence.key == planned.occurrence.key) {
                cases.push(Case {
                    batch: row.batch.clone(),
                    schedule: row.id,
                    planned,
                    overlap: plan.schedule.overlap,
                    once: None,
                    reason: None,
                });
            }
        }
    }
    cases.sort_by_key(|case| case.planned.occurrence.at);
    Ok(cases)
}

type KnownByKey = HashMap<(String, String), Known>;

async fn fill(db: &mut PgConnection, (open, known): (&[Case], &KnownByKey), author: &Author) -> Result<Vec<Filled>> {
    let by = Some(author.name.clone());
    let starts: Vec<_> =
        open.iter().filter(|case| wish(case) == "started").map(|it| settle::start(it, by.clone())).collect();
    let mut started = run::start_all(db, &starts, author.at).await?.into_iter();
    let mut rows = Vec::with_capacity(open.len());
    let mut filled = Vec::with_capacity(open.len());
    for case in open {
        let (state, reason, run, outcome) = if wish(case) == "waits" {
            ("waiting", Some(why::queued(None)), None, "waits")
        } else {
            match started.next().context("a start was not answered")? {
                Ok(started) => ("ran", None, Some(started.run), "started"),
                Err(error) => ("missed", Some(why::not_started(&error.to_string())), None, "failed"),
            }
        };
        filled.push(told(case, (outcome, run)));
        let before = known.get(&case.key()).and_then(|known| known.reason.as_ref()).map(why::before);
        let notes = before.into_iter().chain([why::backfilled(&author.name, author.at)]).collect();
        rows.push(write::Decided { case, state, reason, run, notes });
    }
    write::occurrences(db, &rows, author.at).await?;
    Ok(filled)
}
