//! Everything a digest counts, a line for each document and recipient, for tables.

use anyhow::{Context, Result};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use sqlx::PgConnection;

use super::Period;
use crate::document::table;

const COLUMNS: [&str; 9] =
    ["batch", "run", "document", "recipient", "channel", "contact", "state", "time sent", "reason"];

/// Lines in one table. A table that is longer is not opened by a spreadsheet; the book is asked run by run then.
const MOST: i64 = 200_000;

/// One document to one recipient.
#[derive(Debug, Clone)]
pub struct Line {
    pub run: i64,
    pub batch: String,
    pub document: String,
    pub recipient: String,
    pub channel: String,
    pub contact: String,
    pub state: String,
    pub sent_at: Option<DateTime<Utc>>,
    pub reason: Option<String>,
}

/// The lines of `period`, run by run.
///
/// # Errors
/// When the database cannot be read.
pub async fn lines(db: &mut PgConnection, period: &Period) -> Result<Vec<Line>> {
    sqlx::query_as!(
        Line,
        r#"
        select run.id as run, run.batch, coalesce(document_revision.definition ->> 'title', item.name, '') as "document!",
               transmission.recipient_name as recipient, transmission.channel, transmission.contact, transmission.state,
               transmission.sent_at, transmission.reason ->> 'text' as reason
          from transmission
          join run on run.id = transmission.run
          left join transmission_item on transmission_item.transmission = transmission.id
          left join item on item.id = transmission_item.item
          left join document_revision on document_revision.id = item.revision
         where transmission.run = any($1) and transmission.purpose = 'document'
         order by run.ended_at, run.id, transmission.id, transmission_item.position
         limit $2
        "#,
        &period.entries.runs,
        MOST,
    )
    .fetch_all(db)
    .await
    .context("reading the lines of a day")
}

/// The same as comma-separated values; times are those of `zone`.
///
/// # Errors
/// When a line cannot be written.
pub fn csv(lines: &[Line], zone: Tz) -> Result<Bytes> {
    let head = COLUMNS.map(str::to_owned);
    table::lines(std::iter::once(head).chain(lines.iter().map(|line| cells(line, zone))))
}

fn cells(line: &Line, zone: Tz) -> [String; 9] {
    let sent = line
        .sent_at
        .map(|at| format!("{} {zone}", at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, false)));
    let [document, recipient, contact] =
        [&line.document, &line.recipient, &line.contact].map(|cell| table::guarded(cell));
    [
        line.batch.clone(),
        line.run.to_string(),
        document,
        recipient,
        line.channel.clone(),
        contact,
        line.state.clone(),
        sent.unwrap_or_default(),
        table::guarded(line.reason.as_deref().unwrap_or_default()),
    ]
}
