//! Step 0: a cause fires a batch.
//!
//! The run's row is unique on its batch and cause, so a second firing for the same cause finds the first one's run
//! and starts nothing. Called by every trigger and door.

use anyhow::{Context, Result, anyhow};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::{Engine, RunState, frozen::Frozen, log, plan};
use crate::{
    catalog::{self, Batch},
    id::{RevisionId, RunId, StepId},
    queue::{self, Hint},
    workflow::{Kind, Workflow},
};

/// What fired a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub kind: CauseKind,
    /// Unique in the batch; the same key again is the same cause.
    pub key: String,
    /// The user who asked for it, if one did.
    pub by: Option<String>,
}

/// The kind of trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum CauseKind {
    Schedule,
    Demand,
    Event,
    File,
}

/// A firing that is asked for.
#[derive(Debug, Clone)]
pub struct Start {
    pub batch: String,
    pub cause: Cause,
    /// The date the run is about; today in the batch's zone otherwise.
    pub date: Option<NaiveDate>,
    /// Parameters for this run only, for the documents that declare them.
    pub params: Map<String, Value>,
    /// Wait to be released before anything is expanded.
    pub hold: bool,
}

/// The run a cause belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    pub run: RunId,
    /// False when the cause had started it before.
    pub fresh: bool,
}

/// Why a run could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("there is no batch `{0}`")]
    UnknownBatch(String),
    #[error("the batch `{0}` is disabled; enable it first")]
    Disabled(String),
    #[error("no document of the batch `{batch}` has a parameter `{name}`")]
    UnknownParam { batch: String, name: String },
    #[error(transparent)]
    Fault(#[from] anyhow::Error),
}

/// Starts a run, or finds the one that `start.cause` started before.
///
/// # Errors
/// When the batch is unknown or disabled, and on faults of the database.
pub async fn start(engine: &Engine, start: Start) -> Result<Started, StartError> {
    let now = engine.clock.now();
    let batch = current(engine, &start.batch).await?.ok_or_else(|| StartError::UnknownBatch(start.batch.clone()))?;
    let mut db = engine.db.begin().await.context("beginning a run")?;
    if let Some(run) = find(&mut db, &start).await? {
        return Ok(Started { run, fresh: false });
    }
    if !batch.enabled {
        return Err(StartError::Disabled(start.batch));
    }
    known_params(&mut db, &batch, &start).await?;
    let Some(run) = insert(&mut db, &batch, &start, now).await? else {
        // Another node was faster by less than a transaction.
        db.rollback().await.context("leaving a run to its first starter")?;
        let mut db = engine.db.acquire().await.context("connecting to find a run")?;
        let run = find(&mut db, &start).await?.context("a run that was there is gone")?;
        return Ok(Started { run, fresh: false });
    };
    let text = format!("started by {}", start.cause.key);
    log::write(&mut db, run, now, ("started", text, json!({ "by": start.cause.by }))).await?;
    if !start.hold {
        open(&mut db, run, &batch.start, now).await?;
    }
    db.commit().await.context("starting a run")?;
    Ok(Started { run, fresh: true })
}

/// Adds the first step of a run and its hint.
pub(super) async fn open(db: &mut PgConnection, run: RunId, first: &str, now: DateTime<Utc>) -> Result<()> {
    let step = sqlx::query_scalar!(
        r#"
        insert into step (run, name, kind, state, due_at, hinted_at, created_at, changed_at)
        values ($1, $2, 'expand', 'ready', $3, $3, $3, $3)
        returning id as "id: StepId"
        "#,
        run as RunId,
        first,
        now,
    )
    .fetch_one(&mut *db)
    .await
    .with_context(|| format!("adding the first step of run {run}"))?;
    queue::push(db, &[Hint { kind: Kind::Expand, id: step }]).await
}

/// A batch as it stands now.
pub(super) struct Current {
    revision: RevisionId,
    batch: Batch,
    enabled: bool,
    version: String,
    workflow: String,
    start: String,
    attributes: Value,
}

impl Current {
    /// The date a run is about when nobody names one.
    fn today(&self, now: DateTime<Utc>) -> NaiveDate {
        now.with_timezone(&self.batch.zone).date_naive()
    }

