//! An outcome that comes after its worker has lost the claim: it was paused, or cut off, past its lease.
//!
//! The sweeper has declared the attempt uncertain. Where that was left to a person, and nobody has settled it yet, the
//! far side's own words do. Where it was repeated or settled meanwhile nothing is changed. Called by the step that
//! transmits.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::{Engine, Event, RunState, TransmissionState, act, frozen, log, notify, record};
use crate::{
    channel::{Outcome, Report},
    id::{RunId, TransmissionId},
    queue,
    workflow::Kind,
};

/// An attempt whose outcome comes late.
pub(super) struct Late<'a> {
    pub run: RunId,
    pub transmission: TransmissionId,
    pub number: i32,
    pub report: &'a Report,
}

/// Settles what is still uncertain because of this attempt. The caller holds the run's fence, and commits.
pub(super) async fn settle(engine: &Engine, db: &mut PgConnection, late: Late<'_>, now: DateTime<Utc>) -> Result<()> {
    let outcome = &late.report.outcome;
    if matches!(outcome, Outcome::Uncertain(_)) {
        return Ok(());
    }
    // The run before its transmissions, as all who act on a run do.
    let cancelled = lock(db, late.run).await?;
    let settled = TransmissionState::Uncertain.after(outcome.into()).context("what is uncertain can be settled")?;
    let state = match settled {
        TransmissionState::Queued if cancelled => {
            settled.after(Event::Cancelled).context("what is queued can be cancelled")?
        }
        settled => settled,
    };
    if !write(db, &late, state, now).await? {
        return Ok(());
    }
    if state == TransmissionState::Queued {
        let frozen = frozen::of(engine, late.run).await?;
        let step = frozen.step_of(Kind::Transmit).context("a workflow without a step that transmits")?;
        let hints = notify::steps(db, late.run, step, &[late.transmission], now).await?;
        queue::push(db, &hints).await?;
        act::reopen(db, late.run, RunState::Running).await?;
    }
    let text = format!("transmission {} settled by its own attempt, which came back late", late.transmission);
    log::write(db, late.run, now, ("settled", text, json!({ "as": outcome.name() }))).await?;
    record::mark(db, late.run, now).await
}

/// Locks the run and says whether it was cancelled.
async fn lock(db: &mut PgConnection, run: RunId) -> Result<bool> {
    let cancelled_at =
        sqlx::query_scalar!("select cancelled_at from run where id = $1 for no key update", run as RunId)
            .fetch_one(db)
            .await
            .with_context(|| format!("locking run {run} for a late outcome"))?;
    Ok(cancelled_at.is_some())
}

/// Writes the outcome to the attempt and its transmission. False when it was settled otherwise.
async fn write(db: &mut PgConnection, late: &Late<'_>, state: TransmissionState, now: DateTime<Utc>) -> Result<bool> {
    let outcome = &late.report.outcome;
    let proof = match outcome {
        Outcome::Accepted(proof) | Outcome::Delivered(proof) => Some(serde_json::to_value(proof)?),
        _ => None,
    };
    let written = sqlx::query!(
        r#"
        with told as (
            update attempt
               set ended_at = $4, outcome = $5, reason = $6, proof = $7, transcript = $8
              from transmission
             where attempt.transmission = $1 and attempt.number = $2 and attempt.outcome = 'uncertain'
               and transmission.id = $1 and transmission.state = 'uncertain' and transmission.attempts = $2
            returning attempt.transmission
        )
        update transmission
           set state = $3, reason = $6, proof = $7, changed_at = $4,
               sent_at = case when $7::jsonb is null then sent_at else $4 end
         where id in (select transmission from told)
        "#,
        late.transmission as TransmissionId,
        late.number,
        state as TransmissionState,
        now,
        outcome.name(),
        outcome.reason().map(serde_json::to_value).transpose()?,
        proof,
        late.report.transcript,
    )
    .execute(db)
    .await
    .with_context(|| format!("writing a late outcome of transmission {}", late.transmission))?;
    Ok(written.rows_affected() == 1)
}
