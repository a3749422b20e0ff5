//! Step 1: the batch becomes items, transmissions and first steps.
//!
//! Written in chunks, each in a transaction of its own under a natural key, so that a second go after a crash finds
//! what is there and adds what is missing. No step exists before the last chunk is in; nothing can be rendered or
//! sent from half an expansion.

pub(super) mod gather;
mod write;

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{PgConnection, PgPool};

use super::{
    Engine, RunState, StepState,
    claim::{Held, claim},
    frozen::{self, Frozen},
    log, notify, once,
    plan::{self, Planner, Recipient},
    survey,
};
use crate::{
    catalog,
    document::Failure,
    id::{ItemId, RunId, StepId, TransmissionId},
    monitor::{
        alarm,
        unusual::{self, Expanded},
    },
    queue::{self, Hint},
    reason::{Reason, Scope},
    workflow::Kind,
};

/// Recipients written at once. More is hardly faster, and keeps the transaction and its memory longer.
const CHUNK: i64 = 500;

/// Expands a run, unless another worker does.
pub(super) async fn expand(engine: &Engine, step: StepId) -> Result<()> {
    let Some(claim) = claim(engine, step).await? else {
        return Ok(());
    };
    let frozen = frozen::of(engine, claim.run).await?;
    let mut db = engine.db.acquire().await.context("connecting to expand a run")?;
    let documents = plan::documents(&mut db, &frozen.batch).await;
    drop(db);
    let documents = match documents {
        Ok(documents) => documents,
        Err(error) if error.downcast_ref::<sqlx::Error>().is_none() => {
            let reason = Reason::new(Scope::Document, "no-document", format!("{error:#}"));
            return fail(engine, &claim, &frozen, &reason).await;
        }
        Err(error) => return Err(error),
    };
    let listed = listed(engine, &frozen).await?;
    match gather::gather(engine, &claim, &frozen, listed).await? {
        Ok(true) => {}
        Ok(false) => return Ok(()),
        Err(failure) => return put_off(engine, &claim, &frozen, failure).await,
    }
    let mut planner = Planner::new(engine, &frozen, &documents, listed);
    let mut shared = HashMap::new();
    let mut written = 0;
    let mut recipients = read(engine, &frozen, -1).await?;
    while let Some(last) = recipients.last().map(|recipient| recipient.position) {
        written += recipients.len() as i64;
        // The next ones are read while these are written.
        let chunk = chunk(engine, &claim, (&mut planner, &mut shared), recipients);
        let (ours, next) = tokio::try_join!(chunk, read(engine, &frozen, last))?;
        if !ours {
            return Ok(());
        }
        recipients = next;
    }
    acquaint(&engine.db, written).await?;
    finish(engine, &claim, &frozen).await
}

/// The next recipients after position `after`.
async fn read(engine: &Engine, frozen: &Frozen, after: i32) -> Result<Vec<Recipient>> {
    let mut db = engine.db.acquire().await.context("connecting to read recipients")?;
    survey::recipients(&mut db, (frozen.revision, frozen.run), (after, CHUNK)).await
}

/// How many recipients the batch lists, which only matters to those who come behind them.
pub(super) async fn listed(engine: &Engine, frozen: &Frozen) -> Result<i32> {
    if frozen.batch.audience.is_none() {
        return Ok(0);
    }
    let mut db = engine.db.acquire().await.context("connecting to count recipients")?;
    catalog::recipient::count(&mut db, frozen.revision).await
}

/// Tries again later when that may help, or fails the run.
async fn put_off(engine: &Engine, claim: &Held, frozen: &Frozen, failure: Failure) -> Result<()> {
    let now = engine.clock.now();
    let node = frozen.workflow.node(&claim.name).context("the step is not in its workflow")?;
    let tries = u32::try_from(claim.tries).unwrap_or_default() + 1;
    let pause = if failure.again { node.retry.pause(tries, failure.after) } else { None };
    let Some(pause) = pause else {
        return fail(engine, claim, frozen, &failure.reason).await;
    };
    let mut db = engine.db.begin().await.context("beginning to put an expansion off")?;
    if claim.defer(&mut db, now + pause, &failure.reason, now).await? {
        db.commit().await.context("putting an expansion off")?;
    }
    Ok(())
}

