//! What waits to be sent, and pausing, releasing and dropping it.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Place, author, print};
use crate::{
    app::App,
    id::RunId,
    run::sending::{self, Sending as Shown},
};

/// Shows whether sending is paused and what waits.
#[derive(Debug, Args)]
pub(super) struct Sending {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Keeps everything from being sent, on all nodes, until it is released. Sends in flight are finished.
    Pause(Why),
    /// Lets everything go that waits, or one run.
    Release(Release),
    /// Cancels what a run, or every open run, has queued.
    Drop(Dropped),
}

#[derive(Debug, Args)]
struct Why {
    /// Why, for the audit log.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
struct Release {
    /// Only this run; everything else waits on.
    #[arg(long)]
    run: Option<RunId>,
    /// Why, for the audit log.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
#[group(id = "which", required = true, multiple = false, args = ["run", "all"])]
struct Dropped {
    /// This run.
    #[arg(long)]
    run: Option<RunId>,
    /// Every run that has begun and not ended, and what ended ones still have queued.
    #[arg(long)]
    all: bool,
    /// Why, for the audit log.
    #[arg(long)]
    reason: String,
}

impl Sending {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        let app = place.open().await?;
        let by = author(&app);
        match self.act {
            None => {}
            Some(Act::Pause(why)) => sending::pause(&app.engine, &by, &why.reason).await?,
            Some(Act::Release(Release { run: None, reason })) => sending::release(&app.engine, &by, &reason).await?,
            Some(Act::Release(Release { run: Some(run), reason })) => {
                sending::release_run(&app.engine, run, (&by, &reason)).await?;
            }
            Some(Act::Drop(dropped)) => dropped.carry_out(&app, place).await?,
        }
        let shown = sending::sending(&app.engine).await?;
        if place.json {
            print::json(&shown)?
        } else {
            tell(&shown)?
        }
        app.database.close().await
    }
}

impl Dropped {
    async fn carry_out(self, app: &App, place: &Place) -> Result<()> {
        let (by, why) = (author(app), self.reason);
        let runs = match self.run {
            Some(run) => sending::drop_run(&app.engine, run, (&by, &why)).await.map(|()| vec![run])?,
            None => sending::drop_all(&app.engine, (&by, &why)).await?,
        };
        if !place.json {
            print::line(format_args!("dropped: {}", json!(runs)))?;
        }
        Ok(())
    }
}

fn tell(shown: &Shown) -> Result<()> {
    match (&shown.why, &shown.by) {
        (Some(why), Some(by)) => {
            print::line(format_args!("Sending is PAUSED since {} by {by}: {why}", print::time(shown.since)))?
        }
        _ => print::line("Sending is not paused.")?,
    }
    print::table(
        "Nothing waits to be sent.",
        ["run", "batch", "for", "state", "what", "channel", "account", "queued", "oldest due", ""],
        shown.waiting.iter().map(|it| {
            [
                it.run.to_string(),
                it.batch.clone(),
                it.business_date.to_string(),
                print::word(&it.state),
                print::word(&it.purpose),
                it.channel.clone(),
                it.account.clone().unwrap_or_default(),
                it.queued.to_string(),
                print::time(Some(it.oldest_due_at)),
                if it.released { "let go".to_owned() } else { String::new() },
            ]
        }),
    )?;
    if shown.paused {
        print::line("Let it go:  postbook sending release --reason \"...\"   (or with --run RUN, one run)")?;
        print::line("Drop it:    postbook sending drop --run RUN|--all --reason \"...\"")?;
    }
    Ok(())
}
