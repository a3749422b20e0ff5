//! Batches as they stand now: what a run that begins now takes with it.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, anyhow};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::{Engine, frozen::Frozen};
use crate::{
    catalog::{self, Batch},
    id::{RevisionId, RunId},
    workflow::Workflow,
};

/// A batch as it stands now.
pub(super) struct Current {
    pub revision: RevisionId,
    pub batch: Batch,
    pub enabled: bool,
    pub version: String,
    workflow: String,
    /// Its workflow's first step.
    pub start: String,
    pub attributes: Value,
}

impl Current {
    /// The date a run is about when nobody names one.
    pub(super) fn today(&self, now: DateTime<Utc>) -> NaiveDate {
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
pub(super) async fn one(db: &mut PgConnection, name: &str) -> Result<Option<Current>> {
    all(db, &HashSet::from([name])).await?.remove(name).transpose()
}

/// Reads the current versions of the batches `names`, by name. Those that are unknown or deleted are not among them; one
/// that cannot be read does not stand in the way of the others.
pub(super) async fn all(db: &mut PgConnection, names: &HashSet<&str>) -> Result<HashMap<String, Result<Current>>> {
    let rows = sqlx::query!(
        r#"
        select batch.name, batch_revision.id as "revision: RevisionId", batch_revision.definition, batch.enabled,
               batch_revision.workflow, workflow.current as version, workflow_version.definition as graph,
               batch_revision.run_as, "user".title, "user".attributes
          from batch
          join batch_revision on batch_revision.id = batch.current
          join workflow on workflow.name = batch_revision.workflow
          join workflow_version on workflow_version.digest = workflow.current
          join "user" on "user".name = batch_revision.run_as
         where batch.name = any($1) and batch.deleted_at is null
        "#,
        &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(),
    )
    .fetch_all(db)
    .await
    .context("reading batches")?;
    let mut starts: HashMap<String, String> = HashMap::new();
    let mut all = HashMap::with_capacity(rows.len());
    for row in rows {
        let start = match starts.get(&row.version) {
            Some(start) => start.clone(),
            None => starts.entry(row.version.clone()).or_insert(first_step(&row.graph)?).clone(),
        };
        let batch = serde_json::from_value(row.definition).with_context(|| format!("reading batch {}", row.name));
        let current = batch.map(|batch| Current {
            revision: row.revision,
            batch,
            enabled: row.enabled,
            start,
            version: row.version,
            workflow: row.workflow,
            attributes: user(&row.run_as, &row.title, row.attributes),
        });
        all.insert(row.name, current);
    }
    Ok(all)
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
