//! The rows of files. Each step is written under the lease that a file was taken up with: who was too slow for it
//! changes nothing.

use anyhow::{Context, Result};
use chrono::TimeDelta;
use serde_json::Value;
use sqlx::PgConnection;

use crate::{catalog::FileTrigger, id::RunId, reason::Reason, run::Engine, source::Failure};

/// A file that this node works on.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub id: i64,
    pub lease: i32,
    pub batch: String,
    pub place: String,
    pub name: String,
    pub size: i64,
    pub stamp: String,
    pub trigger: FileTrigger,
    pub state: String,
    pub cause_key: Option<String>,
    pub run: Option<RunId>,
    pub verdict: Option<String>,
    pub reason: Option<Reason>,
    pub put_as: Option<String>,
    pub tries: i32,
}

/// What a step came to.
pub(super) enum Step {
    /// Written down; the next one can be done.
    Done,
    /// Not ours any more, or something else has to happen first.
    Wait,
    /// The place is to blame.
    Failed(Failure),
}

/// Pauses between tries of a step that the place is to blame for, at first and at most.
const PAUSES: (TimeDelta, TimeDelta) = (TimeDelta::seconds(5), TimeDelta::minutes(5));

/// Takes up files whose next step is due.
pub(super) async fn due(engine: &Engine, limit: usize) -> Result<Vec<File>> {
    let now = engine.clock.now();
    let rows = sqlx::query!(
        r#"
        update file
           set lease = lease + 1, lease_until = $2
         where id in (select id from file
                       where ended_at is null and due_at <= $1 and (lease_until is null or lease_until <= $1)
                       order by due_at, id
                       limit $3
                         for update skip locked)
        returning id, lease, batch, place, name, size, stamp, trigger, state, cause_key, run as "run: RunId", verdict,
                  reason, put_as, tries
        "#,
        now,
        now + engine.settings.lease,
        i64::try_from(limit)?,
    )
    .fetch_all(&engine.db)
    .await
    .context("taking files up")?;
    let read = |value: Value| serde_json::from_value(value).context("reading a file's row");
    rows.into_iter()
        .map(|row| {
            Ok(File {
                id: row.id,
                lease: row.lease,
                batch: row.batch,
                place: row.place,
                name: row.name,
                size: row.size,
                stamp: row.stamp,
                trigger: serde_json::from_value(row.trigger).context("reading a file's trigger")?,
                state: row.state,
                cause_key: row.cause_key,
                run: row.run,
                verdict: row.verdict,
                reason: row.reason.map(read).transpose()?,
                put_as: row.put_as,
                tries: row.tries,
            })
        })
        .collect()
}

/// Makes files due whose runs have ended, or are gone.
pub(super) async fn wake(engine: &Engine) -> Result<()> {
    sqlx::query!(
        r#"
        update file set due_at = $1
         where state = 'started' and due_at > $1
           and not exists (select from run where run.id = file.run and run.ended_at is null)
        "#,
        engine.clock.now(),
    )
    .execute(&engine.db)
    .await
    .context("looking for files whose runs have ended")?;
    Ok(())
}

/// Forgets where a file lay: one that comes under the same name has to be as it is for a while of its own. Done before
/// the file's own row is touched, because looks lock in that order as well.
pub(super) async fn leave(db: &mut PgConnection, file: &File) -> Result<()> {
    sqlx::query!("delete from sighting where place = $1 and name = $2", file.place, file.name)
        .execute(db)
        .await
        .with_context(|| format!("forgetting where file {} lay", file.id))?;
    Ok(())
}

/// Waits until the file has been as it is now for long enough.
pub(super) async fn changed(engine: &Engine, file: &File, (size, stamp): (i64, String)) -> Result<Step> {
    let now = engine.clock.now();
    sqlx::query!(
        r#"
        update file
           set size = $3, stamp = $4, due_at = $5, changed_at = $6, lease_until = null
         where id = $1 and lease = $2 and state = 'claimed'
        "#,
        file.id,
        file.lease,
        size,
        stamp,
        now + TimeDelta::from_std(file.trigger.stable).unwrap_or(PAUSES.1),
        now,
    )
    .execute(&engine.db)
    .await
    .with_context(|| format!("noting that file {} changed", file.id))?;
    Ok(Step::Wait)
}

/// Tries again later, later each time.
pub(super) async fn defer(engine: &Engine, file: &File, failure: &Failure) -> Result<()> {
    let now = engine.clock.now();
    let pause = pause(file.tries).max(failure.after.and_then(|it| TimeDelta::from_std(it).ok()).unwrap_or_default());
    tracing::warn!(
        file.id,
        place = file.place,
        code = failure.reason.code,
        reason = failure.reason.text,
        "a file has to wait"
    );
    sqlx::query!(
        r#"
        update file
           set tries = tries + 1, trouble = $3, due_at = $4, changed_at = $5, lease_until = null
         where id = $1 and lease = $2 and ended_at is null
        "#,
        file.id,
        file.lease,
        serde_json::to_value(&failure.reason)?,
        now + pause,
        now,
    )
    .execute(&engine.db)
    .await
    .with_context(|| format!("putting file {} off", file.id))?;
    Ok(())
}

fn pause(tries: i32) -> TimeDelta {
    (PAUSES.0 * 2_i32.pow(tries.clamp(0, 10).unsigned_abs())).min(PAUSES.1)
}
