//! The calendar of all batches.

use anyhow::Result;
use chrono::{Days, NaiveDate};
use clap::Args;
use serde_json::json;

use super::{Place, print};
use crate::trigger::schedule::{self, Due, Range};

/// Lists when batches fire and fired.
#[derive(Debug, Args)]
pub(super) struct Calendar {
    /// From this local date on; today when absent.
    #[arg(long)]
    from: Option<NaiveDate>,
    /// Up to this local date; a week later when absent.
    #[arg(long)]
    to: Option<NaiveDate>,
    /// Only this batch.
    #[arg(long)]
    batch: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 1000)]
    limit: u32,
}

impl Calendar {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        let app = place.open().await?;
        let now = app.engine.clock.now();
        let from = self.from.unwrap_or_else(|| now.date_naive());
        let to = self.to.or_else(|| from.checked_add_days(Days::new(7))).unwrap_or(from);
        let range = Range { from, to, after: None, limit: i64::from(self.limit) };
        let db = &app.database.pool;
        let dues = match &self.batch {
            Some(batch) => schedule::of_batch(db, (batch, None), &range, now).await?,
            None => schedule::calendar(db, None, &range, now).await?,
        };
        if place.json {
            print::json(&json!({ "items": dues }))?;
        } else {
            print::table(
                "No batch fires or fired on these dates.",
                ["batch", "local", "UTC", "for", "", "run", ""],
                dues.into_iter().map(row),
            )?;
        }
        app.database.close().await
    }
}

fn row(due: Due) -> [String; 7] {
    let notes: Vec<_> = due.reason.iter().chain(&due.notes).filter_map(|it| it["text"].as_str()).collect();
    [
        due.batch,
        due.local,
        print::time(Some(due.at)),
        due.business_date.to_string(),
        print::word(&due.state),
        due.run.map(|run| run.to_string()).unwrap_or_default(),
        notes.join("; "),
    ]
}
