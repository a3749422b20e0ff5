//! Archives: the files of a run as one ZIP, as the doors hand it out, read as fast as it comes and thrown away.
//!
//! The files are rendered by a worker beside this process, each with bytes of its own from a report server. Nothing
//! is transmitted.

use std::{
    num::NonZeroU32,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use futures::TryStreamExt;
use serde_json::json;
use sqlx::PgPool;

use super::{
    Findings,
    memory::Memory,
    progress::Progress,
    rounded,
    setup::{self, Source, To},
    stand::Stand,
};
use crate::{config::Size, id::RunId, run::files};

/// How often the worker's progress is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Measures the archive of a run with so many files of `size`, which `reports` makes.
pub(super) async fn measure(stand: &Stand, items: NonZeroU32, size: Size) -> Result<Findings> {
    stand.set_up(setup::text(&Source::Remote(stand.reports()?), true, &To::Listed(items))).await?;
    let run = stand.hold().await?;
    stand.release(run).await?;
    fill(stand, run, items).await?;
    let progress = Progress::of(format!("archiving {items} files"));
    let (memory, began) = (Memory::begin(), Instant::now());
    let Streamed { bytes, first } = stream(stand, run, began).await?;
    let (seconds, memory) = (began.elapsed().as_secs_f64(), memory.end());
    drop(progress);
    let content = u64::from(items.get()) * size.0;
    ensure!(bytes > content, "an archive of {bytes} bytes cannot hold {content} bytes that cannot be compressed");
    let (megabytes, first) = (bytes as f64 / 1e6, first.as_secs_f64() * 1e3);
    let per_second = megabytes / seconds;
    Ok(Findings {
        figures: json!({
            "items": items,
            "size": size.0,
            "bytes": bytes,
            "seconds": rounded(seconds),
            "first_byte_ms": rounded(first),
            "mb_per_second": rounded(per_second),
        }),
        sentence: format!(
            "{items} files, {megabytes:.1} MB in {seconds:.2} s: {per_second:.0} MB/s, first byte after {first:.1} ms"
        ),
        memory,
    })
}

/// Has a worker render all items, and ends it.
async fn fill(stand: &Stand, run: RunId, items: NonZeroU32) -> Result<()> {
    let progress = Progress::counting(items.get(), "files rendered");
    let mut work = stand.program()?;
    work.args(["work", "--queues", "run,render"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    let mut worker = work.spawn().context("starting a worker")?;
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        let Rendered { count, failed } = rendered(&stand.app.database.pool, run).await?;
        ensure!(failed == 0, "{failed} files could not be rendered");
        if count == i64::from(items.get()) {
            break;
        }
        if let Some(status) = worker.try_wait().context("looking after the worker")? {
            bail!("the worker ended early: {status}");
        }
        progress.at(count);
    }
    // All it had to do is done, and rows are the truth: nothing is lost by ending it at once.
    worker.kill().await.context("ending the worker")?;
    stand.settle().await
}

struct Rendered {
    count: i64,
    failed: i64,
}

async fn rendered(db: &PgPool, run: RunId) -> Result<Rendered> {
    sqlx::query_as!(
        Rendered,
        r#"
        select count(*) filter (where artifact is not null) as "count!",
               count(*) filter (where reason is not null) as "failed!"
          from item
         where run = $1
        "#,
        run as RunId,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("counting the files of run {run}"))
}

struct Streamed {
    bytes: u64,
    first: Duration,
}

/// Reads the archive to its end.
async fn stream(stand: &Stand, run: RunId, began: Instant) -> Result<Streamed> {
    let zip = files::zip(&stand.app.database.pool, &stand.app.engine.toolbox.store, run).await?;
    let mut pieces = std::pin::pin!(zip);
    let (mut bytes, mut first) = (0, None);
    while let Some(piece) = pieces.try_next().await.context("reading the archive")? {
        first.get_or_insert_with(|| began.elapsed());
        bytes += u64::try_from(piece.len())?;
    }
    Ok(Streamed { bytes, first: first.context("the archive is empty")? })
}
