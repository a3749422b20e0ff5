//! Brings the schema up to date, the queue's own tables and ours, on one node at a time.

use anyhow::{Context, anyhow};
use sqlx::{PgConnection, PgPool, migrate::MigrateError};

use super::DatabaseError;

/// Names the lock that a migrating node holds; any number that nobody else uses.
const LOCK: i64 = 0x706f_7374_626f_6f6b;

/// Migrates the queue's tables by `queue`, then ours.
///
/// # Errors
/// When the database was used by a newer Postbook, has no hstore, or refuses a migration.
pub async fn migrate<E: Into<anyhow::Error>>(
    pool: &PgPool,
    queue: impl AsyncFnOnce(&PgPool) -> Result<(), E>,
) -> Result<(), DatabaseError> {
    // A connection outside the pool: closing it frees the lock, also when this future is dropped half-way.
    let mut gate = pool.acquire().await.context("connecting to migrate")?.detach();
    sqlx::query!("select pg_advisory_lock($1)", LOCK).execute(&mut gate).await.context("waiting to migrate")?;
    need_hstore(&mut gate).await?;
    queue(pool).await.map_err(|error| error.into().context("migrating the queue's tables"))?;
    sqlx::migrate!().run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => DatabaseError::Newer(version),
        other => anyhow!(other).context("migrating the book's tables").into(),
    })
}

/// The queue keeps metadata in hstore values.
async fn need_hstore(db: &mut PgConnection) -> Result<(), DatabaseError> {
    let there = sqlx::query_scalar!(r#"select exists (select from pg_extension where extname = 'hstore') as "there!""#)
        .fetch_one(&mut *db)
        .await
        .context("looking for hstore")?;
    if there {
        return Ok(());
    }
    match sqlx::query("create extension if not exists hstore").execute(db).await {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) => Err(DatabaseError::NoHstore(error.message().to_owned())),
        Err(error) => Err(anyhow!(error).context("creating hstore").into()),
    }
}
