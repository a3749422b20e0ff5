//! The end of a file: archived when its run went well, else rejected with the reason beside it.
//!
//! Where it goes is written down before it goes there, so that a second go after a crash goes to the same place. Runs
//! that ended partly well count as failed: somebody has to look.

use anyhow::{Context, Result};
use bytes::Bytes;

use super::{
    name,
    row::{self, File, Step},
};
use crate::{
    id::RunId,
    reason::{Reason, Scope},
    run::{Engine, RunState},
    source::place::{Moved, Place},
};

/// Reasons told beside a file. The book of the run has them all.
const TOLD: i64 = 20;

/// What the run of a file came to.
pub(super) async fn judge(engine: &Engine, file: &mut File) -> Result<Step> {
    let Some(run) = file.run else { return Ok(Step::Wait) };
    let row = sqlx::query!(
        r#"
        select state as "state: RunState", ended_at, reason, accepted + delivered as "sent!", failed, uncertain, skipped
          from run
         where id = $1
        "#,
        run as RunId,
    )
    .fetch_optional(&engine.db)
    .await
    .with_context(|| format!("reading what became of run {run}"))?;
    let reason = match row {
        Some(row) if row.ended_at.is_none() => return Ok(Step::Wait),
        Some(row) if row.state != RunState::Succeeded => {
            let state = serde_json::to_value(row.state)?;
            let (state, missing) = (state.as_str().unwrap_or_default().to_owned(), row.failed + row.uncertain);
            let own: Option<Reason> = row.reason.map(serde_json::from_value).transpose()?;
            let mut text =
                format!("run {run} of {} came to `{state}`: {} sent, {missing} not sent", file.batch, row.sent);
            let told = own.map(|reason| vec![reason.text]);
            for line in told.map_or(failures(engine, run).await?, |own| own) {
                text.push_str("\n- ");
                text.push_str(&line);
            }
            Some(Reason::new(Scope::Document, format!("run-{state}"), text))
        }
        // A run that is gone had ended.
        Some(_) | None => None,
    };
    let verdict = if reason.is_some() { "error" } else { "archive" };
    let judged = close(engine, file, verdict, reason).await?;
    Ok(if judged { Step::Done } else { Step::Wait })
}

async fn failures(engine: &Engine, run: RunId) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        select distinct reason ->> 'text' as "text!"
          from transmission
         where run = $1 and purpose = 'document' and troubled and reason ->> 'text' is not null
         order by 1
         limit $2
        "#,
        run as RunId,
        TOLD,
    )
    .fetch_all(&engine.db)
    .await
    .with_context(|| format!("reading the failures of run {run}"))
}

/// Has a file rejected. False when it is not ours any more.
pub(super) async fn refuse(engine: &Engine, file: &mut File, reason: &Reason) -> Result<bool> {
    tracing::warn!(file.id, place = file.place, code = reason.code, "a file is rejected");
    close(engine, file, "error", Some(reason.clone())).await
}

async fn close(engine: &Engine, file: &mut File, verdict: &str, reason: Option<Reason>) -> Result<bool> {
    let mut db = engine.db.begin().await.context("beginning to close a file")?;
    if file.state == "claimed" {
        row::leave(&mut db, file).await?;
    }
    let closed = sqlx::query!(
        r#"
        update file
           set state = 'closing', verdict = $3, reason = $4, changed_at = $5, tries = 0, trouble = null
         where id = $1 and lease = $2 and state in ('claimed', 'taken', 'started')
        "#,
        file.id,
        file.lease,
        verdict,
        reason.as_ref().map(serde_json::to_value).transpose()?,
        engine.clock.now(),
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("closing file {}", file.id))?;
    if closed.rows_affected() == 0 {
        return Ok(false);
    }
    db.commit().await.context("closing a file")?;
    (file.state, file.verdict, file.reason) = ("closing".to_owned(), Some(verdict.to_owned()), reason);
    Ok(true)
}

