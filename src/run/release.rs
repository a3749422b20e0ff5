//! Steps that met a fault are put back at once.
//!
//! A fault (the disk is full, the database was away for a moment) is nobody's death: it counts neither as a try nor
//! against the step, and it would be a pity to wait for the lease to run out. Attempts at transmissions are left alone:
//! only their lease says that nobody is sending any more. When the database cannot be written either, the lease runs
//! out and `rescue` finds the step.

use std::time::Duration;

use anyhow::{Context, Result};

use super::Engine;
use crate::{
    id::StepId,
    reason::{Reason, Scope},
};

/// The pause before a step that met a fault is done again. Shorter finds the end of the trouble sooner, and does the
/// work in vain more often.
const PAUSE: Duration = Duration::from_secs(3);

/// Puts `step` back, if it is this node that claimed it and nobody here works on it any more.
pub(super) async fn release(engine: &Engine, step: StepId, fault: &anyhow::Error) -> Result<()> {
    if engine.leases.has(step) {
        return Ok(());
    }
    let now = engine.clock.now();
    let reason = Reason::new(Scope::Attempt, "fault", format!("{fault:#}"));
    sqlx::query!(
        r#"
        update step
           set state = 'ready', due_at = $3, hinted_at = $4, lease_until = null, reason = $5, changed_at = $4
         where id = $1 and worker = $2 and state = 'running' and kind <> 'transmit'
        "#,
        step as StepId,
        engine.settings.worker,
        now + PAUSE,
        now,
        serde_json::to_value(reason)?,
    )
    .execute(&engine.db)
    .await
    .with_context(|| format!("putting step {step} back"))?;
    Ok(())
}
