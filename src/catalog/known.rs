//! What a batch may refer to.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use anyhow::{Context, Result};
use sqlx::PgPool;

use super::input;
use crate::{contact::Country, document::Document, source::place::Places};

/// The things that are there, as far as one batch asks for them.
#[derive(Debug, Clone, Default)]
pub struct Known {
    pub workflows: BTreeSet<String>,
    /// The paths of the files in the batch's workflow, which templates are among.
    pub files: BTreeSet<String>,
    /// Users by name, and whether they are enabled.
    pub users: BTreeMap<String, bool>,
    pub documents: BTreeMap<String, Document>,
    pub batches: BTreeSet<String>,
    pub calendars: BTreeSet<String>,
    /// Channels by the names of their accounts.
    pub accounts: BTreeMap<String, String>,
    /// Where files may come in.
    pub places: Arc<Places>,
    /// The registered databases.
    pub data: Vec<String>,
    /// Where numbers are that do not say.
    pub country: Option<Country>,
}

/// What the settings bring along for batches to name.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// Channels by the names of their accounts.
    pub accounts: BTreeMap<String, String>,
    /// Where files may come in.
    pub places: Arc<Places>,
    /// The registered databases.
    pub data: Vec<String>,
    /// Where numbers are that do not say.
    pub country: Option<Country>,
}

/// Looks up what `batch` names.
pub async fn known(db: &PgPool, batch: &input::Batch, outside: &Outside) -> Result<Known> {
    let named: Vec<String> = batch.documents.iter().flatten().filter_map(|entry| entry.document.clone()).collect();
    Ok(Known {
        workflows: workflows(db).await?,
        files: files(db, batch.workflow.as_deref()).await?,
        users: user(db, batch.run_as.as_deref()).await?,
        documents: documents(db, &named).await?,
        batches: batches(db, &named).await?,
        calendars: calendars(db).await?,
        accounts: outside.accounts.clone(),
        places: outside.places.clone(),
        data: outside.data.clone(),
        country: outside.country,
    })
}

async fn workflows(db: &PgPool) -> Result<BTreeSet<String>> {
    let names = sqlx::query_scalar!("select name from workflow where name <> 'monitors'").fetch_all(db).await;
    Ok(names.context("reading the names of workflows")?.into_iter().collect())
}

async fn files(db: &PgPool, workflow: Option<&str>) -> Result<BTreeSet<String>> {
    let paths = sqlx::query_scalar!(
        r#"
        select jsonb_object_keys(workflow_version.files) as "path!"
          from workflow
          join workflow_version on workflow_version.digest = workflow.current
         where workflow.name = $1
        "#,
        workflow,
    )
    .fetch_all(db)
    .await;
    Ok(paths.context("reading the files of a workflow")?.into_iter().collect())
}

async fn user(db: &PgPool, name: Option<&str>) -> Result<BTreeMap<String, bool>> {
    let user = sqlx::query!(r#"select name, enabled from "user" where name = $1"#, name).fetch_optional(db).await;
    Ok(user.context("looking up a user")?.into_iter().map(|user| (user.name, user.enabled)).collect())
}

async fn documents(db: &PgPool, names: &[String]) -> Result<BTreeMap<String, Document>> {
    let rows = sqlx::query!(
        r#"
        select document.name, document_revision.definition
          from document
          join document_revision on document_revision.id = document.current
         where document.name = any($1) and document.deleted_at is null
        "#,
        names,
    )
    .fetch_all(db)
    .await
    .context("looking up documents")?;
    let read = |definition| serde_json::from_value(definition).context("reading a document's definition");
    rows.into_iter().map(|row| Ok((row.name, read(row.definition)?))).collect()
}

async fn calendars(db: &PgPool) -> Result<BTreeSet<String>> {
    let names = sqlx::query_scalar!("select name from calendar").fetch_all(db).await;
    Ok(names.context("reading the names of calendars")?.into_iter().collect())
}

async fn batches(db: &PgPool, names: &[String]) -> Result<BTreeSet<String>> {
    let names = sqlx::query_scalar!("select name from batch where name = any($1) and deleted_at is null", names)
        .fetch_all(db)
        .await;
    Ok(names.context("looking up batches")?.into_iter().collect())
}
