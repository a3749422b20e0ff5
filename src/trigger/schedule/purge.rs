//! Throwing away what was decided long ago: occurrences are kept as long as the runs of their batch.

use anyhow::{Context, Result};

use crate::{catalog::keep, config, run::Engine};

/// Rows that go in one transaction. More hold locks longer, fewer take more round trips.
const CHUNK: i64 = 1000;

/// Throws away some of what has become old. False when nothing is left to do.
///
/// # Errors
/// When the database cannot be written.
pub async fn purge(engine: &Engine, defaults: &config::Retention) -> Result<bool> {
    let limits = keep::limits(&engine.db, defaults, engine.clock.now()).await?;
    let gone = sqlx::query!(
        r#"
        delete from occurrence
         where (batch, key) in (
                select occurrence.batch, occurrence.key
                  from unnest($1::text[], $2::timestamptz[]) as old (batch, before)
                  join occurrence on occurrence.batch = old.batch and occurrence.due_at < old.before
                 where occurrence.state <> 'waiting' and occurrence.decided_at < old.before
                   and not exists (select from run where run.id = occurrence.run)
                 limit $3)
        "#,
        &limits.batches,
        &limits.runs as &[Option<chrono::DateTime<chrono::Utc>>],
        CHUNK,
    )
    .execute(&engine.db)
    .await
    .context("purging occurrences")?;
    Ok(gone.rows_affected() > 0)
}
