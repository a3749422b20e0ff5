//! Outcomes that come late: after the attempt was given up for lost, because its worker was thought to be gone.
//!
//! What the far side said is still the truth. It settles the transmission when nobody has taken that up or settled it
//! since (the lease is one higher than the one that was lost, and the attempt is the last); else it is only noted with
//! its attempt. Called by `transmit` when an outcome finds its claim lost.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::{
    Engine, RunState, StepState, TransmissionState, act,
    awaited::{self, Expected},
    followed, link, log, record, rescue,
    verdict::{self, Closing, Verdict},
};
use crate::{
    channel::Outcome,
    id::{StepId, TransmissionId},
};

/// Takes in an outcome whose claim was lost.
pub(super) async fn settle(engine: &Engine, closing: &Closing) -> Result<()> {
    if matches!(closing.report.outcome, Outcome::Uncertain(_)) {
        return Ok(());
    }
    let now = engine.clock.now();
    let Closing { step, lease, run, transmission, number, .. } = *closing;
    let mut db = engine.db.begin().await.context("beginning to settle late")?;
    record::fence(&mut db, &BTreeSet::from([run])).await?;
    let mut verdict = Verdict::of(closing, now);
    if record::lock(&mut db, run).await?.cancelled_at.is_some() && verdict.next_at.is_some() {
        verdict.stop()?;
    }
    let untouched = is_untouched(&mut db, step, lease).await?;
    let noted = note(&mut db, closing, &verdict, now).await?;
    if noted && verdict.proof.is_some() {
        admit(&mut db, transmission, number).await?;
    }
    if noted && untouched && put(&mut db, closing, &verdict, now).await? {
        let text = format!("the outcome of attempt {number} at transmission {transmission} came late");
        let data = json!({ "transmission": transmission, "attempt": number, "state": verdict.state });
        log::write(&mut db, run, now, ("late", text, data)).await?;
        awaited::forget(&mut db, transmission).await?;
        let expected = Expected::of(closing, verdict.state, now);
        awaited::expect(&mut db, expected.as_slice(), now).await?;
        if let (Some(_), Some(link)) = (verdict.next_at, &closing.link) {
            link::mark(&mut db, &[(transmission, link)], now).await?;
        }
        if verdict.next_at.is_some() {
            act::reopen(&mut db, run, RunState::Running).await?;
        }
        record::mark(&mut db, run, now).await?;
    }
    db.commit().await.context("settling late")
}

/// Whether nobody has claimed `step` since `lease` was taken from us. Its row stays as it is.
async fn is_untouched(db: &mut PgConnection, step: StepId, lease: i64) -> Result<bool> {
    let found = sqlx::query!(
        r#"
        select id from step
         where id = $1 and lease = $2 and state in ('ready', 'done', 'failed')
           for update
        "#,
        step as StepId,
        lease + 1,
    )
    .fetch_optional(db)
    .await
    .with_context(|| format!("looking at step {step}, which was lost"))?;
    Ok(found.is_some())
}

/// Notes a late outcome with its attempt. False when that was not given up for lost.
async fn note(db: &mut PgConnection, closing: &Closing, verdict: &Verdict, now: DateTime<Utc>) -> Result<bool> {
    let Closing { transmission, number, ref report, .. } = *closing;
    let noted = sqlx::query!(
        r#"
        update attempt
           set ended_at = $3, outcome = $4, reason = $5, proof = $6, transcript = $7, reference = $9
         where transmission = $1 and number = $2
           and (outcome = 'uncertain' and reason ->> 'code' = $8 or outcome = 'deferred' and reason ->> 'code' = $10)
        "#,
        transmission as TransmissionId,
        number,
        now,
        report.outcome.name(),
        verdict.reason()?,
        verdict.proof()?,
        report.transcript,
        rescue::LOST,
        report.reference,
        verdict::NEVER_CAME,
    )
    .execute(db)
    .await
    .with_context(|| format!("noting a late outcome of transmission {transmission}"))?;
    Ok(noted.rows_affected() == 1)
}

/// What the far side had not heard of when it was asked came after all; if it is tried again already, there are two.
async fn admit(db: &mut PgConnection, transmission: TransmissionId, number: i32) -> Result<()> {
    sqlx::query!(
        "update transmission set possibly_twice = true where id = $1 and attempts > $2 and not possibly_twice",
        transmission as TransmissionId,
        number,
    )
    .execute(db)
    .await
    .with_context(|| format!("admitting that transmission {transmission} may have arrived twice"))?;
    Ok(())
}

/// Settles the transmission and its step. False when the transmission was settled otherwise meanwhile.
async fn put(db: &mut PgConnection, closing: &Closing, verdict: &Verdict, now: DateTime<Utc>) -> Result<bool> {
    let settled = sqlx::query!(
        r#"
        update transmission
           set state = $3, reason = $4, proof = $5, next_at = $6, changed_at = $7,
               sent_at = case when $5::jsonb is null then sent_at else $7 end,
               possibly_twice = exists (select from attempt
                                         where attempt.transmission = $1 and attempt.number <> $2
                                           and attempt.outcome in ('uncertain', 'accepted', 'delivered'))
         where id = $1 and attempts = $2 and state in ('uncertain', 'queued')
        "#,
        closing.transmission as TransmissionId,
        closing.number,
        verdict.state as TransmissionState,
        verdict.reason()?,
        verdict.proof()?,
        verdict.next_at,
        now,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("settling transmission {} late", closing.transmission))?;
    if settled.rows_affected() == 0 {
        return Ok(false);
    }
    if verdict.proof.is_some() {
        followed::admit(db, closing.transmission).await?;
    }
    let state = if verdict.next_at.is_some() { StepState::Ready } else { verdict.step };
    sqlx::query!(
        r#"
        update step
           set state = $2, reason = $3, due_at = coalesce($4, due_at), hinted_at = $5, tries = $6, changed_at = $5
         where id = $1
        "#,
        closing.step as StepId,
        state as StepState,
        verdict.reason()?,
        verdict.next_at,
        now,
        closing.tries + 1,
    )
    .execute(db)
    .await
    .with_context(|| format!("putting step {} late", closing.step))?;
    Ok(true)
}
