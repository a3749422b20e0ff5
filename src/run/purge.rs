//! Throwing away what has become old: files first, then lines of the log, then the run with all its rows.
//!
//! Only of runs that have ended and in which nothing is paused, under way, uncertain or waiting for a receipt. Each call
//! does one chunk in one transaction, so that nobody waits long for it and a crash leaves nothing half-done: a run whose
//! rows have begun to go is marked, unseen by everybody, and finished first. Several nodes may purge at once; each takes
//! another run. Called by the sweeper.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::{Engine, files, rendition};
use crate::{
    audit::{self, Author, Deed},
    catalog::{
        self,
        keep::{self, Limits},
    },
    config,
    id::RunId,
};

/// Rows of a table that go in one transaction. More hold locks longer, fewer take more round trips.
const CHUNK: i64 = 1000;

/// Does the next chunk of what is to be thrown away when batches that say nothing keep as `defaults` do. False when
/// nothing is left to do.
///
/// # Errors
/// When the database or the store cannot be written.
pub async fn purge(engine: &Engine, defaults: &config::Retention) -> Result<bool> {
    let limits = keep::limits(&engine.db, defaults, engine.clock.now()).await?;
    Ok(rows(engine, None).await?
        || bytes(engine, &limits).await?
        || logs(engine, &limits).await?
        || rows(engine, Some(&limits)).await?)
}

/// Who throws away, in the audit log.
fn author(now: DateTime<Utc>) -> Author {
    Author { name: "retention".to_owned(), at: now }
}

/// The files of one run.
async fn bytes(engine: &Engine, limits: &Limits) -> Result<bool> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to purge files")?;
    let Some(run) = due(&mut db, "files", (limits, &limits.files)).await? else { return Ok(false) };
    let digests = forget_files(&mut db, run, now).await?;
    if digests.len() < CHUNK as usize {
        sqlx::query!("update run set files_purged_at = $2 where id = $1", run as RunId, now)
            .execute(&mut *db)
            .await
            .with_context(|| format!("noting that the files of run {run} are purged"))?;
        if files::purged(&mut *db, run).await?.is_some() {
            let deed = Deed { action: "run.files_purged", object: &run.to_string(), detail: json!({}) };
            audit::record(&mut db, &author(now), deed).await?;
        }
    }
    db.commit().await.context("purging files")?;
    engine.toolbox.store.forget(&digests, now).await?;
    Ok(true)
}

/// The artifacts of `run`, and after them its renditions, name their bytes no longer. Gives the digests.
async fn forget_files(db: &mut PgConnection, run: RunId, now: DateTime<Utc>) -> Result<Vec<String>> {
    let mut digests = forget_artifacts(db, run, now).await?;
    if digests.len() < CHUNK as usize {
        digests.extend(rendition::forget(db, run, CHUNK - digests.len() as i64, now).await?);
    }
    Ok(digests)
}

async fn forget_artifacts(db: &mut PgConnection, run: RunId, now: DateTime<Utc>) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        update artifact set purged_at = $2
         where id in (select id from artifact where run = $1 and purged_at is null order by id limit $3)
        returning digest
        "#,
        run as RunId,
        now,
        CHUNK,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("purging files of run {run}"))
}

/// The log of one run.
async fn logs(engine: &Engine, limits: &Limits) -> Result<bool> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to purge a log")?;
    let Some(run) = due(&mut db, "logs", (limits, &limits.logs)).await? else { return Ok(false) };
    if delete_log(&mut db, run).await? == 0 {
        sqlx::query!("update run set logs_purged_at = $2 where id = $1", run as RunId, now)
            .execute(&mut *db)
            .await
            .with_context(|| format!("noting that the log of run {run} is purged"))?;
    }
    db.commit().await.context("purging a log")?;
    Ok(true)
}

async fn delete_log(db: &mut PgConnection, run: RunId) -> Result<u64> {
    let gone = sqlx::query!(
        "delete from log where run = $1 and number in (select number from log where run = $1 order by number limit $2)",
        run as RunId,
        CHUNK,
    )
    .execute(db)
    .await
    .with_context(|| format!("purging the log of run {run}"))?;
    Ok(gone.rows_affected())
}

/// The rows of one run that has begun to go, or of the next one by `limits`. The first chunk marks it; from then on
/// nobody sees it any more.
async fn rows(engine: &Engine, limits: Option<&Limits>) -> Result<bool> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to purge a run")?;
    let run = match limits {
        None => begun(&mut db).await?,
        Some(limits) => begin(&mut db, limits, now).await?,
    };
    let Some(run) = run else { return Ok(false) };
    let digests = chunk(&mut db, run, now).await?;
    db.commit().await.context("purging a run")?;
    engine.toolbox.store.forget(&digests, now).await?;
    Ok(true)
}

async fn begun(db: &mut PgConnection) -> Result<Option<RunId>> {
    sqlx::query_scalar!(
        r#"
        select id as "id: RunId" from run
         where purge_begun_at is not null
         order by id
         limit 1
           for update skip locked
        "#,
    )
    .fetch_optional(db)
    .await
    .context("looking for a run that is being purged")
}

async fn begin(db: &mut PgConnection, limits: &Limits, now: DateTime<Utc>) -> Result<Option<RunId>> {
    let run = due(db, "runs", (limits, &limits.runs)).await?;
    if let Some(run) = run {
        sqlx::query!("update run set purge_begun_at = $2 where id = $1", run as RunId, now)
            .execute(db)
            .await
            .with_context(|| format!("beginning to purge run {run}"))?;
    }
    Ok(run)
}

