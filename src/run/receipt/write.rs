//! What a later word, or its absence, changes: the attempt, the transmission and its step, under the run's lock.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use crate::{
    channel::Outcome,
    id::{RunId, StepId, TransmissionId},
    run::{Engine, StepState, TransmissionState, followed, frozen},
    workflow::Kind,
};

/// A transmission with its step, as they are while both are locked.
pub(super) struct Place {
    pub transmission: TransmissionId,
    pub step: Option<StepId>,
    pub state: TransmissionState,
    pub attempts: i32,
    pub account: Option<String>,
    pub channel: String,
    pub contact: String,
    pub created_at: DateTime<Utc>,
    /// Tries of the step before the last attempt.
    pub tries: i32,
    pub cancelled: bool,
}

/// What becomes of a transmission and of one attempt at it.
pub(super) struct Change {
    pub attempt: i32,
    pub state: TransmissionState,
    /// What the attempt has come to.
    pub outcome: Outcome,
    /// When it is tried again.
    pub again: Option<DateTime<Utc>>,
    /// Whether it has used up one of the tries.
    pub counts: bool,
}

/// Locks the run, the step and the transmission, in this order, as all do who lock several. Nothing when the run is
/// being purged. The caller holds the fence.
pub(super) async fn lock(
    engine: &Engine,
    db: &mut PgConnection,
    (run, transmission): (RunId, TransmissionId),
) -> Result<Option<Place>> {
    let Some(cancelled) = lock_run(db, run).await? else { return Ok(None) };
    let (step, tries) = lock_step(engine, db, run, transmission).await?.unzip();
    let row = sqlx::query!(
        r#"
        select state as "state: TransmissionState", attempts, account, channel, contact, created_at
          from transmission
         where id = $1
           for no key update
        "#,
        transmission as TransmissionId,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("locking transmission {transmission}"))?;
    Ok(Some(Place {
        transmission,
        step,
        state: row.state,
        attempts: row.attempts,
        account: row.account,
        channel: row.channel,
        contact: row.contact,
        created_at: row.created_at,
        tries: tries.unwrap_or_default(),
        cancelled,
    }))
}

/// Whether the run is cancelled.
async fn lock_run(db: &mut PgConnection, run: RunId) -> Result<Option<bool>> {
    sqlx::query_scalar!(
        r#"
        select cancelled_at is not null as "cancelled!" from run
         where id = $1 and purge_begun_at is null
           for no key update
        "#,
        run as RunId,
    )
    .fetch_optional(db)
    .await
    .with_context(|| format!("locking run {run}"))
}

async fn lock_step(
    engine: &Engine,
    db: &mut PgConnection,
    run: RunId,
    transmission: TransmissionId,
) -> Result<Option<(StepId, i32)>> {
    let frozen = frozen::of(engine, run).await?;
    let name = frozen.step_of(Kind::Transmit).context("a workflow without a step that transmits")?;
    let row = sqlx::query!(
        r#"
        select id as "id: StepId", tries from step
         where run = $1 and name = $2 and coalesce(item, 0) = 0 and coalesce(transmission, 0) = $3
           for update
        "#,
        run as RunId,
        name,
        transmission as TransmissionId,
    )
    .fetch_optional(db)
    .await
    .with_context(|| format!("locking the step of transmission {transmission}"))?;
    Ok(row.map(|row| (row.id, row.tries)))
}

/// Writes `change`.
pub(super) async fn change(db: &mut PgConnection, place: &Place, change: &Change, now: DateTime<Utc>) -> Result<()> {
    let (reason, proof) = match &change.outcome {
        Outcome::Accepted(proof) | Outcome::Delivered(proof) => (None, Some(serde_json::to_value(proof)?)),
        Outcome::Deferred { reason, .. } | Outcome::Refused(reason) | Outcome::Uncertain(reason) => {
            (Some(serde_json::to_value(reason)?), None)
        }
    };
    write_attempt(db, place, change, (&reason, &proof)).await?;
    write_transmission(db, place, change, (&reason, &proof), now).await?;
    if proof.is_some() {
        followed::admit(db, place.transmission).await?;
    }
    write_step(db, place, change, &reason, now).await
}

type Told<'a> = (&'a Option<Value>, &'a Option<Value>);

async fn write_attempt(db: &mut PgConnection, place: &Place, change: &Change, (reason, proof): Told<'_>) -> Result<()> {
    sqlx::query!(
        r#"
        update attempt
           set outcome = $3, reason = $4, proof = coalesce($5, proof)
         where transmission = $1 and number = $2 and outcome is not null
        "#,
        place.transmission as TransmissionId,
        change.attempt,
        change.outcome.name(),
        reason.as_ref(),
        proof.as_ref(),
    )
    .execute(db)
    .await
    .with_context(|| format!("writing what an attempt at transmission {} came to", place.transmission))?;
    Ok(())
}

/// What arrived may have arrived twice when another attempt has or may have.
async fn write_transmission(
    db: &mut PgConnection,
    place: &Place,
    change: &Change,
    (reason, proof): Told<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
        update transmission
           set state = $2, reason = $3, proof = $4, next_at = $5, changed_at = $6,
               sent_at = case when $4::jsonb is null then sent_at else coalesce(sent_at, $6) end,
               possibly_twice = case when $4::jsonb is null then possibly_twice
                                     else exists (select from attempt
                                                   where attempt.transmission = $1 and attempt.number <> $7
                                                     and attempt.outcome in ('uncertain', 'accepted', 'delivered')) end
         where id = $1 and state = $8
        "#,
        place.transmission as TransmissionId,
        change.state as TransmissionState,
        reason.as_ref(),
        proof.as_ref(),
        change.again,
        now,
        change.attempt,
        place.state as TransmissionState,
    )
    .execute(db)
    .await
    .with_context(|| format!("settling transmission {} by later word", place.transmission))?;
    Ok(())
}

/// The step is due again for another try; or there is nothing left for it to do.
async fn write_step(
    db: &mut PgConnection,
    place: &Place,
    change: &Change,
    reason: &Option<Value>,
    now: DateTime<Utc>,
) -> Result<()> {
    let state = match (change.again, change.state) {
        (Some(_), _) => StepState::Ready,
        (None, TransmissionState::Failed) => StepState::Failed,
        (None, _) => StepState::Done,
    };
    sqlx::query!(
        r#"
        update step
           set state = $2, reason = $3, due_at = coalesce($4, due_at), hinted_at = $5, changed_at = $5,
               tries = tries + case when $4::timestamptz is null or not $6 then 0 else 1 end,
               deaths = case when $4::timestamptz is null then deaths else 0 end
         where id = $1 and state in ('ready', 'done', 'failed', 'skipped')
        "#,
        place.step as Option<StepId>,
        state as StepState,
        reason.as_ref(),
        change.again,
        now,
        change.counts,
    )
    .execute(db)
    .await
    .with_context(|| format!("putting the step of transmission {} by later word", place.transmission))?;
    Ok(())
}
