//! Withdrawing a link before its time.

use anyhow::Context;
use serde_json::json;

use super::{ActError, audited, settle::fenced};
use crate::{
    id::TransmissionId,
    reason::{Reason, Scope},
    run::{Engine, Event, TransmissionState, awaited, log, record},
};

/// Withdraws the link of a transmission. From now on it leads nowhere; a transmission of which not all was fetched is
/// cancelled, so that trying again what has failed does not bring it back.
///
/// # Errors
/// When the transmission is unknown, has no link, or its link was withdrawn before.
pub async fn revoke(engine: &Engine, transmission: TransmissionId, by: &str) -> Result<(), ActError> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to withdraw a link")?;
    let run = fenced(&mut db, transmission).await?;
    let state = TransmissionState::Accepted.after(Event::Withdrawn).context("what was offered can be withdrawn")?;
    let text = format!("the link was withdrawn by {by} before all files were fetched");
    let reason = Reason::new(Scope::Attempt, "revoked", text);
    let cancelled = sqlx::query!(
        "update transmission set state = $2, reason = $3, changed_at = $4 where id = $1 and state = 'accepted'",
        transmission as TransmissionId,
        state as TransmissionState,
        serde_json::to_value(&reason).context("writing a reason")?,
        now,
    )
    .execute(&mut *db)
    .await
    .context("cancelling a transmission whose link is withdrawn")?;
    let revoked = sqlx::query!(
        r#"
        update pickup
           set revoked_at = $2, revoked_by = $3
         where transmission = $1 and offered_at is not null and revoked_at is null
        "#,
        transmission as TransmissionId,
        now,
        by,
    )
    .execute(&mut *db)
    .await
    .context("withdrawing a link")?;
    if revoked.rows_affected() == 0 {
        return Err(ActError::NotNow(format!("transmission {transmission} has no link that leads anywhere")));
    }
    if cancelled.rows_affected() == 1 {
        awaited::forget(&mut db, transmission).await?;
    }
    let text = format!("the link of transmission {transmission} was withdrawn by {by}");
    log::write(&mut db, run, now, ("revoked", text, json!({ "by": by, "transmission": transmission }))).await?;
    audited(&mut db, (by, now), "pickup.revoked", transmission).await?;
    record::mark(&mut db, run, now).await?;
    db.commit().await.context("withdrawing a link")?;
    Ok(())
}
