//! Watching a run until it ends, with live progress on a terminal.

use std::{io::IsTerminal, time::Duration};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sqlx::PgPool;

use super::print::{self, word};
use crate::{
    id::RunId,
    run::{
        RunState,
        book::{self, Run},
    },
};

/// How often a watched run is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How many looks pass until it is looked at what the far sides say.
const ASK: u32 = 10;

/// How long nothing may happen before the watcher is told why that may be.
const PATIENCE: Duration = Duration::from_secs(15);

/// Waits for the end of `run` and of its notices, and gives it as it ended.
pub(crate) async fn watch(db: &PgPool, run: RunId) -> Result<Run> {
    let bar = bar();
    let mut ticks = tokio::time::interval(LOOK);
    let (mut line, mut looks, mut told) = (0, 0_u32, None);
    let mut moved = std::time::Instant::now();
    loop {
        ticks.tick().await;
        let seen = book::run(db, run, None).await?.with_context(|| format!("there is no run {run}"))?;
        for entry in book::log(db, run, line).await? {
            line = entry.number;
            moved = std::time::Instant::now();
            bar.suspend(|| {
                print::note(format_args!("  {}  {}", entry.at.format("%H:%M:%S"), print::one_line(&entry.text)))
            });
        }
        show(&bar, &seen);
        if looks.is_multiple_of(ASK)
            && let Some(news) = awaited(db, &seen).await?.filter(|news| Some(news) != told.as_ref())
        {
            bar.suspend(|| print::note(format_args!("  {}", print::one_line(&news))));
            moved = std::time::Instant::now();
            told = Some(news);
        }
        looks += 1;
        if seen.ended_at.is_some() && book::is_quiet(db, run).await? {
            bar.finish_and_clear();
            return Ok(seen);
        }
        let patience = if told.is_some() { PATIENCE * 8 } else { PATIENCE };
        if seen.state == RunState::Held || moved.elapsed() > patience {
            let why = match told.as_ref().filter(|_| seen.state != RunState::Held) {
                Some(news) => format!("still {news} (somebody has to work for that: `postbook up`)"),
                None => {
                    "nothing happens: is the run held or paused, or is no worker running (`postbook up`)?".to_owned()
                }
            };
            bar.suspend(|| print::note(format_args!("  {}", print::one_line(&why))));
            moved = std::time::Instant::now();
            if seen.state == RunState::Held {
                bar.finish_and_clear();
                return Ok(seen);
            }
        }
    }
}

/// What the far sides are waited for, in a line.
async fn awaited(db: &PgPool, run: &Run) -> Result<Option<String>> {
    if run.counts.accepted + run.counts.uncertain == 0 {
        return Ok(None);
    }
    let awaited = book::awaited(db, run.id).await?;
    let progress = awaited.progress.map(|it| format!(": {it}")).unwrap_or_default();
    Ok((awaited.count > 0).then(|| format!("waiting for word of {} on the way{progress}", awaited.count)))
}

fn bar() -> ProgressBar {
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    if let Ok(style) = ProgressStyle::with_template("  {elapsed:>4} [{bar:30}] {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar
}

fn show(bar: &ProgressBar, run: &Run) {
    let counts = run.counts;
    bar.set_length(u64::try_from(counts.total()).unwrap_or_default());
    bar.set_position(u64::try_from(counts.total() - counts.open()).unwrap_or_default());
    let sent = counts.delivered + counts.accepted;
    bar.set_message(format!("{}: {sent} sent, {} failed, {} skipped", word(&run.state), counts.failed, counts.skipped));
}
