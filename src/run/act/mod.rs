//! What people do to runs: hold back, stop, try again, send again, settle.
//!
//! Each act locks the run's row, checks that it may happen, and changes rows and hints in one transaction. Whoever
//! acts is named in the run's log and in the audit log. Called by the doors.

mod hold;
mod resend;
mod retry;
mod revoke;
mod settle;

use std::fmt::Display;

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::RunState;
use crate::{
    audit::{self, Author, Deed},
    id::{RunId, TransmissionId},
};

pub use hold::{cancel, cancel_queued, pause, release, resume};
pub use resend::{Again, resend};
pub(super) use retry::reopen;
pub use retry::retry;
pub use revoke::revoke;
pub use settle::{Settlement, cancel_transmission, settle};

/// Why an act was refused.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    #[error("there is no run {0}")]
    UnknownRun(RunId),
    #[error("there is no transmission {0}")]
    UnknownTransmission(TransmissionId),
    /// The second part says what can be done instead.
    #[error("{0}")]
    NotNow(String),
    #[error(transparent)]
    Fault(#[from] anyhow::Error),
}

/// A run whose row is locked.
pub(super) struct Locked {
    pub(super) state: RunState,
    paused: bool,
    /// The name of the step its runs begin with.
    version: String,
}

/// Locks a run against others who act on it. Steps may be added meanwhile, which only refer to it: whoever adds them
/// may hold others of its steps, and would wait for whoever acts, who may be waiting for those.
pub(super) async fn lock(db: &mut PgConnection, run: RunId) -> Result<Locked, ActError> {
    let row = sqlx::query!(
        r#"
        select run.state as "state: RunState", run.paused_at is not null as "paused!", workflow_version.definition
          from run
          join workflow_version on workflow_version.digest = run.workflow_version
         where run.id = $1 and run.purge_begun_at is null
           for no key update of run
        "#,
        run as RunId,
    )
    .fetch_optional(db)
    .await
    .with_context(|| format!("locking run {run}"))?;
    let row = row.ok_or(ActError::UnknownRun(run))?;
    Ok(Locked { state: row.state, paused: row.paused, version: row.definition })
}

/// Writes an act on `object` into the audit log.
async fn audited(
    db: &mut PgConnection,
    (by, at): (&str, DateTime<Utc>),
    action: &str,
    object: impl Display,
) -> Result<(), ActError> {
    let author = Author { name: by.to_owned(), at };
    let deed = Deed { action, object: &object.to_string(), detail: json!({}) };
    Ok(audit::record(db, &author, deed).await?)
}
