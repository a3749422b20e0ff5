//! Durable steps: every item is rendered (a small stored text), transmitted by an account that throws it away, and
//! recorded, by one node or several that work as `up` does.
//!
//! The clock runs from the end of the planning (`expanded` in the run's log; the first step of every item is written
//! after that) to the end of the run, both as the book has them. What is counted are the rows of steps that were done,
//! one for rendering and one for transmitting each item. Recording is shared: many items, one count, so it is told
//! apart and not multiplied.

use std::{num::NonZeroU32, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::{
    Findings,
    memory::Memory,
    node::Node,
    progress::Progress,
    rounded,
    setup::{self, Source},
    stand::Stand,
};
use crate::{
    app::Roles,
    id::RunId,
    queue::Queue,
    run::{
        RunState,
        book::{self, Run},
    },
};

/// How often the run is looked at. Its times come from the book, so this bounds nothing.
const LOOK: Duration = Duration::from_millis(100);

/// Measures the steps of so many items, done by so many nodes.
pub(super) async fn measure(
    stand: &Stand,
    (items, count): (NonZeroU32, NonZeroU32),
    stop: &CancellationToken,
) -> Result<Findings> {
    stand.set_up(setup::text(&Source::Stored, true, items)).await?;
    let run = stand.hold().await?;
    let mut others = Vec::new();
    for _ in 1..count.get() {
        others.push(Node::start(stand.program()?).await?);
    }
    let db = &stand.app.database.pool;
    let nodes = stop.child_token();
    let memory = Memory::begin();
    let node =
        stand.app.run(Roles { doors: false, triggers: false, queues: Queue::ALL.to_vec() }, nodes.clone(), |_| Ok(()));
    let work = async {
        let _stopping = nodes.drop_guard_ref();
        stand.release(run).await?;
        ended(db, run, items).await
    };
    let (ended, node) = tokio::join!(work, node);
    node?;
    for other in others {
        other.end().await?;
    }
    let (run, memory) = (ended?, memory.end());
    let complete = run.state == RunState::Succeeded && run.counts.delivered == i32::try_from(items.get())?;
    ensure!(complete, "the run ended as {:?} with {:?}", run.state, run.counts);
    let mut findings = findings(db, &run, memory).await?;
    findings.figures["nodes"] = json!(count);
    Ok(findings)
}

async fn ended(db: &PgPool, run: RunId, items: NonZeroU32) -> Result<Run> {
    let progress = Progress::counting(items.get(), "items rendered, transmitted and recorded");
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        let seen = book::run(db, run, None).await?.with_context(|| format!("there is no run {run}"))?;
        if seen.ended_at.is_some() {
            return Ok(seen);
        }
        progress.at(i64::from(seen.counts.total() - seen.counts.open()));
    }
}

async fn findings(db: &PgPool, run: &Run, memory: Memory) -> Result<Findings> {
    let log = book::log(db, run.id, 0).await?;
    let at = |event: &str| log.iter().find(|line| line.event == event).map(|line| line.at);
    let (released, expanded) =
        (at("released").context("it was not released")?, at("expanded").context("not expanded")?);
    let end = run.ended_at.context("it has not ended")?;
    let (seconds, expand) = ((end - expanded).as_seconds_f64(), (expanded - released).as_seconds_f64());
    let Done { steps, records } = done(db, run.id).await?;
    let (items, count) = (run.counts.delivered, f64::from(run.counts.delivered));
    let (items_per_second, steps_per_second) = (count / seconds, steps as f64 / seconds);
    Ok(Findings {
        figures: json!({
            "items": items,
            "steps": steps,
            "records": records,
            "seconds": rounded(seconds),
            "expand_seconds": rounded(expand),
            "items_per_second": rounded(items_per_second),
            "steps_per_second": rounded(steps_per_second),
        }),
        sentence: format!(
            "{items} items in {seconds:.2} s after {expand:.2} s of expanding: {items_per_second:.0} items/s, \
             {steps_per_second:.0} durable steps/s (render and transmit), recorded by {records} counts"
        ),
        memory,
    })
}

struct Done {
    steps: i64,
    records: i64,
}

/// The steps of items that are done, and how often the run was counted.
async fn done(db: &PgPool, run: RunId) -> Result<Done> {
    sqlx::query_as!(
        Done,
        r#"
        select count(*) filter (where kind in ('render', 'transmit') and state = 'done') as "steps!",
               coalesce(sum(lease) filter (where kind = 'record'), 0)::bigint as "records!"
          from step
         where run = $1
        "#,
        run as RunId,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("counting the steps of run {run}"))
}
