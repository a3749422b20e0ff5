//! Trying again what failed, and nothing else.

use std::collections::BTreeSet;

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::{ActError, audited, lock};
use crate::{
    id::{RunId, StepId},
    queue::{self, Hint},
    run::{Engine, RunState, log, record},
    workflow::Kind,
};

/// Tries the failed documents and transmissions of a run again, with fresh attempts. What was delivered stays as it
/// is. Gives the number of transmissions that are tried again.
///
/// # Errors
/// When the run is unknown, or nothing in it has failed.
pub async fn retry(engine: &Engine, run: RunId, by: &str) -> Result<u64, ActError> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to retry a run")?;
    record::fence(&mut db, &BTreeSet::from([run])).await?;
    let locked = lock(&mut db, run).await?;
    if let Some(at) = purged(&mut db, run).await? {
        let text = format!("the files of run {run} were purged on {}; run its batch again instead", at.date_naive());
        return Err(ActError::NotNow(text));
    }
    let (count, hints) = match locked.state {
        RunState::Held | RunState::Expanding | RunState::Cancelled => (0, Vec::new()),
        RunState::Failed if never_expanded(&mut db, run).await? => expand_again(&mut db, run, now).await?,
        _ => {
            let (count, mut hints) = items_again(&mut db, run, now).await?;
            hints.extend(errands_again(&mut db, run, now).await?);
            (count, hints)
        }
    };
    if hints.is_empty() {
        return Err(ActError::NotNow(format!("nothing has failed in run {run}, so there is nothing to retry")));
    }
    queue::push(&mut db, &hints).await?;
    let text = format!("{count} transmissions tried again by {by}");
    log::write(&mut db, run, now, ("retried", text, json!({ "by": by, "transmissions": count }))).await?;
    audited(&mut db, (by, now), "run.retried", run).await?;
    record::mark(&mut db, run, now).await?;
    db.commit().await.context("retrying a run")?;
    Ok(count)
}

/// When files that would have to be sent again were thrown away, if they were.
async fn purged(db: &mut PgConnection, run: RunId) -> Result<Option<DateTime<Utc>>, ActError> {
    Ok(sqlx::query_scalar!(
        r#"
        select max(artifact.purged_at)
          from transmission
          join transmission_item on transmission_item.transmission = transmission.id
          join item on item.id = transmission_item.item
          join artifact on artifact.id = item.artifact
         where transmission.run = $1 and transmission.purpose = 'document' and transmission.state = 'failed'
        "#,
        run as RunId,
    )
    .fetch_one(db)
    .await
    .context("asking whether the files of a run are purged")?)
}

/// A run that failed before its items were complete has no step that records.
async fn never_expanded(db: &mut PgConnection, run: RunId) -> Result<bool, ActError> {
    let recorded = sqlx::query_scalar!("select id from step where run = $1 and kind = 'record'", run as RunId)
        .fetch_optional(db)
        .await
        .context("looking for the recording step of a run")?;
    Ok(recorded.is_none())
}

async fn expand_again(db: &mut PgConnection, run: RunId, now: DateTime<Utc>) -> Result<(u64, Vec<Hint>), ActError> {
    reopen(db, run, RunState::Expanding).await?;
    let queued = sqlx::query!(
        r#"
        update transmission
           set state = 'queued', reason = null, changed_at = $2
         where run = $1 and purpose = 'document' and state = 'failed'
        "#,
        run as RunId,
        now,
    )
    .execute(&mut *db)
    .await
    .context("queueing the transmissions of a run again")?;
    let hints = ready(db, run, now).await?;
    Ok((queued.rows_affected(), hints))
}

/// Steps that failed to carry files.
async fn errands_again(db: &mut PgConnection, run: RunId, now: DateTime<Utc>) -> Result<Vec<Hint>, ActError> {
    let steps = sqlx::query!(
        r#"
        update step
           set state = 'ready', due_at = $2, hinted_at = $2, tries = 0, deaths = 0, changed_at = $2
         where run = $1 and kind in ('fetch', 'put', 'move') and state = 'failed'
        returning id as "id: StepId", kind as "kind: Kind"
        "#,
        run as RunId,
        now,
    )
    .fetch_all(db)
    .await
    .context("readying the steps of a run that carry files")?;
    Ok(steps.into_iter().map(|step| Hint { kind: step.kind, id: step.id }).collect())
}

/// Items whose parameters never fitted have no step and stay failed: the batch has to be corrected.
async fn items_again(db: &mut PgConnection, run: RunId, now: DateTime<Utc>) -> Result<(u64, Vec<Hint>), ActError> {
    sqlx::query!(
        r#"
        update item set reason = null
         where run = $1 and reason is not null
           and id in (select item from step where run = $1 and kind = 'render')
        "#,
        run as RunId,
    )
    .execute(&mut *db)
    .await
    .context("clearing the failures of a run")?;
    let queued = sqlx::query!(
        r#"
        update transmission
           set state = 'queued', reason = null, changed_at = $2,
               possibly_twice = possibly_twice
                   or exists (select from attempt
                               where attempt.transmission = transmission.id
                                 and attempt.outcome in ('uncertain', 'accepted', 'delivered')),
               waiting = (select count(*)::integer
                            from transmission_item
                            join item on item.id = transmission_item.item
                           where transmission_item.transmission = transmission.id and item.artifact is null)
         where run = $1 and purpose = 'document' and state = 'failed'
           and not exists (select from transmission_item
                             join item on item.id = transmission_item.item
                            where transmission_item.transmission = transmission.id and item.reason is not null)
        "#,
        run as RunId,
        now,
    )
    .execute(&mut *db)
    .await
    .context("queueing the transmissions of a run again")?;
    if queued.rows_affected() > 0 {
        reopen(db, run, RunState::Running).await?;
    }
    let hints = ready(db, run, now).await?;
    Ok((queued.rows_affected(), hints))
}

pub(in crate::run) async fn reopen(db: &mut PgConnection, run: RunId, state: RunState) -> Result<(), ActError> {
    sqlx::query!(
        "update run set state = $2, reason = null, ended_at = null, files_purged_at = null, logs_purged_at = null where id = $1",
        run as RunId,
        state as RunState,
    )
    .execute(db)
    .await
    .context("opening a run again")?;
    Ok(())
}

/// Makes ready what can go on: the failed expansion, items without an artifact, transmissions that wait for none.
async fn ready(db: &mut PgConnection, run: RunId, now: DateTime<Utc>) -> Result<Vec<Hint>, ActError> {
    let rows = sqlx::query!(
        r#"
        update step
           set state = 'ready', due_at = $2, hinted_at = $2, tries = 0, deaths = 0, reason = null, changed_at = $2
         where run = $1 and state in ('failed', 'skipped', 'done')
           and case kind
               when 'expand' then state = 'failed'
               when 'render' then exists (select from item where item.id = step.item and artifact is null)
               when 'transmit' then exists (select from transmission
                                             where transmission.id = step.transmission
                                               and transmission.state = 'queued' and transmission.waiting = 0)
               else false
               end
        returning id as "id: StepId", kind as "kind: Kind"
        "#,
        run as RunId,
        now,
    )
    .fetch_all(db)
    .await
    .context("making the failed steps of a run ready")?;
    Ok(rows.into_iter().map(|row| Hint { kind: row.kind, id: row.id }).collect())
}
