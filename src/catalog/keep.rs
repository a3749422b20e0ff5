//! How long what a batch brings forth is kept.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;

use super::{Faults, input};
use crate::config::{Age, Retention};

/// What a batch says about keeping; what it does not say is as the settings have it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<Age>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Age>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<Age>,
}

impl Keep {
    /// Checks what was written.
    pub(super) fn read(written: Option<input::Keep>, faults: &mut Faults) -> Self {
        let written = written.unwrap_or_default();
        let mut age = |at: &str, text: Option<String>| match text?.parse() {
            Ok(age) => Some(age),
            Err(error) => {
                faults.add(format!("keep/{at}"), format!("{error}"));
                None
            }
        };
        Self { runs: age("runs", written.runs), files: age("files", written.files), logs: age("logs", written.logs) }
    }

    /// As it is written; nothing when nothing is said.
    pub(super) fn written(&self) -> Option<input::Keep> {
        let text = |age: Option<Age>| age.map(|age| age.to_string());
        let written = input::Keep { runs: text(self.runs), files: text(self.files), logs: text(self.logs) };
        (*self != Self::default()).then_some(written)
    }
}

/// For each batch, what has to have ended before when it is thrown away; nothing where it is kept forever.
#[derive(Debug)]
pub struct Limits {
    pub batches: Vec<String>,
    pub runs: Vec<Option<DateTime<Utc>>>,
    pub files: Vec<Option<DateTime<Utc>>>,
    pub logs: Vec<Option<DateTime<Utc>>>,
}

/// What batches say now, also about runs of an earlier revision, and deleted ones about theirs.
///
/// # Errors
/// When the database cannot be read.
pub async fn limits(db: &PgPool, defaults: &Retention, now: DateTime<Utc>) -> Result<Limits> {
    let rows = sqlx::query!(
        r#"
        select batch.name, batch_revision.definition -> 'keep' as keep
          from batch
          join batch_revision on batch_revision.id = batch.current
         order by batch.name
        "#,
    )
    .fetch_all(db)
    .await
    .context("reading how long batches keep their runs")?;
    let mut limits = Limits { batches: Vec::new(), runs: Vec::new(), files: Vec::new(), logs: Vec::new() };
    for row in rows {
        let keep: Keep = row.keep.filter(Value::is_object).map(serde_json::from_value).transpose()?.unwrap_or_default();
        limits.batches.push(row.name);
        limits.runs.push(keep.runs.unwrap_or(defaults.runs).before(now));
        limits.files.push(keep.files.unwrap_or(defaults.files).before(now));
        limits.logs.push(keep.logs.unwrap_or(defaults.logs).before(now));
    }
    Ok(limits)
}
