//! What the steps that carry files have in common: how they begin, and what comes of them.
//!
//! They follow when the items have come to their end, once per run, one after the other: what one fetched, the next may
//! put. All of them can be done twice: what is there already is recognised. A step that fails for good goes on with what
//! the workflow says for that; the run keeps the state that its transmissions gave it. Called by `fetch`, `put`, `move`.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{
    Engine, StepState,
    allowance::Wait,
    claim::{Held, claim},
    frozen::{self, Frozen},
    log, record,
};
use crate::{
    document::Failure,
    id::{RunId, StepId},
    reason::{Reason, Scope},
    workflow::{Errand, Node},
};

/// A step that was taken up.
pub(super) struct Begun {
    pub claim: Held,
    pub frozen: Arc<Frozen>,
}

/// What it did.
pub(super) struct Done {
    /// A stable word for the log.
    pub event: &'static str,
    pub text: String,
    pub data: Value,
    /// The artifact it brought.
    pub fetched: Option<Fetched>,
}

/// Why it did not come to its end.
pub(super) enum Halt {
    Failed(Failure),
    /// Its account does not let it go on now.
    Waits(Wait),
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// A file that is in the store.
pub(super) struct Fetched {
    pub file: String,
    pub media_type: String,
    pub digest: String,
    pub size: i64,
}

/// Takes `step` up, unless another worker does.
pub(super) async fn begin(engine: &Engine, step: StepId) -> Result<Option<Begun>> {
    let Some(claim) = claim(engine, step).await? else {
        return Ok(None);
    };
    let frozen = frozen::of(engine, claim.run).await?;
    Ok(Some(Begun { claim, frozen }))
}

impl Begun {
    /// What it carries where.
    pub(super) fn errand(&self) -> Result<&Errand> {
        self.node()?.errand.as_ref().context("a step that carries files does not say which")
    }

    /// What a text of the step says in this run.
    pub(super) fn fill(&self, engine: &Engine, text: &str, context: &Value) -> Result<String, Failure> {
        engine.toolbox.expressions.render_text(text, context).map_err(|error| {
            let reason = Reason::new(Scope::Document, "expression", format!("`{text}`: {error}"));
            Failure { reason, again: false, after: None }
        })
    }

    /// Writes down what came of it, and goes on.
    pub(super) async fn end(&self, engine: &Engine, done: Result<Done, Failure>) -> Result<()> {
        let now = engine.clock.now();
        let mut db = engine.db.begin().await.context("beginning to end a step")?;
        let ours = self.close(&mut db, done.map_err(Halt::Failed), now).await?;
        if ours { db.commit().await.context("ending a step") } else { Ok(()) }
    }

    /// The same in the caller's transaction. False when the claim was lost: then nothing may be written.
    pub(super) async fn close(
        &self,
        db: &mut PgConnection,
        came: Result<Done, Halt>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        match came {
            Ok(done) => self.succeed(db, done, now).await,
            Err(Halt::Failed(failure)) => self.fail(db, &failure, now).await,
            Err(Halt::Waits((due_at, reason))) => self.claim.wait(db, due_at, &reason, now).await,
        }
    }

    fn node(&self) -> Result<&Node> {
        self.frozen.workflow.node(&self.claim.name).context("the step is not in its workflow")
    }

    async fn succeed(&self, db: &mut PgConnection, done: Done, now: DateTime<Utc>) -> Result<bool> {
        if !self.claim.end(db, StepState::Done, None, now).await? {
            return Ok(false);
        }
        if let Some(fetched) = &done.fetched {
            keep(db, self.claim.run, &self.claim.name, fetched, now).await?;
        }
        log::write(db, self.claim.run, now, (done.event, done.text, done.data)).await?;
        record::follow(db, &self.frozen, self.node()?.on_success.as_deref(), now).await?;
        Ok(true)
    }

    async fn fail(&self, db: &mut PgConnection, failure: &Failure, now: DateTime<Utc>) -> Result<bool> {
        let tries = u32::try_from(self.claim.tries).unwrap_or_default() + 1;
        let pause = if failure.again { self.node()?.retry.pause(tries, failure.after) } else { None };
        if let Some(pause) = pause {
            return self.claim.defer(db, now + pause, &failure.reason, now).await;
        }
        if !self.claim.end(db, StepState::Failed, Some(&failure.reason), now).await? {
            return Ok(false);
        }
        give_up(db, &self.frozen, &self.claim.name, &failure.reason, now).await?;
        Ok(true)
    }
}

/// Goes on with what the workflow says for a step that failed for good.
pub(super) async fn give_up(
    db: &mut PgConnection,
    frozen: &Frozen,
    step: &str,
    reason: &Reason,
    now: DateTime<Utc>,
) -> Result<()> {
    let text = format!("{step} failed: {}", reason.text);
    log::write(db, frozen.run, now, ("failed", text, json!({ "step": step, "code": reason.code }))).await?;
    let next = frozen.workflow.node(step).and_then(|node| node.on_failure.as_deref());
    record::follow(db, frozen, next, now).await
}

/// Names what `step` fetched; once more, it takes the place of what it had fetched before.
async fn keep(db: &mut PgConnection, run: RunId, step: &str, fetched: &Fetched, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        r#"
        insert into artifact (run, step, file, media_type, digest, size, created_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (run, step) where step is not null
        do update set file = excluded.file, media_type = excluded.media_type, digest = excluded.digest,
                      size = excluded.size, created_at = excluded.created_at, purged_at = null
        "#,
        run as RunId,
        step,
        fetched.file,
        fetched.media_type,
        fetched.digest,
        fetched.size,
        now,
    )
    .execute(db)
    .await
    .with_context(|| format!("naming what step {step} of run {run} fetched"))?;
    Ok(())
}

/// What is said of a file in another place.
pub(super) fn absent(text: String) -> Failure {
    Failure { reason: Reason::new(Scope::Attempt, "no-file", text), again: true, after: None }
}

/// The last part of a path.
pub(super) fn name_of(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path)
}
