//! Words that are due: their node died before it applied them, or the book did not show yet what they are about.

use anyhow::{Context, Result};

use crate::run::Engine;

/// Words taken up in one go.
const CHUNK: i64 = 200;

/// How long a word is kept that is about nothing known here.
const KEPT: chrono::Duration = chrono::Duration::days(30);

/// Applies the words that are due, and says how many there were.
///
/// # Errors
/// When the database cannot be read.
pub async fn pending(engine: &Engine) -> Result<usize> {
    let due = sqlx::query_scalar!(
        "select id from receipt where due_at <= $1 order by due_at, id limit $2",
        engine.clock.now(),
        CHUNK
    )
    .fetch_all(&engine.db)
    .await
    .context("looking for words that are due")?;
    super::apply_all(engine, &due).await;
    Ok(due.len())
}

/// Forgets words that were about nothing.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget(engine: &Engine) -> Result<u64> {
    let gone = sqlx::query!(
        r#"
        delete from receipt
         where id in (select id from receipt where transmission is null and received_at < $1 limit $2)
        "#,
        engine.clock.now() - KEPT,
        CHUNK,
    )
    .execute(&engine.db)
    .await
    .context("forgetting words that were about nothing")?;
    Ok(gone.rows_affected())
}
