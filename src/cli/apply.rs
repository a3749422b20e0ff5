//! Setting up from files.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::{Place, author, print};
use crate::{app, catalog::Saved, setup};

/// Sets up from files.
#[derive(Debug, Args)]
pub(super) struct Apply {
    dir: PathBuf,
    /// Only say what would be set up.
    #[arg(long)]
    plan: bool,
}

impl Apply {
    pub(super) async fn run(self, place: &Place) -> Result<ExitCode> {
        let wishes = setup::read(&self.dir)?;
        let app = place.open().await?;
        let plan = setup::plan(&app.shelf, &app::accounts(&app.engine), wishes).await?;
        if !place.json {
            print::line(format_args!("To be set up from {}:", self.dir.display()))?;
            plan.lines().iter().try_for_each(|line| print::line(format_args!("  {line}")))?;
        } else if self.plan {
            print::json(&json!({ "plan": plan.lines() }))?;
        }
        if self.plan {
            app.database.close().await?;
            return Ok(ExitCode::SUCCESS);
        }
        let done = plan.carry_out(&app.shelf, &author(&app)).await?;
        let word = |saved| match saved {
            Saved::Created => "created",
            Saved::Changed => "changed",
            Saved::Unchanged => "unchanged",
        };
        if place.json {
            let items =
                done.iter().map(|it| json!({ "kind": it.kind.to_string(), "name": it.name, "is": word(it.saved) }));
            print::json(&json!({ "items": items.collect::<Vec<_>>() }))?;
        } else {
            print::line("Done:")?;
            done.iter().try_for_each(|it| {
                print::line(format_args!("  {:9} {:9} {}", word(it.saved), it.kind.to_string(), it.name))
            })?;
        }
        app.database.close().await?;
        Ok(ExitCode::SUCCESS)
    }
}
