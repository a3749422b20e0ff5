//! What a digest is about: a stretch of the daybook, or of time.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Runs, occurrences and downtimes by their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entries {
    pub runs: Vec<i64>,
    /// The batch of each occurrence.
    pub batches: Vec<String>,
    /// The key of each occurrence.
    pub occurrences: Vec<String>,
    pub downtimes: Vec<i64>,
}

/// What the daybook has after the number `after` up to `upto`; of that, only what is younger than `from_at`, if it is given.
///
/// # Errors
/// When the database cannot be read.
pub async fn numbered(
    db: &mut PgConnection,
    (after, upto): (i64, i64),
    from_at: Option<DateTime<Utc>>,
) -> Result<Entries> {
    let rows = sqlx::query!(
        r#"
        select daybook.run, daybook.batch, daybook.occurrence, daybook.downtime
          from daybook
          left join run on run.id = daybook.run
          left join occurrence on occurrence.batch = daybook.batch and occurrence.key = daybook.occurrence
          left join downtime on downtime.id = daybook.downtime
         where daybook.number > $1 and daybook.number <= $2
           and ($3::timestamptz is null or coalesce(run.ended_at, occurrence.decided_at, downtime.to_at) > $3)
         order by daybook.number
        "#,
        after,
        upto,
        from_at,
    )
    .fetch_all(db)
    .await
    .context("reading the daybook")?;
    let mut entries = Entries::default();
    for row in rows {
        match (row.run, row.batch, row.occurrence, row.downtime) {
            (Some(run), ..) => entries.runs.push(run),
            (None, Some(batch), Some(occurrence), _) => {
                entries.batches.push(batch);
                entries.occurrences.push(occurrence);
            }
            (None, _, _, Some(downtime)) => entries.downtimes.push(downtime),
            _ => {}
        }
    }
    // One that ended twice is told once, as it is now.
    entries.runs.sort_unstable();
    entries.runs.dedup();
    Ok(entries)
}

/// What ended after `from_at` and up to `until_at`.
///
/// # Errors
/// When the database cannot be read.
pub async fn between(db: &mut PgConnection, (from_at, until_at): (DateTime<Utc>, DateTime<Utc>)) -> Result<Entries> {
    let runs = sqlx::query_scalar!(
        r#"
        select run.id
          from run
          join batch on batch.name = run.batch and not batch.own
         where run.ended_at > $1 and run.ended_at <= $2 and run.purge_begun_at is null
         order by run.ended_at, run.id
        "#,
        from_at,
        until_at,
    )
    .fetch_all(&mut *db)
    .await
    .context("reading the runs of a day")?;
    let occurrences = sqlx::query!(
        r#"
        select batch, key
          from occurrence
         where decided_at > $1 and decided_at <= $2 and state in ('skipped', 'missed')
         order by due_at, batch
        "#,
        from_at,
        until_at,
    )
    .fetch_all(&mut *db)
    .await
    .context("reading the occurrences of a day")?;
    let downtimes =
        sqlx::query_scalar!("select id from downtime where to_at > $1 and to_at <= $2 order by id", from_at, until_at)
            .fetch_all(db)
            .await
            .context("reading the downtimes of a day")?;
    let (batches, occurrences) = occurrences.into_iter().map(|row| (row.batch, row.key)).unzip();
    Ok(Entries { runs, batches, occurrences, downtimes })
}
