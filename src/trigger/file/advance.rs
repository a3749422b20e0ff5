//! The steps of one file, from its claim to its run.

use anyhow::{Context, Result};

use super::{
    Watch, close, identity, name,
    row::{self, File, Step},
};
use crate::{
    id::RunId,
    reason::{Reason, Scope},
    run::{self, Cause, CauseKind, Engine, Start, StartError},
    source::place::Place,
};

/// Does the steps of a file, until one has to wait.
pub(super) async fn advance(engine: &Engine, watch: &Watch, mut file: File) -> Result<()> {
    loop {
        let step = match engine.places.at(&file.trigger.place) {
            Err(failure) => Step::Failed(failure),
            Ok(place) => match file.state.as_str() {
                "claimed" => take(engine, watch, &place, &mut file).await?,
                "taken" => start(engine, &mut file).await?,
                "started" => close::judge(engine, &mut file).await?,
                "closing" => close::put_away(engine, &place, &mut file).await?,
                _ => Step::Wait,
            },
        };
        match step {
            Step::Done => {}
            Step::Wait => return Ok(()),
            Step::Failed(failure) if failure.again => return row::defer(engine, &file, &failure).await,
            Step::Failed(failure) => {
                if !close::refuse(engine, &mut file, &failure.reason).await? {
                    return Ok(());
                }
            }
        }
    }
}

/// Moves a file aside and keeps its bytes.
async fn take(engine: &Engine, watch: &Watch, place: &Place, file: &mut File) -> Result<Step> {
    let working = name::working(file.id);
    // When an earlier try was cut short, it lies there already, and a file of its name is another one.
    if let Err(failure) = place.rename(&file.name, &working).await {
        return Ok(Step::Failed(failure));
    }
    let before = match place.find(&working).await {
        Ok(before) => before,
        Err(failure) => return Ok(Step::Failed(failure)),
    };
    let Some(before) = before else {
        return close::vanished(engine, file).await;
    };
    if before.size > watch.limit {
        let text = format!("it has {} bytes; `files.limit` in the settings allows {}", before.size, watch.limit);
        close::refuse(engine, file, &Reason::new(Scope::Document, "too-large", text)).await?;
        return Ok(Step::Done);
    }
    // Somebody may still write to it, and go on doing so wherever it is moved.
    if (i64::try_from(before.size)?, &before.stamp) != (file.size, &file.stamp) {
        return row::changed(engine, file, (i64::try_from(before.size)?, before.stamp)).await;
    }
    let bytes = match place.read(&working, watch.limit).await {
        Ok(bytes) => bytes,
        Err(failure) => return Ok(Step::Failed(failure)),
    };
    match place.find(&working).await {
        Err(failure) => return Ok(Step::Failed(failure)),
        Ok(None) => return close::vanished(engine, file).await,
        Ok(Some(after)) if after != before || bytes.len() as u64 != after.size => {
            return row::changed(engine, file, (i64::try_from(after.size)?, after.stamp)).await;
        }
        Ok(Some(_)) => {}
    }
    let digest = engine.toolbox.store.put(&bytes, engine.clock.now()).await?;
    identity::identify(engine, file, &digest).await
}

/// Starts the run of a file.
async fn start(engine: &Engine, file: &mut File) -> Result<Step> {
    let key = file.cause_key.clone().context("a file that was taken has no key")?;
    let start = Start {
        batch: file.batch.clone(),
        cause: Cause { kind: CauseKind::File, key, by: None },
        date: None,
        params: file.trigger.params.clone().into_iter().collect(),
        hold: false,
    };
    let run = match run::start(engine, start).await {
        Ok(started) => started.run,
        Err(StartError::Fault(fault)) => return Err(fault).context("starting a run for a file"),
        Err(refusal) => {
            let reason = Reason::new(Scope::Document, "not-started", refusal.to_string());
            close::refuse(engine, file, &reason).await?;
            return Ok(Step::Done);
        }
    };
    sqlx::query!(
        r#"
        update file
           set state = 'started', run = $3, due_at = 'infinity', changed_at = $4, lease_until = null, tries = 0,
               trouble = null
         where id = $1 and lease = $2 and state = 'taken'
        "#,
        file.id,
        file.lease,
        run as RunId,
        engine.clock.now(),
    )
    .execute(&engine.db)
    .await
    .with_context(|| format!("noting the run of file {}", file.id))?;
    Ok(Step::Wait)
}
