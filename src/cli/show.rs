//! Commands that show what is in the book.

use std::{io::Write, path::PathBuf};

use anyhow::{Context, Result, bail};
use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use futures::StreamExt;
use serde_json::json;
use sqlx::PgPool;

use super::{Place, print};
use crate::{
    id::RunId,
    run::{
        RunState,
        book::{self, Asked, Piece, Purpose, Transmission},
        files,
    },
};

/// Lists runs.
#[derive(Debug, Args)]
pub(super) struct Runs {
    #[arg(long)]
    batch: Option<String>,
    #[arg(long)]
    state: Option<RunState>,
    #[arg(long)]
    from: Option<NaiveDate>,
    #[arg(long)]
    to: Option<NaiveDate>,
    /// How many.
    #[arg(long, default_value_t = 20)]
    limit: u16,
}

impl Runs {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        let app = place.open().await?;
        let asked = Asked { batch: self.batch, state: self.state, from: self.from, to: self.to, ..Asked::default() };
        let piece = Piece { after: None, limit: i64::from(self.limit) };
        let runs = book::runs(&app.database.pool, &asked, piece).await?;
        if place.json {
            print::json(&json!({ "items": runs }))?;
        } else {
            print::table(
                "There are no runs to show.",
                ["run", "batch", "for", "state", "sent", "failed", "skipped", "open", "started", "ended"],
                runs.iter().map(|run| {
                    [
                        run.id.to_string(),
                        run.batch.clone(),
                        run.business_date.to_string(),
                        print::word(&run.state),
                        (run.counts.delivered + run.counts.accepted).to_string(),
                        run.counts.failed.to_string(),
                        run.counts.skipped.to_string(),
                        run.counts.open().to_string(),
                        print::time(Some(run.created_at)),
                        print::time(run.ended_at),
                    ]
                }),
            )?;
        }
        app.database.close().await
    }
}

/// Shows a run.
#[derive(Debug, Args)]
pub(super) struct Show {
    run: RunId,
}

impl Show {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        let app = place.open().await?;
        let db = &app.database.pool;
        let run = book::run(db, self.run, None).await?.with_context(|| format!("there is no run {}", self.run))?;
        let transmissions = all(db, self.run, Purpose::Document).await?;
        let notices = all(db, self.run, Purpose::Notice).await?;
        if place.json {
            print::json(&json!({ "run": run, "transmissions": transmissions, "notices": notices }))?;
        } else {
            print::line(format_args!(
                "run {} of {} for {}: {}, {}",
                run.id,
                run.batch,
                run.business_date,
                print::word(&run.state),
                run.cause.key
            ))?;
            if let Some(at) = run.files_purged_at {
                print::line(format_args!("Its files were purged on {}.", at.date_naive()))?;
            }
            if let Some(reason) = &run.reason {
                print::line(format_args!("It could not begin: {}", print::reason(Some(reason))))?;
            }
            book_table(&transmissions)?;
            for notice in &notices {
                print::line(format_args!(
                    "Told {} <{}>: {}",
                    notice.recipient,
                    notice.contact,
                    print::word(&notice.state)
                ))?;
            }
        }
        app.database.close().await
    }
}

/// Prints transmissions as the book's table.
pub(crate) fn book_table(transmissions: &[Transmission]) -> Result<()> {
    print::table(
        "It has no transmissions.",
        ["no.", "document", "recipient", "channel", "contact", "state", "sent", "proof or reason"],
        transmissions.iter().map(|it| {
            let titles: Vec<_> = it.documents.iter().map(|document| document.title.clone()).collect();
            let twice = if it.possibly_twice { " (possibly twice)" } else { "" };
            let proof = print::reason(it.proof.as_ref());
            [
                it.id.to_string(),
                titles.join(", "),
                it.recipient.clone(),
                it.channel.clone(),
                it.contact.clone(),
                format!("{}{twice}", print::word(&it.state)),
                print::time(it.sent_at),
                match &it.waits_for {
                    Some(text) => format!("waits: {text}"),
                    None if proof.is_empty() => print::reason(it.reason.as_ref()),
                    None => proof,
                },
            ]
        }),
    )
}

/// All transmissions of a run.
pub(crate) async fn all(db: &PgPool, run: RunId, purpose: Purpose) -> Result<Vec<Transmission>> {
    let mut all: Vec<Transmission> = Vec::new();
    loop {
        let piece = Piece { after: all.last().map(|it| it.id.0), limit: 1000 };
        let more = book::transmissions(db, run, purpose, piece).await?;
        if more.is_empty() {
            return Ok(all);
        }
        all.extend(more);
    }
}

/// Writes a run's files into a ZIP.
#[derive(Debug, Args)]
pub(super) struct Zip {
    run: RunId,
    file: PathBuf,
}

impl Zip {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        let app = place.open().await?;
        let bytes = write(&app, self.run, &self.file).await?;
        if place.json {
            print::json(&json!({ "file": self.file, "bytes": bytes }))?;
        } else {
            print::line(format_args!("{} ({bytes} bytes)", self.file.display()))?;
        }
        app.database.close().await
    }
}

/// Writes the files of `run` to `path`, and gives the bytes written.
pub(crate) async fn write(app: &crate::app::App, run: RunId, path: &std::path::Path) -> Result<u64> {
    let db = &app.database.pool;
    book::run(db, run, None).await?.with_context(|| format!("there is no run {run}"))?;
    if let Some(at) = files::purged(db, run).await? {
        bail!("the files of run {run} were purged on {}, as they were too old", at.date_naive());
    }
    let mut pieces = Box::pin(files::zip(db, &app.shelf.store, run).await?);
    let aside = path.with_extension("zip.part");
    let mut file = std::fs::File::create(&aside).with_context(|| format!("writing {}", aside.display()))?;
    let mut bytes = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece.with_context(|| format!("reading the files of run {run}"))?;
        file.write_all(&piece).with_context(|| format!("writing {}", aside.display()))?;
        bytes += piece.len() as u64;
    }
    file.sync_all().with_context(|| format!("writing {}", aside.display()))?;
    std::fs::rename(&aside, path).with_context(|| format!("writing {}", path.display()))?;
    Ok(bytes)
}

impl ValueEnum for RunState {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Held, Self::Expanding, Self::Running, Self::Succeeded, Self::Partial, Self::Failed, Self::Cancelled]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.name()))
    }
}