/// Has Postgres count the tables anew when it believes that they hold less than this run alone has written. It would
/// read them whole for each item as long as it takes them for small, which is a minute and more.
async fn acquaint(db: &PgPool, written: i64) -> Result<()> {
    let believed = sqlx::query_scalar!(
        r#"select reltuples::bigint as "believed!" from pg_class where oid = 'transmission'::regclass"#,
    )
    .fetch_one(db)
    .await
    .context("asking how big Postgres takes the tables for")?;
    if believed < written {
        sqlx::query("analyze item, transmission, transmission_item")
            .execute(db)
            .await
            .context("counting the tables")?;
    }
    Ok(())
}

/// Writes what `recipients` get. False when the claim was lost.
async fn chunk(
    engine: &Engine,
    claim: &Held,
    (planner, shared): (&mut Planner<'_>, &mut HashMap<String, ItemId>),
    recipients: Vec<Recipient>,
) -> Result<bool> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning a chunk")?;
    if !still_ours(&mut db, claim).await? {
        return Ok(false);
    }
    once::lock(&mut db, planner).await?;
    let planned = survey::survey(&mut db, planner, recipients).await?;
    write::items(&mut db, claim.run, &planned, shared).await?;
    write::transmissions(&mut db, claim.run, (&planned, shared), now).await?;
    db.commit().await.context("writing a chunk")?;
    Ok(true)
}

/// Locks the claim's row, so that nobody takes it over while the chunk is written.
async fn still_ours(db: &mut PgConnection, claim: &Held) -> Result<bool> {
    let row = sqlx::query_scalar!(
        "select id from step where id = $1 and lease = $2 and state = 'running' for share",
        claim.step as StepId,
        claim.lease,
    )
    .fetch_optional(db)
    .await
    .context("checking the claim of an expansion")?;
    Ok(row.is_some())
}

/// Ends the expansion: from here on the items run by themselves.
async fn finish(engine: &Engine, claim: &Held, frozen: &Frozen) -> Result<()> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning the end of an expansion")?;
    if !claim.end(&mut db, StepState::Done, None, now).await? {
        return Ok(());
    }
    let node = frozen.workflow.node(&claim.name).context("the step is not in its workflow")?;
    let render = node.on_success.as_deref().context("an expansion leads nowhere")?;
    let transmit = frozen.workflow.node(render).and_then(|node| node.on_success.as_deref());
    let transmit = transmit.context("the items of a workflow lead to no step that transmits")?;
    let record = frozen.workflow.node(transmit).and_then(|node| node.on_success.as_deref());
    let record = record.context("the transmissions of a workflow lead to no step that records")?;
    let mut hints = first_steps(&mut db, claim.run, render, now).await?;
    let items = hints.len();
    if frozen.batch.documents.is_empty() {
        let bare = bare(&mut db, claim.run).await?;
        hints.extend(notify::steps(&mut db, claim.run, transmit, &bare, now).await?);
    }
    hints.push(record_step(&mut db, claim.run, record, now).await?);
    weigh(engine, &mut db, frozen, now).await?;
    log::write(
        &mut db,
        claim.run,
        now,
        ("expanded", format!("{items} documents to render"), json!({ "items": items })),
    )
    .await?;
    queue::push(&mut db, &hints).await?;
    db.commit().await.context("ending an expansion")
}

/// What is for somebody is rendered.
async fn first_steps(db: &mut PgConnection, run: RunId, name: &str, now: DateTime<Utc>) -> Result<Vec<Hint>> {
    let steps = sqlx::query_scalar!(
        r#"
        insert into step (run, name, kind, item, state, due_at, hinted_at, created_at, changed_at)
        select $1, $2, 'render', item.id, 'ready', $3, $3, $3, $3
          from item
         where item.run = $1 and item.artifact is null and item.reason is null
           and exists (select from transmission_item
                         join transmission on transmission.id = transmission_item.transmission
                        where transmission_item.item = item.id and transmission.state = 'queued')
         order by item.position, item.id
        returning id as "id: StepId"
        "#,
        run as RunId,
        name,
        now,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("adding the first steps of run {run}"))?;
    Ok(steps.into_iter().map(|id| Hint { kind: Kind::Render, id }).collect())
}