/// The next run of which this `part` (`files`, `logs`, or the `runs` themselves) is too old, locked; nothing of it is
/// under way, and the part is not purged yet. `before` has an end for each batch of `limits`.
async fn due(
    db: &mut PgConnection,
    part: &str,
    (limits, before): (&Limits, &[Option<DateTime<Utc>>]),
) -> Result<Option<RunId>> {
    sqlx::query_scalar!(
        r#"
        select run.id as "id: RunId"
          from run
          join unnest($1::text[], $2::timestamptz[]) as keep (batch, before) on keep.batch = run.batch
         where run.ended_at is not null and run.ended_at < keep.before
           and run.paused_at is null and run.purge_begun_at is null
           and case $3::text when 'files' then run.files_purged_at when 'logs' then run.logs_purged_at end is null
           and not exists (select from transmission
                            where transmission.run = run.id
                              and transmission.state in ('queued', 'sending', 'accepted', 'uncertain'))
           and not exists (select from step where step.run = run.id and step.state in ('ready', 'running'))
         order by run.ended_at
         limit 1
           for update of run skip locked
        "#,
        &limits.batches,
        before as &[Option<DateTime<Utc>>],
        part,
    )
    .fetch_optional(db)
    .await
    .with_context(|| format!("looking for {part} to purge"))
}

/// The next chunk of the rows of `run`, those that name others before the others. Gives digests that were named.
async fn chunk(db: &mut PgConnection, run: RunId, now: DateTime<Utc>) -> Result<Vec<String>> {
    if delete_log(db, run).await? > 0 || delete_steps(db, run).await? > 0 {
        return Ok(Vec::new());
    }
    let (transmissions, digests) = delete_transmissions(db, run).await?;
    if transmissions > 0 || delete_items(db, run).await? > 0 {
        return Ok(digests);
    }
    if catalog::recipient::forget(db, run, CHUNK).await? > 0 {
        return Ok(Vec::new());
    }
    let digests = delete_artifacts(db, run).await?;
    if digests.is_empty() {
        finish(db, run, now).await?;
    }
    Ok(digests)
}

async fn delete_steps(db: &mut PgConnection, run: RunId) -> Result<u64> {
    let gone = sqlx::query!(
        "delete from step where id in (select id from step where run = $1 limit $2)",
        run as RunId,
        CHUNK,
    )
    .execute(db)
    .await
    .with_context(|| format!("purging steps of run {run}"))?;
    Ok(gone.rows_affected())
}

/// The latest first: those that send an earlier one again go before it. Gives how many went, and digests that were named.
async fn delete_transmissions(db: &mut PgConnection, run: RunId) -> Result<(u64, Vec<String>)> {
    let ids = sqlx::query_scalar!(
        "select id from transmission where run = $1 order by id desc limit $2",
        run as RunId,
        CHUNK / 2,
    )
    .fetch_all(&mut *db)
    .await
    .with_context(|| format!("reading transmissions of run {run}"))?;
    let fault = || format!("purging transmissions of run {run}");
    sqlx::query!("delete from pickup_download where transmission = any($1)", &ids)
        .execute(&mut *db)
        .await
        .with_context(fault)?;
    sqlx::query!("delete from pickup where transmission = any($1)", &ids)
        .execute(&mut *db)
        .await
        .with_context(fault)?;
    sqlx::query!("delete from awaited where transmission = any($1)", &ids)
        .execute(&mut *db)
        .await
        .with_context(fault)?;
    sqlx::query!("delete from receipt where transmission = any($1)", &ids)
        .execute(&mut *db)
        .await
        .with_context(fault)?;
    sqlx::query!("delete from attempt where transmission = any($1)", &ids)
        .execute(&mut *db)
        .await
        .with_context(fault)?;
    sqlx::query!("delete from transmission_item where transmission = any($1)", &ids)
        .execute(&mut *db)
        .await
        .with_context(fault)?;
    let digests = rendition::delete(db, &ids).await?;
    let gone =
        sqlx::query!("delete from transmission where id = any($1)", &ids).execute(db).await.with_context(fault)?;
    Ok((gone.rows_affected(), digests))
}

async fn delete_items(db: &mut PgConnection, run: RunId) -> Result<u64> {
    let gone = sqlx::query!(
        "delete from item where id in (select id from item where run = $1 limit $2)",
        run as RunId,
        CHUNK,
    )
    .execute(db)
    .await
    .with_context(|| format!("purging items of run {run}"))?;
    Ok(gone.rows_affected())
}

async fn delete_artifacts(db: &mut PgConnection, run: RunId) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        delete from artifact
         where id in (select id from artifact where run = $1 limit $2)
        returning digest
        "#,
        run as RunId,
        CHUNK,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("purging artifacts of run {run}"))
}

/// The run's own row, with a line in the audit log of what it was.
async fn finish(db: &mut PgConnection, run: RunId, now: DateTime<Utc>) -> Result<()> {
    let gone = sqlx::query!(
        "delete from run where id = $1 returning batch, cause_key, business_date, state, ended_at, accepted, delivered, failed",
        run as RunId,
    )
    .fetch_one(&mut *db)
    .await
    .with_context(|| format!("purging run {run}"))?;
    let detail = json!({
        "batch": gone.batch, "cause": gone.cause_key, "business_date": gone.business_date, "state": gone.state,
        "ended_at": gone.ended_at, "sent": gone.accepted + gone.delivered, "failed": gone.failed,
    });
    let deed = Deed { action: "run.purged", object: &run.to_string(), detail };
    audit::record(db, &author(now), deed).await
}
