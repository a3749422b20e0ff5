//! The inputs a run began with; they never change, so they are read once and kept.

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use chrono::NaiveDate;
use serde_json::{Map, Value, json};
use sqlx::PgPool;

use super::Engine;
use crate::{
    catalog::{self, Batch},
    channel::{Receipts, account::Account},
    document::{Context, Document},
    id::{DocumentRevisionId, RevisionId, RunId},
    workflow::{Files, Kind, Workflow},
};

/// A run's batch, workflow and circumstances.
#[derive(Debug)]
pub struct Frozen {
    pub run: RunId,
    pub revision: RevisionId,
    pub batch: Batch,
    pub workflow: Workflow,
    pub files: Files,
    pub business_date: NaiveDate,
    pub cause: String,
    /// The run-as user: its name, title and attributes.
    pub user: Value,
    /// Parameters given when the run was started.
    pub params: Map<String, Value>,
    /// The `event` or the `file` that fired the run, if one did.
    pub occasion: Map<String, Value>,
}

impl Frozen {
    /// The name of the workflow's step of this kind.
    pub fn step_of(&self, kind: Kind) -> Option<&str> {
        self.workflow.steps.iter().find(|(_, node)| node.kind == kind).map(|(name, _)| name.as_str())
    }

    /// The account that the batch names for `channel`, or the first there is.
    pub(super) fn account<'a>(&self, engine: &'a Engine, channel: &str) -> Option<&'a Account> {
        let wanted = self.batch.accounts.get(channel).map(String::as_str);
        engine.channels.pick(channel, wanted)
    }

    /// What is to be heard of what `account` accepted.
    pub(super) fn receipts(&self, account: &Account) -> Option<Receipts> {
        account.receipts_for(self.batch.without_word)
    }

    /// What expressions and templates of this run see, before a document or a recipient is named.
    pub fn context(&self) -> Context {
        let mut context = json!({
            "business_date": self.business_date,
            "run_date": self.business_date,
            "zone": self.batch.zone.name(),
            "batch": { "name": self.batch.name, "title": self.batch.title },
            "run": { "id": self.run, "batch": self.batch.name, "title": self.batch.title,
                     "business_date": self.business_date, "cause": self.cause },
            "user": self.user,
        });
        for (name, value) in &self.occasion {
            context[name] = value.clone();
        }
        context
    }
}

/// Finds the frozen inputs of `run`.
pub(super) async fn of(engine: &Engine, run: RunId) -> Result<Arc<Frozen>> {
    engine.frozen.try_get_with(run, read(engine, run)).await.map_err(|error: Arc<anyhow::Error>| anyhow!("{error:#}"))
}

async fn read(engine: &Engine, run: RunId) -> Result<Arc<Frozen>> {
    let row = sqlx::query!(
        r#"
        select run.revision as "revision: RevisionId", run.workflow_version, run.business_date, run.cause_key,
               run.attributes, run.params, batch_revision.definition, workflow_version.name as workflow,
               (select jsonb_build_object('event', jsonb_build_object(
                           'type', event.type, 'key', event.key, 'data', event.data, 'received_at', event.received_at))
                  from event
                 where run.cause_kind = 'event' and event.cause_key = run.cause_key) as event,
               (select jsonb_build_object('file', jsonb_build_object(
                           'name', regexp_replace(file.name, '[[:cntrl:]]', '_', 'g'), 'size', file.size, 'digest', file.digest, 'place', file.place,
                           'kept', file.blob is not null))
                  from file
                 where run.cause_kind = 'file' and file.cause_key = run.cause_key) as file
          from run
          join batch_revision on batch_revision.id = run.revision
          join workflow_version on workflow_version.digest = run.workflow_version
         where run.id = $1
        "#,
        run as RunId,
    )
    .fetch_one(&engine.db)
    .await
    .with_context(|| format!("reading run {run}"))?;
    let files = catalog::workflow::files(&engine.db, &engine.toolbox.store, &row.workflow_version).await?;
    let workflow = Workflow::read(&row.workflow, &files).map_err(|faults| anyhow!("{faults:?}"))?;
    Ok(Arc::new(Frozen {
        run,
        revision: row.revision,
        batch: serde_json::from_value(row.definition).with_context(|| format!("the batch of run {run}"))?,
        workflow,
        files,
        business_date: row.business_date,
        cause: row.cause_key,
        user: row.attributes,
        params: serde_json::from_value(row.params).with_context(|| format!("the parameters of run {run}"))?,
        occasion: match row.event.or(row.file) {
            Some(occasion) => serde_json::from_value(occasion).with_context(|| format!("what fired run {run}"))?,
            None => Map::new(),
        },
    }))
}

/// The definition of one revision of a document; it never changes, so it is read once and kept.
pub(super) async fn document(engine: &Engine, revision: DocumentRevisionId) -> Result<Arc<Document>> {
    engine
        .documents
        .try_get_with(revision, read_document(&engine.db, revision))
        .await
        .map_err(|error: Arc<anyhow::Error>| anyhow!("{error:#}"))
}

async fn read_document(db: &PgPool, revision: DocumentRevisionId) -> Result<Arc<Document>> {
    let definition =
        sqlx::query_scalar!("select definition from document_revision where id = $1", revision as DocumentRevisionId,)
            .fetch_one(db)
            .await
            .with_context(|| format!("reading document revision {revision}"))?;
    serde_json::from_value(definition).map(Arc::new).with_context(|| format!("document revision {revision}"))
}
