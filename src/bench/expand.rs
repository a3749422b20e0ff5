//! Expanding: one document to many recipients, by the step itself, from its claim to its commit.
//!
//! No worker is there, so that nothing else happens at the same time.

use std::{num::NonZeroU32, time::Instant};

use anyhow::{Context, Result, ensure};
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
use crate::{
    id::RunId,
    queue::Hint,
    run::{
        self,
        book::{self, Piece},
    },
};

/// Measures the expansion of a run to so many recipients.
pub(super) async fn measure(stand: &Stand, recipients: NonZeroU32) -> Result<Findings> {
    stand.set_up(setup::text(&Source::Stored, false, &To::Listed(recipients))).await?;
    let (seconds, memory) = expanded(stand, recipients).await?;
    let per_second = f64::from(recipients.get()) / seconds;
    Ok(Findings {
        figures: json!({
            "recipients": recipients,
            "seconds": rounded(seconds),
            "recipients_per_second": rounded(per_second),
        }),
        sentence: format!("{recipients} recipients in {seconds:.2} s: {per_second:.0} recipients/s"),
        memory,
    })
}

/// Has a run expanded, and says how long that took.
pub(super) async fn expanded(stand: &Stand, recipients: NonZeroU32) -> Result<(f64, Memory)> {
    let run = stand.hold().await?;
    stand.release(run).await?;
    let db = &stand.app.database.pool;
    let first = book::steps(db, run, Piece { after: None, limit: 1 }).await?;
    let hint = first.first().map(|step| Hint { kind: step.kind, id: step.id }).context("the run has no step")?;
    let progress = Progress::of(format!("expanding {recipients} recipients"));
    let (memory, began) = (Memory::begin(), Instant::now());
    run::perform(&stand.app.engine, hint).await?;
    let (seconds, memory) = (began.elapsed().as_secs_f64(), memory.end());
    drop(progress);
    let written = transmissions(db, run).await?;
    ensure!(written == i64::from(recipients.get()), "{written} transmissions to {recipients} recipients");
    Ok((seconds, memory))
}

/// What was written for a run that is ready to go on.
async fn transmissions(db: &PgPool, run: RunId) -> Result<i64> {
    sqlx::query_scalar!(
        r#"
        select count(*) as "count!"
          from transmission
          join run on run.id = transmission.run and run.state = 'running'
         where transmission.run = $1
        "#,
        run as RunId,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("counting the transmissions of run {run}"))
}