    /// The inputs a run would have if it began now.
    pub(super) async fn frozen(
        self,
        engine: &Engine,
        date: Option<NaiveDate>,
        params: Map<String, Value>,
    ) -> Result<Frozen> {
        let files = catalog::workflow::files(&engine.db, &engine.toolbox.store, &self.version).await?;
        let workflow = Workflow::read(&self.workflow, &files).map_err(|faults| anyhow!("{faults:?}"))?;
        Ok(Frozen {
            run: RunId(0),
            revision: self.revision,
            business_date: date.unwrap_or_else(|| self.today(engine.clock.now())),
            cause: "preview".to_owned(),
            user: self.attributes,
            batch: self.batch,
            workflow,
            files,
            params,
            occasion: Map::new(),
        })
    }
}

/// Reads the current version of the batch `name`.
pub(super) async fn current(engine: &Engine, name: &str) -> Result<Option<Current>> {
    let row = sqlx::query!(
        r#"
        select batch_revision.id as "revision: RevisionId", batch_revision.definition, batch.enabled,
               batch_revision.workflow, workflow.current as version, workflow_version.definition as graph,
               batch_revision.run_as, "user".title, "user".attributes
          from batch
          join batch_revision on batch_revision.id = batch.current
          join workflow on workflow.name = batch_revision.workflow
          join workflow_version on workflow_version.digest = workflow.current
          join "user" on "user".name = batch_revision.run_as
         where batch.name = $1 and batch.deleted_at is null
        "#,
        name,
    )
    .fetch_optional(&engine.db)
    .await
    .with_context(|| format!("reading batch {name}"))?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Current {
        revision: row.revision,
        batch: serde_json::from_value(row.definition).with_context(|| format!("reading batch {name}"))?,
        enabled: row.enabled,
        start: first_step(&row.graph)?,
        version: row.version,
        workflow: row.workflow,
        attributes: user(&row.run_as, &row.title, row.attributes),
    }))
}

/// The step that runs of a workflow begin with, from its definition.
pub(super) fn first_step(definition: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Graph {
        start: String,
    }
    let graph: Graph = toml::from_str(definition).context("reading a workflow that was accepted before")?;
    Ok(graph.start)
}

/// The run-as user as expressions see it: attributes beside its name, which they cannot hide.
pub(super) fn user(name: &str, title: &str, attributes: Value) -> Value {
    let mut user = match attributes {
        Value::Object(attributes) => attributes,
        _ => Map::new(),
    };
    user.insert("name".to_owned(), json!(name));
    user.insert("title".to_owned(), json!(title));
    Value::Object(user)
}

async fn known_params(db: &mut PgConnection, batch: &Current, start: &Start) -> Result<(), StartError> {
    if start.params.is_empty() {
        return Ok(());
    }
    let documents = plan::documents(db, &batch.batch).await?;
    for name in start.params.keys() {
        if !documents.iter().any(|(_, document)| document.params.contains_key(name)) {
            return Err(StartError::UnknownParam { batch: start.batch.clone(), name: name.clone() });
        }
    }
    Ok(())
}

async fn find(db: &mut PgConnection, start: &Start) -> Result<Option<RunId>> {
    sqlx::query_scalar!(
        r#"select id as "id: RunId" from run where batch = $1 and cause_key = $2"#,
        start.batch,
        start.cause.key,
    )
    .fetch_optional(db)
    .await
    .with_context(|| format!("looking for a run of batch {}", start.batch))
}

async fn insert(db: &mut PgConnection, batch: &Current, start: &Start, now: DateTime<Utc>) -> Result<Option<RunId>> {
    let date = start.date.unwrap_or_else(|| batch.today(now));
    let state = if start.hold { RunState::Held } else { RunState::Expanding };
    sqlx::query_scalar!(
        r#"
        insert into run (batch, revision, workflow_version, cause_kind, cause_key, cause_by, business_date, run_as,
                         attributes, params, state, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        on conflict on constraint run_starts_once_per_cause do nothing
        returning id as "id: RunId"
        "#,
        start.batch,
        batch.revision as RevisionId,
        batch.version,
        start.cause.kind as CauseKind,
        start.cause.key,
        start.cause.by,
        date,
        batch.batch.run_as,
        batch.attributes,
        Value::Object(start.params.clone()),
        state as RunState,
        now,
    )
    .fetch_optional(db)
    .await
    .with_context(|| format!("starting a run of batch {}", start.batch))
}