/// What carries words alone, and waits for nothing.
async fn bare(db: &mut PgConnection, run: RunId) -> Result<Vec<TransmissionId>> {
    sqlx::query_scalar!(
        r#"
        select id as "id: TransmissionId" from transmission
         where run = $1 and purpose = 'document' and state = 'queued' and waiting = 0
        "#,
        run as RunId,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading what run {run} sends without documents"))
}

async fn record_step(db: &mut PgConnection, run: RunId, name: &str, now: DateTime<Utc>) -> Result<Hint> {
    let id = sqlx::query_scalar!(
        r#"
        insert into step (run, name, kind, state, due_at, hinted_at, created_at, changed_at)
        values ($1, $2, 'record', 'ready', $3, $3, $3, $3)
        returning id as "id: StepId"
        "#,
        run as RunId,
        name,
        now,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("adding the recording step of run {run}"))?;
    Ok(Hint { kind: Kind::Record, id })
}

/// Begins the run, and has monitors told when it is for nobody, or for an unusual number of recipients.
async fn weigh(engine: &Engine, db: &mut PgConnection, frozen: &Frozen, now: DateTime<Utc>) -> Result<()> {
    let recipients = begin(db, frozen.run).await?;
    let batch = &frozen.batch;
    let expanded = Expanded { run: frozen.run, batch: &batch.name, title: &batch.title, recipients };
    let alarm = unusual::weigh(db, expanded, &engine.settings.monitor, now).await?;
    alarm::raise(db, alarm.as_slice(), now).await?;
    Ok(())
}

/// Gives the number of recipients who are to get something.
async fn begin(db: &mut PgConnection, run: RunId) -> Result<i32> {
    sqlx::query_scalar!(
        r#"
        update run
           set state = case state when 'expanding' then $2 else state end,
               recipients = (select count(distinct transmission.recipient)
                               from transmission
                              where transmission.run = $1 and transmission.state <> 'skipped')
         where id = $1
        returning recipients as "recipients!"
        "#,
        run as RunId,
        RunState::Running as RunState,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("beginning run {run}"))
}

/// Ends a run that cannot be expanded.
async fn fail(engine: &Engine, claim: &Held, frozen: &Frozen, reason: &Reason) -> Result<()> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to fail an expansion")?;
    if claim.end(&mut db, StepState::Failed, Some(reason), now).await? {
        give_up(&mut db, frozen, &claim.name, reason, now).await?;
        db.commit().await.context("failing an expansion")?;
    }
    Ok(())
}

/// The run fails as a whole, with what earlier chunks wrote, and goes on with what its workflow says for that.
pub(super) async fn give_up(
    db: &mut PgConnection,
    frozen: &Frozen,
    step: &str,
    reason: &Reason,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
        update run
           set state = 'failed', reason = $2, ended_at = $3, closings = closings + 1
         where id = $1 and state = 'expanding'
        "#,
        frozen.run as RunId,
        serde_json::to_value(reason)?,
        now,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("failing run {}", frozen.run))?;
    sqlx::query!(
        r#"
        update transmission set state = 'failed', reason = $2, changed_at = $3 where run = $1 and state = 'queued'
        "#,
        frozen.run as RunId,
        serde_json::to_value(reason)?,
        now,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("failing the transmissions of run {}", frozen.run))?;
    log::write(db, frozen.run, now, ("failed", reason.text.clone(), json!({ "code": reason.code }))).await?;
    let next = frozen.workflow.node(step).and_then(|node| node.on_failure.as_deref());
    super::record::follow(db, frozen, next, now).await
}
