//! The digest: what happened since the last one, once a day, also when nothing did.
//!
//! First how it went in one line, then what went wrong, then everything that was sent: each document with the time and the
//! recipient. A day with a lot of it is folded, so that the digest stays a few pages long; the book has everything. The
//! same goes out as mail and on paper, and is asked for at the doors.

mod absent;
pub mod collect;
pub mod day;
mod delivered;
pub mod entries;
mod fold;
mod lines;
mod missing;
mod summary;
pub mod turn;

use anyhow::Result;
use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

pub use absent::{Downtime, NotRun};
pub use delivered::{Delivered, Sent};
pub use entries::Entries;
pub use lines::{Line, csv, lines};
pub use missing::{Broken, Missing, Skipped};
pub use summary::Totals;

use super::words::moment;
use crate::config;

/// Everything a digest says.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Digest {
    /// The day on whose morning it is written.
    pub date: NaiveDate,
    /// The zone of all times that are written for people.
    #[schema(example = "Europe/Amsterdam")]
    pub zone: String,
    pub from_at: DateTime<Utc>,
    pub until_at: DateTime<Utc>,
    /// `from_at` in words.
    pub from: String,
    /// `until_at` in words.
    pub until: String,
    /// How it went, in a line.
    #[schema(example = "2 runs: 5 sent, 1 not sent")]
    pub summary: String,
    pub totals: Totals,
    /// Runs that could not begin.
    pub broken: Vec<Broken>,
    /// What was not sent.
    pub failed: Vec<Missing>,
    /// How many more there are.
    pub failed_more: i64,
    /// What somebody has to settle, however old.
    pub uncertain: Vec<Missing>,
    pub uncertain_more: i64,
    /// What was due and did not run.
    pub not_run: Vec<NotRun>,
    pub not_run_more: i64,
    /// Times at which nothing could have run.
    pub downtimes: Vec<Downtime>,
    /// What was left out on purpose, by reason.
    pub skipped: Vec<Skipped>,
    pub skipped_more: i64,
    /// What was sent, by run and document; by batch and document when there is a lot.
    pub delivered: Vec<Delivered>,
    /// How many documents are not listed.
    pub delivered_more: i64,
}

/// What a digest is about.
#[derive(Debug, Clone)]
pub struct Period {
    pub date: NaiveDate,
    pub zone: Tz,
    pub from_at: DateTime<Utc>,
    pub until_at: DateTime<Utc>,
    pub entries: Entries,
}

impl Period {
    /// The day that ends on the morning of `date`, or has lasted until `now`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn of_day(
        db: &mut PgConnection,
        date: NaiveDate,
        config: &config::Monitor,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let zone = config.zone;
        let until_at = day::instant(date, zone, config.digest_at).min(now);
        let from_at = day::instant(date - Days::new(1), zone, config.digest_at).min(until_at);
        let entries = entries::between(db, (from_at, until_at)).await?;
        Ok(Self { date, zone, from_at, until_at, entries })
    }
}

/// Reads what a digest of `period` says.
///
/// # Errors
/// When the database cannot be read.
pub async fn digest(db: &mut PgConnection, period: &Period) -> Result<Digest> {
    let Period { date, zone, from_at, until_at, entries } = period;
    let (runs, zone) = (entries.runs.as_slice(), *zone);
    let mut totals = summary::totals(db, runs).await?;
    let (failed, failed_more) = missing::failed(db, runs, zone).await?;
    let (uncertain, uncertain_more) = missing::uncertain(db, zone).await?;
    let (not_run, not_run_more) = absent::not_run(db, entries, zone).await?;
    let (skipped, skipped_more) = missing::skipped(db, runs).await?;
    let (delivered, delivered_more) = delivered::delivered(db, runs, zone).await?;
    totals.uncertain = i64::try_from(uncertain.len())? + uncertain_more;
    (totals.missed, totals.left_out) = absent::count(db, entries).await?;
    Ok(Digest {
        date: *date,
        zone: zone.name().to_owned(),
        from_at: *from_at,
        until_at: *until_at,
        from: moment(*from_at, zone),
        until: moment(*until_at, zone),
        summary: totals.in_words(),
        broken: missing::broken(db, runs, zone).await?,
        failed,
        failed_more,
        uncertain,
        uncertain_more,
        not_run,
        not_run_more,
        downtimes: absent::downtimes(db, entries, zone).await?,
        skipped,
        skipped_more,
        delivered,
        delivered_more,
        totals,
    })
}

impl Digest {
    /// The subject of its mail.
    pub fn subject(&self) -> String {
        format!("Postbook, {}: {}", self.date.format("%-d %B %Y"), self.summary)
    }
}
