//! Claims: the right to work on a step, for as long as its lease holds.
//!
//! Claiming raises the step's lease number; every later write names that number and the state `running`, and finds no
//! row when the claim was lost meanwhile. Steps end quietly then: whoever took over does the work.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
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

/// Claims `step`, unless it is not ready, not due, its run is paused, or it would send and sending is paused; a paused
/// run is still counted.
pub(super) async fn claim(engine: &Engine, step: StepId) -> Result<Option<Held>> {
    let mut db = engine.db.acquire().await.context("connecting to claim a step")?;
    let claim = take(&mut db, engine, step, engine.clock.now()).await?;
    Ok(claim.map(|claim| engine.leases.hold(claim)))
}

/// The claim itself, in the caller's transaction.
pub(super) async fn take(
    db: &mut PgConnection,
    engine: &Engine,
    step: StepId,
    now: DateTime<Utc>,
) -> Result<Option<Claim>> {
    sqlx::query_as!(
        Claim,
        r#"
        update step
           set state = 'running', lease = lease + 1, lease_until = $3, worker = $4, again = false, changed_at = $2
          from run
         where step.id = $1
           and step.state = 'ready'
           and step.due_at <= $2
           and run.id = step.run
           and (run.paused_at is null or step.kind = 'record')
           and (step.kind <> 'transmit' or not exists (
                   select from installation where paused_at is not null and pauses is distinct from run.released_in))
        returning step.id as "step: StepId", step.lease, step.run as "run: RunId", step.name,
                  step.item as "item: ItemId", step.tries
        "#,
        step as StepId,
        now,
        now + engine.settings.lease,
        engine.settings.worker,
    )
    .fetch_optional(db)
    .await
    .with_context(|| format!("claiming step {step}"))
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
        let ended = sqlx::query!(
            r#"
            update step
               set state = $3, reason = $4, lease_until = null, changed_at = $5
             where id = $1 and lease = $2 and state = 'running'
            "#,
            self.step as StepId,
            self.lease,
            state as StepState,
            reason.map(serde_json::to_value).transpose()?,
            now,
        )
        .execute(db)
        .await
        .with_context(|| format!("ending step {}", self.step))?;
        Ok(ended.rows_affected() == 1)
    }

    /// Puts the step back until `due_at`, with one try more on its account. False when the claim was lost.
    pub(super) async fn defer(
        &self,
        db: &mut PgConnection,
        due_at: DateTime<Utc>,
        reason: &Reason,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let deferred = sqlx::query!(
            r#"
            update step
               set state = 'ready', due_at = $3, hinted_at = $5, tries = tries + 1, deaths = 0, reason = $4,
                   lease_until = null, changed_at = $5
             where id = $1 and lease = $2 and state = 'running'
            "#,
            self.step as StepId,
            self.lease,
            due_at,
            serde_json::to_value(reason)?,
            now,
        )
        .execute(db)
        .await
        .with_context(|| format!("deferring step {}", self.step))?;
        Ok(deferred.rows_affected() == 1)
    }
}

/// The claims a node holds at present.
#[derive(Debug, Clone, Default)]
pub struct Leases(Arc<Mutex<HashMap<StepId, i64>>>);

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
        let mut held = self.leases.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.get(&self.claim.step) == Some(&self.claim.lease) {
            held.remove(&self.claim.step);
        }
    }
}

impl Leases {
    pub(super) fn hold(&self, claim: Claim) -> Held {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(claim.step, claim.lease);
        Held { claim, leases: self.clone() }
    }

    fn all(&self) -> (Vec<i64>, Vec<i64>) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.iter().map(|(step, lease)| (step.0, *lease)).unzip()
    }

    /// Renews every claim that is still ours.
    ///
    /// # Errors
    /// When the database cannot be written; the next renewal may come in time.
    pub async fn renew(&self, engine: &Engine) -> Result<()> {
        let (steps, leases) = self.all();
        if steps.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            r#"
            update step
               set lease_until = $3
              from unnest($1::bigint[], $2::bigint[]) as held (id, lease)
             where step.id = held.id and step.lease = held.lease and step.state = 'running'
            "#,
            &steps,
            &leases,
            engine.clock.now() + engine.settings.lease,
        )
        .execute(&engine.aside)
        .await
        .context("renewing leases")?;
        Ok(())
    }
}