/// Puts a file where its verdict says, with the reason beside one that is rejected.
pub(super) async fn put_away(engine: &Engine, place: &Place, file: &mut File) -> Result<Step> {
    let rejected = file.verdict.as_deref() == Some("error");
    let path = match &file.put_as {
        Some(path) => path.clone(),
        None => match choose(engine, place, file, rejected).await? {
            Ok(path) => path,
            Err(step) => return Ok(step),
        },
    };
    if rejected {
        let text = told(file);
        if let Err(failure) = place.write(&name::reason(&path), Bytes::from(text)).await {
            return Ok(Step::Failed(failure));
        }
    }
    match place.rename(&name::working(file.id), &path).await {
        Err(failure) => Ok(Step::Failed(failure)),
        Ok(Moved::Taken) => {
            // Somebody put one of that name there meanwhile.
            let free = name::final_path(folder(file, rejected), &file.name, Some((file.run, file.id)));
            match free == path {
                true => finish(engine, file, "vanished").await,
                false => note_path(engine, file, &free).await.map(|ours| if ours { Step::Done } else { Step::Wait }),
            }
        }
        // It was moved by an earlier try, or somebody took it away; either way there is nothing left to do.
        Ok(Moved::Done | Moved::Gone) => finish(engine, file, if rejected { "rejected" } else { "archived" }).await,
    }
}

fn folder(file: &File, rejected: bool) -> &str {
    if rejected { &file.trigger.error } else { &file.trigger.archive }
}

fn told(file: &File) -> String {
    let reason = file.reason.as_ref().map_or("no reason was recorded", |reason| reason.text.as_str());
    format!(
        "{} was not processed.\n\n{reason}\n\nOnce the cause is mended, put the file into the folder it came from again.\n",
        name::shown(&file.name)
    )
}

/// The first name that no file has there, neither one of ours nor another, written down as this file's.
async fn choose(engine: &Engine, place: &Place, file: &mut File, rejected: bool) -> Result<Result<String, Step>> {
    let numbered = Some((file.run, file.id));
    for number in [None, numbered] {
        let path = name::final_path(folder(file, rejected), &file.name, number);
        match place.find(&path).await {
            Err(failure) => return Ok(Err(Step::Failed(failure))),
            Ok(Some(_)) if number.is_none() => {}
            Ok(_) => {
                if note_path(engine, file, &path).await? {
                    return Ok(Ok(path));
                }
            }
        }
    }
    Ok(Err(Step::Wait))
}

/// False when another file has that path, or this one is not ours any more.
async fn note_path(engine: &Engine, file: &mut File, path: &str) -> Result<bool> {
    let noted = sqlx::query!(
        r#"
        update file
           set put_as = $3
         where id = $1 and lease = $2 and state = 'closing'
           and not exists (select from file as other where other.place = $4 and other.put_as = $3 and other.id <> $1)
        "#,
        file.id,
        file.lease,
        path,
        file.place,
    )
    .execute(&engine.db)
    .await;
    let noted = match noted {
        // Another one was faster by less than a statement.
        Err(sqlx::Error::Database(error)) if error.constraint() == Some("file_put_as_key") => return Ok(false),
        noted => noted.with_context(|| format!("noting where file {} goes", file.id))?,
    };
    file.put_as = Some(path.to_owned());
    Ok(noted.rows_affected() > 0)
}

/// There is nothing to take any more: whoever put it there took it back.
pub(super) async fn vanished(engine: &Engine, file: &mut File) -> Result<Step> {
    let text = "it was gone before it could be taken";
    file.reason = Some(Reason::new(Scope::Document, "vanished", text));
    finish(engine, file, "vanished").await
}

async fn finish(engine: &Engine, file: &File, state: &str) -> Result<Step> {
    sqlx::query!(
        r#"
        update file
           set state = $3, reason = $4, ended_at = $5, changed_at = $5, lease_until = null, trouble = null
         where id = $1 and lease = $2 and ended_at is null
        "#,
        file.id,
        file.lease,
        state,
        file.reason.as_ref().map(serde_json::to_value).transpose()?,
        engine.clock.now(),
    )
    .execute(&engine.db)
    .await
    .with_context(|| format!("ending file {}", file.id))?;
    Ok(Step::Wait)
}
