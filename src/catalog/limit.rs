//! At most so many batches with a trigger of one kind, where the workflow says so.

use anyhow::{Context, Result};
use sqlx::PgConnection;

use super::{Batch, SaveError};
use crate::workflow::{TriggerLimit, TriggerLimits};

/// Refuses `batch` when there are as many with such a trigger as its workflow allows. Batches that are disabled count,
/// because they may be enabled. The workflow's row is locked, so that two that are saved at once see each other.
pub(super) async fn keep(db: &mut PgConnection, batch: &Batch) -> Result<(), SaveError> {
    if batch.event.is_empty() && batch.file.is_empty() {
        return Ok(());
    }
    let definition = sqlx::query_scalar!(
        r#"
        select workflow_version.definition
          from workflow
          join workflow_version on workflow_version.digest = workflow.current
         where workflow.name = $1
           for update of workflow
        "#,
        batch.workflow,
    )
    .fetch_one(&mut *db)
    .await
    .with_context(|| format!("locking the workflow {}", batch.workflow))?;
    let limits = TriggerLimits::of(&definition).context("reading a workflow that was accepted before")?;
    for (kind, has, limit) in
        [("event", !batch.event.is_empty(), limits.event), ("file", !batch.file.is_empty(), limits.file)]
    {
        let Some(limit) = limit.filter(|_| has) else { continue };
        let others = others(db, batch, kind, &limit).await?;
        if others.len() >= limit.at_most as usize {
            return Err(SaveError::TooMany { kind, workflow: batch.workflow.clone(), others });
        }
    }
    Ok(())
}

/// The other batches with a trigger of this kind that count with `batch`.
async fn others(db: &mut PgConnection, batch: &Batch, kind: &str, limit: &TriggerLimit) -> Result<Vec<String>> {
    let attribute = limit.per.as_ref().map(|per| per.0.as_str());
    sqlx::query_scalar!(
        r#"
        with counted as (
            select name, case when $4 = 'name' then to_jsonb(name) else attributes -> $4 end as value from "user"
        )
        select batch.name
          from batch
          join batch_revision on batch_revision.id = batch.current
          join counted on counted.name = batch_revision.run_as
         where batch.name <> $1
           and batch.deleted_at is null
           and batch_revision.workflow = $2
           and batch_revision.definition ? $3
           and ($4::text is null
                or counted.value is not distinct from (select value from counted where name = $5))
         order by batch.name
        "#,
        batch.name,
        batch.workflow,
        kind,
        attribute,
        batch.run_as,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("counting batches with a trigger like that of {}", batch.name))
}
