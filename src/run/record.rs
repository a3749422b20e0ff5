//! Step 4: the outcomes of many transmissions become the counts and the state of their run.
//!
//! Counted, not added up: whatever happened, the next count is right. One step row per run, marked by whoever settles
//! a transmission, so a thousand settled at once are one count. Settling takes the run's fence shared and claiming the
//! count takes it alone; so a mark is never made on a count that has not seen its transmission.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::{
    Counts, Engine, RunState, StepState,
    claim::{self, Held},
    frozen::{self, Frozen},
    log, turn,
};
use crate::{
    contact::Send,
    id::{RunId, StepId},
    queue::{self, Hint},
    workflow::Kind,
};

/// The shortest time between two counts of one run. Less shows progress sooner and counts more often.
const PAUSE: Duration = Duration::from_millis(250);

/// How many times as long as a count takes the pause after it is. Ten keeps counting below a tenth of one connection,
/// however many transmissions a run has.
const REST: u32 = 10;

/// The first half of the fence's key, which keeps it apart from other advisory locks.
const FENCE: i32 = 0x706f7374;

/// Held shared until the end of the transaction by whoever settles a transmission of one of `runs`.
pub(super) async fn fence(db: &mut PgConnection, runs: &BTreeSet<RunId>) -> Result<()> {
    let keys: Vec<_> = runs.iter().map(|run| folded(*run)).collect();
    sqlx::query!(
        "select pg_advisory_xact_lock_shared($1, key) from unnest($2::integer[]) as fence (key)",
        FENCE,
        &keys
    )
    .execute(db)
    .await
    .context("taking the fence of a run")?;
    Ok(())
}

/// Two runs may share a fence after four billion; they would only wait for each other.
fn folded(run: RunId) -> i32 {
    run.0 as i32
}

/// Those of `runs` that were cancelled. Their rows stay as they are until the end of the caller's transaction, so that
/// whoever cancels one finds what the caller writes.
pub(super) async fn cancelled(db: &mut PgConnection, runs: &BTreeSet<RunId>) -> Result<BTreeSet<RunId>> {
    let rows = sqlx::query!(
        r#"
        select id as "id: RunId", cancelled_at is not null as "cancelled!"
          from run
         where id = any($1)
         order by id
           for share
        "#,
        &runs.iter().map(|run| run.0).collect::<Vec<_>>(),
    )
    .fetch_all(db)
    .await
    .context("asking whether runs are cancelled")?;
    Ok(rows.into_iter().filter(|row| row.cancelled).map(|row| row.id).collect())
}

/// Marks `run` to be counted. The caller holds the fence.
pub(super) async fn mark(db: &mut PgConnection, run: RunId, now: DateTime<Utc>) -> Result<()> {
    let marked = sqlx::query_scalar!(
        r#"
        update step
           set state = case state when 'waiting' then 'ready' else state end,
               due_at = case state when 'waiting' then $2 else due_at end,
               hinted_at = case state when 'waiting' then $2 else hinted_at end,
               again = state = 'running',
               changed_at = $2
         where run = $1 and kind = 'record'
           and (state = 'waiting' or (state = 'running' and not again))
        returning case state when 'ready' then id end as "id: StepId"
        "#,
        run as RunId,
        now,
    )
    .fetch_optional(&mut *db)
    .await
    .with_context(|| format!("marking run {run}"))?;
    match marked.flatten() {
        Some(id) => queue::push(db, &[Hint { kind: Kind::Record, id }]).await,
        None => Ok(()),
    }
}

/// Counts a run, and ends it when nothing is open any more.
pub(super) async fn record(engine: &Engine, step: StepId) -> Result<()> {
    let Some(claim) = claim_alone(engine, step).await? else {
        return Ok(());
    };
    let frozen = frozen::of(engine, claim.run).await?;
    let began = std::time::Instant::now();
    let mut db = engine.db.begin().await.context("beginning to count a run")?;
    if frozen.batch.policy.send != Send::All && lock(&mut db, claim.run).await?.cancelled_at.is_none() {
        turn::turn(engine, &mut db, &frozen, engine.clock.now()).await?;
    }
    let (counts, awaited) = counts(&mut db, claim.run).await?;
    let rest = PAUSE.max(began.elapsed() * REST);
    let now = engine.clock.now();
    // The run before its step, as all who act on a run do: the other way round, each would wait for the other.
    let before = lock(&mut db, claim.run).await?;
    if !rest_until(&mut db, &claim, now + rest, now).await? {
        return Ok(());
    }
    write(&mut db, &frozen, &claim, (&before, &counts, awaited), now).await?;
    db.commit().await.context("counting a run")
}

