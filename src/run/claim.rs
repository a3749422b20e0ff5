//! Claims: the right to work on a step, for as long as its lease holds.
//!
//! Claiming raises the step's lease number; every later write names that number and the state `running`, and finds no
//! row when the claim was lost meanwhile. Steps end quietly then: whoever took over does the work.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::{Engine, StepState};
use crate::{
    id::{ItemId, RunId, StepId},
    reason::Reason,
};

/// The right to work on one step.
#[derive(Debug)]
pub struct Claim {
    pub step: StepId,
    pub lease: i64,
    pub run: RunId,
    /// The step's name in the graph.
    pub name: String,
    pub item: Option<ItemId>,
    /// Tries before this one that came to nothing.
    pub tries: i32,
}

/// How closely the clocks of nodes agree at the worst. What one node makes due now may not seem due yet to another one
/// that hears of it at once, and its job would be for nothing. More lets steps begin that much too soon.
pub(super) const AGREEMENT: Duration = Duration::from_millis(500);

/// Claims `step`, unless it is not ready, not due, its run is paused, or it would send and sending is paused; a paused
/// run is still counted.
pub(super) async fn claim(engine: &Engine, step: StepId) -> Result<Option<Held>> {
    let mut db = engine.db.acquire().await.context("connecting to claim a step")?;
    let claims = take(&mut db, engine, &[step], engine.clock.now()).await?;
    Ok(claims.into_iter().next().map(|claim| engine.leases.hold(claim)))
}

/// The claims themselves, in the caller's transaction.
pub(super) async fn take(
    db: &mut PgConnection,
    engine: &Engine,
    steps: &[StepId],
    now: DateTime<Utc>,
) -> Result<Vec<Claim>> {
    // In one order, as all do who write several, so that nobody waits for each other.
    let mut sorted = steps.to_vec();
    sorted.sort_unstable();
    sqlx::query_as!(
        Claim,
        r#"
        update step
           set state = 'running', lease = lease + 1, lease_until = $3, worker = $4, again = false, changed_at = $2
          from run
         where step.id = any($1)
           and step.state = 'ready'
           and step.due_at <= $5
           and run.id = step.run
           and (run.paused_at is null or step.kind = 'record')
           and (step.kind not in ('transmit', 'put', 'move') or not exists (
                   select from installation where paused_at is not null and pauses is distinct from run.released_in))
        returning step.id as "step: StepId", step.lease, step.run as "run: RunId", step.name,
                  step.item as "item: ItemId", step.tries
        "#,
        &sorted as &[StepId],
        now,
        now + engine.settings.lease,
        engine.settings.worker,
        now + AGREEMENT,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("claiming {} steps", steps.len()))
}

/// How a claim is given back.
pub(super) struct Leaving {
    pub step: StepId,
    pub lease: i64,
    pub way: Way,
    pub reason: Option<Value>,
}

/// What becomes of a step that is given back.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    /// It ends.
    End(StepState),
    /// It is due again then, with one try more on its account.
    Again(DateTime<Utc>),
    /// It is due again then, as if it had not been tried.
    Wait(DateTime<Utc>),
}

/// Gives claims back, and returns the steps that were still ours: nothing may be written for any other.
pub(super) async fn leave(db: &mut PgConnection, leavings: &[Leaving], now: DateTime<Utc>) -> Result<HashSet<StepId>> {
    // In one order, as all do who write several.
    let mut leavings: Vec<_> = leavings.iter().collect();
    leavings.sort_unstable_by_key(|leaving| leaving.step);
    let states = leavings.iter().map(|leaving| match leaving.way {
        Way::End(state) => state.name().to_owned(),
        Way::Again(_) | Way::Wait(_) => StepState::Ready.name().to_owned(),
    });
    let due = leavings.iter().map(|leaving| match leaving.way {
        Way::End(_) => None,
        Way::Again(due_at) | Way::Wait(due_at) => Some(due_at),
    });
    let tries = leavings.iter().map(|leaving| i32::from(matches!(leaving.way, Way::Again(_))));
    let ours = sqlx::query_scalar!(
        r#"
        with leaving as (
            select *
              from unnest($1::bigint[], $2::bigint[], $3::text[], $4::timestamptz[], $5::jsonb[], $7::integer[])
                   as leaving (step, lease, state, due_at, reason, tries)
        )
        update step
           set state = leaving.state, reason = leaving.reason, lease_until = null, changed_at = $6,
               due_at = coalesce(leaving.due_at, step.due_at),
               hinted_at = case when leaving.due_at is null then step.hinted_at else $6 end,
               tries = step.tries + leaving.tries,
               deaths = case when leaving.due_at is null then step.deaths else 0 end
          from leaving
         where step.id = leaving.step and step.lease = leaving.lease and step.state = 'running'
        returning step.id as "id: StepId"
        "#,
        &leavings.iter().map(|leaving| leaving.step.0).collect::<Vec<_>>(),
        &leavings.iter().map(|leaving| leaving.lease).collect::<Vec<_>>(),
        &states.collect::<Vec<_>>(),
        &due.collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &leavings.iter().map(|leaving| leaving.reason.clone()).collect::<Vec<_>>() as &[Option<Value>],
        now,
        &tries.collect::<Vec<_>>(),
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("giving {} steps back", leavings.len()))?;
    Ok(ours.into_iter().collect())
}

