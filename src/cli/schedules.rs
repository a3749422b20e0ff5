//! Commands about schedules: how they stand, pausing them, and running afterwards what was not run.

use anyhow::Result;
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Place, author, print};
use crate::{
    app::App,
    trigger::schedule::{self, Filled, Scheduled, Span},
};

/// What is done about schedules.
#[derive(Debug, Subcommand)]
pub(super) enum Act {
    /// Lists schedules: whether they fire, and when next.
    List(List),
    /// Keeps the schedules of a batch from firing. What comes due meanwhile is skipped and says so.
    Pause(Pause),
    /// Lets them fire again. What passed meanwhile stays skipped.
    Resume(Resume),
    /// Runs afterwards what did not run, each about its own date.
    Backfill(Backfill),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only of this batch.
    batch: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Pause {
    batch: String,
    /// Why, for whoever finds it paused.
    #[arg(long)]
    note: String,
}

#[derive(Debug, Args)]
pub(super) struct Resume {
    batch: String,
    /// For the audit log.
    #[arg(long)]
    note: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Backfill {
    batch: String,
    /// The first business date.
    #[arg(long)]
    from: NaiveDate,
    /// The last business date.
    #[arg(long)]
    to: NaiveDate,
    /// Only say what would be done.
    #[arg(long)]
    dry_run: bool,
}

impl Act {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        let app = place.open().await?;
        match self {
            Self::List(list) => listed(&app, place, list.batch.as_deref()).await?,
            Self::Pause(Pause { batch, note }) => {
                schedule::pause(&app.engine, &author(&app), (&batch, &note)).await?;
                listed(&app, place, Some(&batch)).await?;
            }
            Self::Resume(Resume { batch, note }) => {
                schedule::resume(&app.engine, &author(&app), (&batch, note.as_deref())).await?;
                listed(&app, place, Some(&batch)).await?;
            }
            Self::Backfill(Backfill { batch, from, to, dry_run }) => {
                let span = Span { from, to, dry_run };
                filled(schedule::backfill(&app.engine, &author(&app), (&batch, span)).await?, place)?;
            }
        }
        app.database.close().await
    }
}

async fn listed(app: &App, place: &Place, batch: Option<&str>) -> Result<()> {
    let schedules = schedule::schedules(&app.database.pool, (batch, None), app.engine.clock.now()).await?;
    if place.json {
        return print::json(&json!({ "items": schedules }));
    }
    print::table(
        "There are no schedules to show.",
        ["batch", "", "schedule", "zone", "next", "fires", ""],
        schedules.into_iter().map(row),
    )
}

fn row(it: Scheduled) -> [String; 7] {
    let why = match (it.fault, it.paused_by, it.paused_note) {
        (Some(fault), ..) => fault,
        (None, Some(by), Some(note)) => format!("paused by {by}: {note}"),
        _ if it.enabled_at.is_none() && !it.fires => "the batch is disabled".to_owned(),
        _ => String::new(),
    };
    let fires = if it.fires { "yes" } else { "NO" };
    [
        it.batch,
        it.position.to_string(),
        it.words,
        it.schedule.zone.unwrap_or_default(),
        it.next.map(|next| next.local).unwrap_or_default(),
        fires.to_owned(),
        why,
    ]
}

fn filled(filled: Vec<Filled>, place: &Place) -> Result<()> {
    if place.json {
        return print::json(&json!({ "items": filled }));
    }
    let rows = filled.into_iter().map(|it| {
        let run = it.run.map(|run| run.to_string()).unwrap_or_default();
        [it.key, it.business_date.to_string(), it.outcome.to_owned(), run]
    });
    print::table("There was nothing to run afterwards.", ["occurrence", "for", "", "run"], rows)
}
