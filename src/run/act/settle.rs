//! Settling what is uncertain, and stopping one transmission.

use std::collections::BTreeSet;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;

use super::{ActError, audited, lock, retry};
use crate::{
    id::{RunId, TransmissionId},
    queue,
    run::{Engine, Event, RunState, TransmissionState, awaited, frozen, log, notify, record},
    workflow::Kind,
};

/// What a person found out about an uncertain transmission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Settlement {
    /// It arrived.
    Delivered,
    /// It did not arrive, and is not sent again.
    Failed,
    /// It is sent again, and may arrive twice.
    Again,
}

/// Settles an uncertain transmission, with the words of whoever found out.
///
/// # Errors
/// When the transmission is unknown or not uncertain.
pub async fn settle(
    engine: &Engine,
    transmission: TransmissionId,
    settlement: Settlement,
    (by, why): (&str, &str),
) -> Result<(), ActError> {
    let event = match settlement {
        Settlement::Delivered => Event::Delivered,
        Settlement::Failed => Event::GivenUp,
        Settlement::Again => Event::Repeated,
    };
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to settle a transmission")?;
    let run = fenced(&mut db, transmission).await?;
    let state = TransmissionState::Uncertain.after(event).context("what is uncertain can be settled")?;
    let settled = sqlx::query!(
        r#"
        update transmission
           set state = $2, changed_at = $3, possibly_twice = possibly_twice or $2 = 'queued',
               reason = case when $2 = 'failed'
                             then jsonb_build_object('scope', 'attempt', 'code', 'settled', 'text', $4::text) end,
               proof = case when $2 = 'delivered' then jsonb_build_object('by', $5::text, 'text', $4::text) end
         where id = $1 and state = 'uncertain'
        "#,
        transmission as TransmissionId,
        state as TransmissionState,
        now,
        why,
        by,
    )
    .execute(&mut *db)
    .await
    .context("settling a transmission")?;
    if settled.rows_affected() == 0 {
        return Err(ActError::NotNow(format!(
            "transmission {transmission} is not uncertain, so there is nothing to settle"
        )));
    }
    if state == TransmissionState::Queued {
        let frozen = frozen::of(engine, run).await?;
        let step = frozen.step_of(Kind::Transmit).context("a workflow without a step that transmits")?;
        let hints = notify::steps(&mut db, run, step, &[transmission], now).await?;
        queue::push(&mut db, &hints).await?;
        retry::reopen(&mut db, run, RunState::Running).await?;
    }
    awaited::forget(&mut db, transmission).await?;
    let text = format!("transmission {transmission} settled by {by}: {why}");
    log::write(&mut db, run, now, ("settled", text, json!({ "by": by, "as": settlement }))).await?;
    audited(&mut db, (by, now), "transmission.settled", transmission).await?;
    record::mark(&mut db, run, now).await?;
    db.commit().await.context("settling a transmission")?;
    Ok(())
}

/// Stops one transmission that is still queued.
///
/// # Errors
/// When the transmission is unknown or no longer queued.
pub async fn cancel_transmission(engine: &Engine, transmission: TransmissionId, by: &str) -> Result<(), ActError> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to cancel a transmission")?;
    let run = fenced(&mut db, transmission).await?;
    let cancelled = sqlx::query!(
        "update transmission set state = 'cancelled', next_at = null, changed_at = $2 where id = $1 and state = 'queued'",
        transmission as TransmissionId,
        now,
    )
    .execute(&mut *db)
    .await
    .context("cancelling a transmission")?;
    if cancelled.rows_affected() == 0 {
        return Err(ActError::NotNow(format!(
            "transmission {transmission} is no longer queued, so it cannot be cancelled"
        )));
    }
    let text = format!("transmission {transmission} cancelled by {by}");
    log::write(&mut db, run, now, ("cancelled", text, json!({ "by": by, "transmission": transmission }))).await?;
    audited(&mut db, (by, now), "transmission.cancelled", transmission).await?;
    record::mark(&mut db, run, now).await?;
    db.commit().await.context("cancelling a transmission")?;
    Ok(())
}

/// The run of `transmission`, fenced and locked.
pub(super) async fn fenced(db: &mut PgConnection, transmission: TransmissionId) -> Result<RunId, ActError> {
    let run = sqlx::query_scalar!(
        r#"select run as "run: RunId" from transmission where id = $1"#,
        transmission as TransmissionId,
    )
    .fetch_optional(&mut *db)
    .await
    .context("looking for a transmission")?
    .ok_or(ActError::UnknownTransmission(transmission))?;
    record::fence(db, &BTreeSet::from([run])).await?;
    lock(db, run).await?;
    Ok(run)
}