impl Claim {
    /// Ends the step. False when the claim was lost: then nothing may be written.
    pub(super) async fn end(
        &self,
        db: &mut PgConnection,
        state: StepState,
        reason: Option<&Reason>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        Ok(!leave(db, &[self.leaving(Way::End(state), reason)?], now).await?.is_empty())
    }

    /// Puts the step back until `due_at`, with one try more on its account. False when the claim was lost.
    pub(super) async fn defer(
        &self,
        db: &mut PgConnection,
        due_at: DateTime<Utc>,
        reason: &Reason,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        Ok(!leave(db, &[self.leaving(Way::Again(due_at), Some(reason))?], now).await?.is_empty())
    }

    /// Puts the step back until `due_at`, as if it had not been tried. False when the claim was lost.
    pub(super) async fn wait(
        &self,
        db: &mut PgConnection,
        due_at: DateTime<Utc>,
        reason: &Reason,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        Ok(!leave(db, &[self.leaving(Way::Wait(due_at), Some(reason))?], now).await?.is_empty())
    }

    /// This claim, given back in this way.
    pub(super) fn leaving(&self, way: Way, reason: Option<&Reason>) -> Result<Leaving> {
        let reason = reason.map(serde_json::to_value).transpose()?;
        Ok(Leaving { step: self.step, lease: self.lease, way, reason })
    }
}

/// The claims a node holds at present.
#[derive(Debug, Clone, Default)]
pub struct Leases(Arc<Mutex<Holdings>>);

#[derive(Debug, Default)]
struct Holdings {
    claims: HashMap<StepId, i64>,
    /// When the last renewal that succeeded was begun.
    renewed: Option<Instant>,
}

/// A claim that is renewed for as long as this value lives.
#[derive(Debug)]
pub struct Held {
    claim: Claim,
    leases: Leases,
}

impl std::ops::Deref for Held {
    type Target = Claim;

    fn deref(&self) -> &Claim {
        &self.claim
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.leases.forget(self.claim.step, self.claim.lease);
    }
}

impl Leases {
    pub(super) fn hold(&self, claim: Claim) -> Held {
        self.holdings().claims.insert(claim.step, claim.lease);
        Held { claim, leases: self.clone() }
    }

    /// Whether `claim`, made not before `since`, cannot have run out: nobody else has it then, whatever has happened
    /// to this process meanwhile.
    pub(super) fn still_hold(&self, claim: &Claim, since: Instant, lease: Duration) -> bool {
        let holdings = self.holdings();
        let last = holdings.renewed.map_or(since, |renewed| renewed.max(since));
        holdings.claims.get(&claim.step) == Some(&claim.lease) && last.elapsed() < lease
    }

    /// Whether this node is working on `step`.
    pub(super) fn has(&self, step: StepId) -> bool {
        self.holdings().claims.contains_key(&step)
    }

    fn all(&self) -> (Vec<i64>, Vec<i64>) {
        self.holdings().claims.iter().map(|(step, lease)| (step.0, *lease)).unzip()
    }

    fn forget(&self, step: StepId, lease: i64) {
        let mut holdings = self.holdings();
        if holdings.claims.get(&step) == Some(&lease) {
            holdings.claims.remove(&step);
        }
    }

    fn holdings(&self) -> MutexGuard<'_, Holdings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews every claim that is still ours, and forgets the others.
    ///
    /// # Errors
    /// When the database cannot be written; the next renewal may come in time.
    pub(super) async fn renew(&self, engine: &Engine) -> Result<()> {
        let (steps, leases) = self.all();
        let begun = Instant::now();
        if steps.is_empty() {
            return Ok(());
        }
        let kept: HashSet<_> = sqlx::query_scalar!(
            r#"
            update step
               set lease_until = $3
              from unnest($1::bigint[], $2::bigint[]) as held (id, lease)
             where step.id = held.id and step.lease = held.lease and step.state = 'running'
            returning step.id
            "#,
            &steps,
            &leases,
            engine.clock.now() + engine.settings.lease,
        )
        .fetch_all(&engine.aside)
        .await
        .context("renewing leases")?
        .into_iter()
        .collect();
        for (step, lease) in steps.into_iter().zip(leases).filter(|(step, _)| !kept.contains(step)) {
            self.forget(StepId(step), lease);
        }
        self.holdings().renewed = Some(begun);
        Ok(())
    }
}
