//! Which file it is: its place, its name and its bytes.
//!
//! The same within a while starts no second run, unless the first one failed: whoever puts a rejected file in again
//! wants it tried again. The earlier of two has left the place, with its bytes known, before the later one can be
//! claimed, so that they cannot overlook each other.

use anyhow::{Context, Result};
use chrono::TimeDelta;

use super::{
    name,
    row::{self, File, Step},
};
use crate::{
    id::RunId,
    reason::{Reason, Scope},
    run::Engine,
};

/// The file that this one is again.
struct Earlier {
    id: i64,
    run: Option<RunId>,
}

/// Notes the bytes of a file and what its run is called, or that it needs none.
pub(super) async fn identify(engine: &Engine, file: &mut File, digest: &str) -> Result<Step> {
    let key = format!("file {}/{} {} {}", file.place, name::shown(&file.name), &digest[..12], file.id);
    let earlier = earlier(engine, file, digest).await?;
    let reason = earlier.as_ref().map(again);
    let state = if earlier.is_some() { "closing" } else { "taken" };
    let verdict = earlier.is_some().then_some("archive");
    let mut db = engine.db.begin().await.context("beginning to take a file")?;
    row::leave(&mut db, file).await?;
    let taken = sqlx::query!(
        r#"
        update file
           set state = $3, digest = $4, blob = $4, cause_key = $5, verdict = $6, reason = $7, taken_at = $8,
               changed_at = $8, tries = 0, trouble = null
         where id = $1 and lease = $2 and state = 'claimed'
        "#,
        file.id,
        file.lease,
        state,
        digest,
        key,
        verdict,
        reason.as_ref().map(serde_json::to_value).transpose()?,
        engine.clock.now(),
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("taking file {}", file.id))?;
    if taken.rows_affected() == 0 {
        return Ok(Step::Wait);
    }
    db.commit().await.context("taking a file")?;
    (file.state, file.cause_key) = (state.to_owned(), Some(key));
    (file.verdict, file.reason) = (verdict.map(str::to_owned), reason);
    Ok(Step::Done)
}

async fn earlier(engine: &Engine, file: &File, digest: &str) -> Result<Option<Earlier>> {
    let same = TimeDelta::from_std(file.trigger.same).unwrap_or(TimeDelta::MAX);
    let since = engine.clock.now().checked_sub_signed(same).unwrap_or_default();
    sqlx::query_as!(
        Earlier,
        r#"
        select id, run as "run: RunId"
          from file
         where place = $1 and name = $2 and digest = $3 and batch = $4 and id < $5 and taken_at > $6
           and verdict is distinct from 'error' and (reason is null or reason ->> 'code' <> 'same')
         order by id desc
         limit 1
        "#,
        file.place,
        file.name,
        digest,
        file.batch,
        file.id,
        since,
    )
    .fetch_optional(&engine.db)
    .await
    .with_context(|| format!("looking whether file {} was here before", file.id))
}

fn again(earlier: &Earlier) -> Reason {
    let run = earlier.run.map_or_else(|| "which has its run".to_owned(), |run| format!("which started run {run}"));
    let text = format!("it is the same file as no. {}, {run}: same place, same name, same bytes", earlier.id);
    Reason::new(Scope::Document, "same", text)
}
