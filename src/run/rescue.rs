//! Steps and attempts whose worker is gone, and steps nobody was told of.
//!
//! A lease that ran out means that nobody is working on the step, or somebody who can no longer write. A rendering or
//! recording step simply becomes ready again; one that keeps taking its workers down is given up. An attempt at a
//! transmission may have arrived: it becomes `uncertain`, and the account says whether it is repeated or held.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    Engine, Event, StepState, TransmissionState,
    awaited::{self, Expected},
    errand, expand, frozen, parcel, record, render,
};
use crate::{
    channel::{Settle, account::Account},
    id::{ItemId, RunId, StepId, TransmissionId},
    queue::{self, Hint},
    reason::{Reason, Scope},
    workflow::Kind,
};

/// Steps taken care of in one go. The rest is next, a sweep later.
const CHUNK: i64 = 200;

/// Gives hints to steps that have become due or whose hint got lost, and says how many there were.
///
/// # Errors
/// When the database cannot be written.
pub async fn hints(engine: &Engine) -> Result<usize> {
    let now = engine.clock.now();
    let mut db = engine.aside.begin().await.context("beginning to look for due steps")?;
    let rows = sqlx::query!(
        r#"
        with due as (
            select step.id from step join run on run.id = step.run
             where step.ready and step.hinted_at < step.due_at and step.due_at <= $1
               and (run.paused_at is null or step.kind = 'record')
               and (step.kind not in ('transmit', 'put', 'move') or not exists (
                       select from installation
                        where paused_at is not null and pauses is distinct from run.released_in))
             order by step.due_at limit $3 for update of step skip locked
        ), unheard as (
            select step.id from step join run on run.id = step.run
             where step.ready and step.due_at <= $2 and step.hinted_at <= $2
               and (run.paused_at is null or step.kind = 'record')
               and (step.kind not in ('transmit', 'put', 'move') or not exists (
                       select from installation
                        where paused_at is not null and pauses is distinct from run.released_in))
             order by step.due_at limit $3 for update of step skip locked
        )
        update step
           set hinted_at = greatest($1, due_at)
         where id in (select id from due union select id from unheard)
        returning step.id as "id: StepId", step.kind as "kind: Kind"
        "#,
        now,
        now - engine.settings.lease,
        CHUNK,
    )
    .fetch_all(&mut *db)
    .await
    .context("looking for due steps")?;
    let hints: Vec<_> = rows.into_iter().map(|row| Hint { kind: row.kind, id: row.id }).collect();
    queue::push(&mut db, &hints).await?;
    db.commit().await.context("giving hints to due steps")?;
    Ok(hints.len())
}

/// Takes care of steps whose lease ran out, and says how many there were. While the database was away nobody could
/// renew a lease; so after it came back there is one lease's time to do so before anybody is given up.
///
/// # Errors
/// When the database cannot be written.
pub async fn lapsed(engine: &Engine) -> Result<usize> {
    let now = engine.clock.now();
    let lapsed = sqlx::query_as!(
        Lapsed,
        r#"
        select id as "step: StepId", lease, run as "run: RunId", name, kind as "kind: Kind", deaths,
               item as "item: ItemId", transmission as "transmission: TransmissionId"
          from step
         where running and lease_until < $1 and pg_postmaster_start_time() < $3
         order by lease_until
         limit $2
        "#,
        now,
        CHUNK,
        now - engine.settings.lease,
    )
    .fetch_all(&engine.aside)
    .await
    .context("looking for lapsed leases")?;
    let count = lapsed.len();
    for step in lapsed {
        rescue(engine, &step).await.with_context(|| format!("rescuing step {}", step.step))?;
    }
    Ok(count)
}

struct Lapsed {
    step: StepId,
    lease: i64,
    run: RunId,
    name: String,
    kind: Kind,
    deaths: i32,
    item: Option<ItemId>,
    transmission: Option<TransmissionId>,
}

async fn rescue(engine: &Engine, lapsed: &Lapsed) -> Result<()> {
    let now = engine.clock.now();
    let mut db = engine.aside.begin().await.context("beginning a rescue")?;
    record::fence(&mut db, &BTreeSet::from([lapsed.run])).await?;
    if let (Kind::Transmit, Some(transmission)) = (lapsed.kind, lapsed.transmission) {
        unsettle(engine, &mut db, lapsed, transmission, now).await?;
    } else if lapsed.deaths + 1 >= engine.settings.deaths {
        poison(engine, &mut db, lapsed, now).await?;
    } else if lapsed.put(&mut db, StepState::Ready, None, now).await? {
        queue::push(&mut db, &[Hint { kind: lapsed.kind, id: lapsed.step }]).await?;
    }
    db.commit().await.context("rescuing a step")
}