/// Claims the step once everybody who settled a transmission before has committed.
async fn claim_alone(engine: &Engine, step: StepId) -> Result<Option<Held>> {
    let mut db = engine.db.begin().await.context("beginning a claim")?;
    let run = sqlx::query_scalar!(r#"select run as "run: RunId" from step where id = $1"#, step as StepId)
        .fetch_optional(&mut *db)
        .await
        .context("looking at a step that records")?;
    let Some(run) = run else { return Ok(None) };
    sqlx::query!("select pg_advisory_xact_lock($1, $2)", FENCE, folded(run))
        .execute(&mut *db)
        .await
        .context("waiting for the fence of a run")?;
    let claims = claim::take(&mut db, engine, &[step], engine.clock.now()).await?;
    db.commit().await.context("claiming a count")?;
    Ok(claims.into_iter().next().map(|claim| engine.leases.hold(claim)))
}

/// The transmissions by their states, and how many of them hold the run open until there is word of them: in one
/// statement, so that none is seen neither on its way nor awaited.
async fn counts(db: &mut PgConnection, run: RunId) -> Result<(Counts, i64)> {
    let row = sqlx::query!(
        r#"
        select count(*) filter (where state = 'queued')::integer as "queued!",
               count(*) filter (where state = 'sending')::integer as "sending!",
               count(*) filter (where state = 'accepted')::integer as "accepted!",
               count(*) filter (where state = 'delivered')::integer as "delivered!",
               count(*) filter (where state = 'failed')::integer as "failed!",
               count(*) filter (where state = 'skipped')::integer as "skipped!",
               count(*) filter (where state = 'uncertain')::integer as "uncertain!",
               count(*) filter (where state = 'cancelled')::integer as "cancelled!",
               (select count(*) from awaited
                  join transmission as held on held.id = awaited.transmission
                 where awaited.run = $1 and awaited.holds and held.purpose = 'document'
                   and held.state in ('accepted', 'uncertain')) as "awaited!"
          from transmission
         where run = $1 and purpose = 'document'
        "#,
        run as RunId,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("counting run {run}"))?;
    let counts = Counts {
        queued: row.queued,
        sending: row.sending,
        accepted: row.accepted,
        delivered: row.delivered,
        failed: row.failed,
        skipped: row.skipped,
        uncertain: row.uncertain,
        cancelled: row.cancelled,
    };
    Ok((counts, row.awaited))
}

/// Puts the step to rest: due again at `due_at` if it was marked meanwhile, else until it is.
async fn rest_until(db: &mut PgConnection, claim: &Held, due_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<bool> {
    let rested = sqlx::query!(
        r#"
        update step
           set state = case when again then 'ready' else 'waiting' end,
               due_at = $3, hinted_at = $4, again = false, deaths = 0, lease_until = null, changed_at = $4
         where id = $1 and lease = $2 and state = 'running'
        "#,
        claim.step as StepId,
        claim.lease,
        due_at,
        now,
    )
    .execute(db)
    .await
    .context("resting a step that records")?;
    Ok(rested.rows_affected() == 1)
}

/// A run before something is written to it.
pub(super) struct Before {
    pub state: RunState,
    pub cancelled_at: Option<DateTime<Utc>>,
}

/// Locks `run` against others who act on it.
pub(super) async fn lock(db: &mut PgConnection, run: RunId) -> Result<Before> {
    sqlx::query_as!(
        Before,
        r#"select state as "state: RunState", cancelled_at from run where id = $1 for no key update"#,
        run as RunId,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("locking run {run}"))
}

/// Writes the counts and, when nothing is open, the run's end and what follows it.
async fn write(
    db: &mut PgConnection,
    frozen: &Frozen,
    claim: &Held,
    (before, counts, awaited): (&Before, &Counts, i64),
    now: DateTime<Utc>,
) -> Result<()> {
    let state = counts.run_state(before.cancelled_at.is_some(), awaited);
    let ended = (state != RunState::Running).then_some(now);
    sqlx::query!(
        r#"
        update run
           set state = $2, queued = $3, sending = $4, accepted = $5, delivered = $6, failed = $7, skipped = $8,
               uncertain = $9, cancelled = $10,
               ended_at = case when $11::timestamptz is null then null else coalesce(ended_at, $11) end,
               closings = closings + case when ended_at is null and $11 is not null then 1 else 0 end
         where id = $1 and state not in ('held', 'expanding')
        "#,
        claim.run as RunId,
        state as RunState,
        counts.queued,
        counts.sending,
        counts.accepted,
        counts.delivered,
        counts.failed,
        counts.skipped,
        counts.uncertain,
        counts.cancelled,
        ended,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("writing the counts of run {}", claim.run))?;
    let text = format!("{} of {} sent, {} failed", counts.accepted + counts.delivered, counts.total(), counts.failed);
    let event = if ended.is_some() { "ended" } else { "progress" };
    log::write(db, claim.run, now, (event, text, json!({ "state": state, "counts": counts }))).await?;
    if ended.is_none() || before.state != RunState::Running {
        return Ok(());
    }
    let node = frozen.workflow.node(&claim.name).context("the step is not in its workflow")?;
    let next = if state == RunState::Succeeded { &node.on_success } else { &node.on_failure };
    match state {
        RunState::Cancelled => Ok(()),
        _ => follow(db, frozen, next.as_deref(), now).await,
    }
}

/// Goes on with the run-level step `next`, if there is one; again, when the run has come here before.
pub(super) async fn follow(
    db: &mut PgConnection,
    frozen: &Frozen,
    next: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(name) = next else { return Ok(()) };
    let node = frozen.workflow.node(name).context("a step leads to one that is not in its workflow")?;
    let id = sqlx::query_scalar!(
        r#"
        insert into step (run, name, kind, state, due_at, hinted_at, created_at, changed_at)
        values ($1, $2, $3, 'ready', $4, $4, $4, $4)
        on conflict (run, name, coalesce(item, 0), coalesce(transmission, 0))
        do update set state = 'ready', due_at = $4, hinted_at = $4, tries = 0, deaths = 0, changed_at = $4
           where step.state in ('done', 'failed', 'skipped')
        returning id as "id: StepId"
        "#,
        frozen.run as RunId,
        name,
        node.kind as Kind,
        now,
    )
    .fetch_optional(&mut *db)
    .await
    .with_context(|| format!("going on to step {name} of run {}", frozen.run))?;
    match id {
        Some(id) => queue::push(db, &[Hint { kind: node.kind, id }]).await,
        None => Ok(()),
    }
}

/// Ends a counting step that cannot count, which only repeated deaths of its workers bring about.
pub(super) async fn give_up(db: &mut PgConnection, run: RunId, text: &str, now: DateTime<Utc>) -> Result<()> {
    log::write(db, run, now, ("stuck", text.to_owned(), json!({ "state": StepState::Failed }))).await
}
