//! What people see of files and places, and what is thrown away of them.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::{config, id::RunId, reason::Reason, run::Engine};

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum FileState {
    /// It is being taken.
    Claimed,
    /// Its bytes are here.
    Taken,
    /// It has a run that has not ended.
    Started,
    /// It goes where it belongs.
    Closing,
    Archived,
    Rejected,
    /// Somebody took it back.
    Vanished,
}

/// A file in a list.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = IncomingFile)]
pub struct Listed {
    pub id: i64,
    pub batch: String,
    #[schema(example = "folder:/srv/in/acme")]
    pub place: String,
    pub name: String,
    pub size: i64,
    pub state: FileState,
    /// SHA-256 of its bytes, once they are here.
    pub digest: Option<String>,
    #[schema(value_type = Option<i64>)]
    pub run: Option<RunId>,
    /// Why it was rejected, or started no run of its own.
    pub reason: Option<Reason>,
    /// What holds it up at present.
    pub trouble: Option<Reason>,
    /// Where it is in the place.
    pub put_as: Option<String>,
    pub claimed_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
}

/// A place that is watched, or was.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = Place)]
pub struct PlaceState {
    #[schema(example = "sftp:partner:/inbox")]
    pub address: String,
    /// When it was last seen.
    pub looked_at: Option<DateTime<Utc>>,
    /// When it is looked at next.
    pub look_at: DateTime<Utc>,
    /// Why it cannot be looked at.
    pub fault: Option<Reason>,
    /// Names of files that are no names; they stay where they are.
    pub odd: Vec<String>,
    /// Files that lie there and are not taken yet.
    pub waiting: i64,
}

/// The files of a batch in a state, or of all and in any, the latest first: `limit` of those before the number `before`.
///
/// # Errors
/// When the database cannot be read.
pub async fn files(
    db: &PgPool,
    (batch, state): (Option<&str>, Option<FileState>),
    (before, limit): (Option<i64>, i64),
) -> Result<Vec<Listed>> {
    let rows = sqlx::query!(
        r#"
        select id, batch, place, name, size, state as "state: FileState", digest, run as "run: RunId", reason, trouble,
               put_as, claimed_at, changed_at
          from file
         where ($1::text is null or batch = $1)
           and ($2::text is null or state = $2)
           and ($3::bigint is null or id < $3)
         order by id desc
         limit $4
        "#,
        batch,
        state as Option<FileState>,
        before,
        limit,
    )
    .fetch_all(db)
    .await
    .context("listing files")?;
    let read = |value| serde_json::from_value(value).context("reading a file's reason");
    rows.into_iter()
        .map(|row| {
            Ok(Listed {
                id: row.id,
                batch: row.batch,
                place: row.place,
                name: row.name,
                size: row.size,
                state: row.state,
                digest: row.digest,
                run: row.run,
                reason: row.reason.map(read).transpose()?,
                trouble: row.trouble.map(|it| serde_json::from_value(it).context("reading a trouble")).transpose()?,
                put_as: row.put_as,
                claimed_at: row.claimed_at,
                changed_at: row.changed_at,
            })
        })
        .collect()
}

/// The places by their names, after the name `after`.
///
/// # Errors
/// When the database cannot be read.
pub async fn places(db: &PgPool, (after, limit): (Option<&str>, i64)) -> Result<Vec<PlaceState>> {
    let rows = sqlx::query!(
        r#"
        select address, looked_at, look_at, fault, odd,
               (select count(*) from sighting where sighting.place = place.address) as "waiting!"
          from place
         where $1::text is null or address > $1
         order by address
         limit $2
        "#,
        after,
        limit,
    )
    .fetch_all(db)
    .await
    .context("listing places")?;
    rows.into_iter()
        .map(|row| {
            Ok(PlaceState {
                address: row.address,
                looked_at: row.looked_at,
                look_at: row.look_at,
                fault: row.fault.map(serde_json::from_value).transpose().context("reading a place's fault")?,
                odd: row.odd,
                waiting: row.waiting,
            })
        })
        .collect()
}

/// Rows that go in one statement.
const CHUNK: i64 = 1000;

/// Lets go of the bytes of files whose runs have let go of theirs, and throws files away that are as old as runs that
/// are thrown away and have none. False when nothing is left to do.
pub(in crate::trigger) async fn purge(engine: &Engine, keep: &config::Retention) -> Result<bool> {
    let now = engine.clock.now();
    let bytes = match keep.files.before(now) {
        Some(before) => forget_bytes(engine, before).await?,
        None => Vec::new(),
    };
    engine.toolbox.store.forget(&bytes, now).await?;
    let rows = match keep.runs.before(now) {
        Some(before) => forget_files(&engine.db, before).await?,
        None => 0,
    };
    Ok(!bytes.is_empty() || rows > 0)
}

async fn forget_bytes(engine: &Engine, before: DateTime<Utc>) -> Result<Vec<String>> {
    let digests = sqlx::query_scalar!(
        r#"
        update file set blob = null
         where id in (select id from file
                       where blob is not null and ended_at < $1
                         and not exists (select from run where run.id = file.run and run.files_purged_at is null)
                       order by ended_at
                       limit $2)
        returning digest as "digest!"
        "#,
        before,
        CHUNK,
    )
    .fetch_all(&engine.db)
    .await;
    digests.context("letting go of the bytes of old files")
}

async fn forget_files(db: &PgPool, before: DateTime<Utc>) -> Result<u64> {
    let gone = sqlx::query!(
        r#"
        delete from file
         where id in (select id from file
                       where ended_at < $1 and not exists (select from run where run.id = file.run)
                       order by ended_at
                       limit $2)
        "#,
        before,
        CHUNK,
    )
    .execute(db)
    .await;
    Ok(gone.context("throwing old files away")?.rows_affected())
}
