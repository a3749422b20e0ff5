//! Reports: what happened on a day, and what is scheduled.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Place, print};
use crate::{
    app::App,
    monitor::{
        digest::{self, Period},
        scheduled::{self, Scheduled},
    },
    run::letter::Desk,
};

/// What is in the digest of a day.
#[derive(Debug, Args)]
pub(super) struct Digest {
    /// The day on whose morning it ends; the latest one without it.
    #[arg(long)]
    date: Option<NaiveDate>,
    /// Write it as a PDF into this file.
    #[arg(long, value_name = "FILE")]
    pdf: Option<PathBuf>,
}

impl Digest {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        let app = place.open().await?;
        let (engine, config) = (&app.engine, &app.config.monitor);
        let now = engine.clock.now();
        let date = self.date.unwrap_or_else(|| digest::day::due(now, config.zone, config.digest_at).0);
        let mut db = engine.db.acquire().await.context("connecting to read a day")?;
        let period = Period::of_day(&mut db, date, config, now).await?;
        let digest = digest::digest(&mut db, &period).await?;
        drop(db);
        let params = json!({ "digest": digest });
        match &self.pdf {
            Some(file) => write(&app, (file, "digest", date), &params).await?,
            None if place.json => print::json(&digest)?,
            None => {
                let message = Desk::open(engine).await?.message(engine, (digest.subject(), "digest"), &params)?;
                print::line(lines(&message.text))?;
            }
        }
        app.database.close().await
    }
}

/// Which report is shown.
#[derive(Debug, Subcommand)]
pub(super) enum Reports {
    /// Every schedule of every enabled batch: user, documents, when, and when next.
    Scheduled {
        /// Write it as a PDF into this file.
        #[arg(long, value_name = "FILE")]
        pdf: Option<PathBuf>,
    },
}

impl Reports {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        let app = place.open().await?;
        let Self::Scheduled { pdf } = self;
        let all = scheduled::scheduled(&app.engine.db).await?;
        let today = app.engine.clock.now().with_timezone(&app.config.monitor.zone).date_naive();
        match &pdf {
            Some(file) => write(&app, (file, "scheduled", today), &json!({ "scheduled": all })).await?,
            None if place.json => print::json(&json!({ "items": all }))?,
            None => print::table(
                "No enabled batch has a schedule.",
                ["batch", "user", "documents", "schedule", "next"],
                all.into_iter().map(row),
            )?,
        }
        app.database.close().await
    }
}

fn row(it: Scheduled) -> [String; 5] {
    [it.batch, it.user, it.documents.join(", "), format!("{}, {}", it.schedule, it.zone), it.next]
}

async fn write(app: &App, (file, name, date): (&Path, &str, NaiveDate), params: &Value) -> Result<()> {
    let desk = Desk::open(&app.engine).await?;
    let bytes = desk.paper(&app.engine, (name, date), params).await?;
    std::fs::write(file, bytes).with_context(|| format!("writing {}", file.display()))
}

/// `text` without what would move the cursor.
fn lines(text: &str) -> String {
    text.lines().map(print::one_line).collect::<Vec<_>>().join("\n")
}