impl Lapsed {
    /// Takes the step from the worker that let it lapse. False when it was renewed or ended meanwhile.
    async fn put(
        &self,
        db: &mut PgConnection,
        state: StepState,
        reason: Option<&Reason>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let put = sqlx::query!(
            r#"
            update step
               set state = $3, lease = lease + 1, lease_until = null, deaths = deaths + 1, reason = $4,
                   due_at = $5, hinted_at = $5, changed_at = $5
             where id = $1 and lease = $2 and state = 'running' and lease_until < $5
            "#,
            self.step as StepId,
            self.lease,
            state as StepState,
            reason.map(serde_json::to_value).transpose()?,
            now,
        )
        .execute(db)
        .await
        .context("taking a step from its worker")?;
        Ok(put.rows_affected() == 1)
    }
}

/// Gives up a step that takes its workers down.
async fn poison(engine: &Engine, db: &mut PgConnection, lapsed: &Lapsed, now: DateTime<Utc>) -> Result<()> {
    let text = format!("{} workers in a row stopped while doing this step", lapsed.deaths + 1);
    let reason = Reason::new(Scope::Document, "poison", text);
    if !lapsed.put(db, StepState::Failed, Some(&reason), now).await? {
        return Ok(());
    }
    match (lapsed.kind, lapsed.item) {
        (Kind::Render, Some(item)) => render::give_up(db, lapsed.run, item, &reason, now).await,
        (Kind::Expand, _) => {
            let frozen = frozen::of(engine, lapsed.run).await?;
            expand::give_up(db, &frozen, &lapsed.name, &reason, now).await
        }
        (Kind::Fetch | Kind::Put | Kind::Move, _) => {
            let frozen = frozen::of(engine, lapsed.run).await?;
            errand::give_up(db, &frozen, &lapsed.name, &reason, now).await
        }
        _ => record::give_up(db, lapsed.run, &reason.text, now).await,
    }
}

/// Declares the open attempt uncertain, and repeats or holds the transmission as its account says.
async fn unsettle(
    engine: &Engine,
    db: &mut PgConnection,
    lapsed: &Lapsed,
    transmission: TransmissionId,
    now: DateTime<Utc>,
) -> Result<()> {
    let way = account(engine, db, transmission).await?;
    let repeat = lapsed.deaths + 1 < engine.settings.deaths
        && way.is_some_and(|account| account.settle() == Settle::Repeat)
        && record::cancelled(db, &BTreeSet::from([lapsed.run])).await?.is_empty();
    let step = if repeat { StepState::Ready } else { StepState::Done };
    if !lapsed.put(db, step, Some(&lost()), now).await? {
        return Ok(());
    }
    close(db, transmission, now).await?;
    let uncertain = TransmissionState::Sending.after(Event::Lost).context("what is sent can get lost")?;
    let state =
        if repeat { uncertain.after(Event::Repeated).context("what got lost can be repeated")? } else { uncertain };
    sqlx::query!(
        r#"
        update transmission
           set state = $2, reason = $3, possibly_twice = possibly_twice or $4, changed_at = $5
         where id = $1 and state = 'sending'
        "#,
        transmission as TransmissionId,
        state as TransmissionState,
        serde_json::to_value(lost())?,
        repeat,
        now,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("declaring transmission {transmission} uncertain"))?;
    if repeat {
        return queue::push(db, &[Hint { kind: Kind::Transmit, id: lapsed.step }]).await;
    }
    if let Some(account) = way.filter(|account| account.settle() == Settle::Ask) {
        ask(db, (lapsed.run, transmission), account, now).await?;
    }
    record::mark(db, lapsed.run, now).await
}

async fn close(db: &mut PgConnection, transmission: TransmissionId, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        r#"
        update attempt
           set outcome = 'uncertain', reason = $2, ended_at = $3
         where transmission = $1 and outcome is null
        "#,
        transmission as TransmissionId,
        serde_json::to_value(lost())?,
        now,
    )
    .execute(db)
    .await
    .context("closing an attempt that was lost")?;
    Ok(())
}

/// Has the far side asked about the attempt that was lost.
async fn ask(
    db: &mut PgConnection,
    (run, transmission): (RunId, TransmissionId),
    account: &Account,
    now: DateTime<Utc>,
) -> Result<()> {
    let row =
        sqlx::query!("select attempts, created_at from transmission where id = $1", transmission as TransmissionId)
            .fetch_one(&mut *db)
            .await
            .context("reading a transmission whose worker is gone")?;
    let key = parcel::key(run, transmission, row.created_at);
    let lost = Expected::new((run, transmission, row.attempts), &key, account.name());
    awaited::expect(db, &[lost.in_doubt(account.ask_for(), now)], now).await
}

/// The account that the transmission was being sent by, if it is still there.
async fn account<'a>(
    engine: &'a Engine,
    db: &mut PgConnection,
    transmission: TransmissionId,
) -> Result<Option<&'a Account>> {
    let row = sqlx::query!("select channel, account from transmission where id = $1", transmission as TransmissionId)
        .fetch_one(db)
        .await
        .context("reading the account of a transmission")?;
    Ok(engine.channels.pick(&row.channel, row.account.as_deref()))
}

/// The code of the reason of an attempt that was given up for lost.
pub(super) const LOST: &str = "worker-lost";

fn lost() -> Reason {
    let text = "the worker that was sending this stopped before it could say what came of it";
    Reason::new(Scope::Attempt, LOST, text)
}
