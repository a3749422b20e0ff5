//! The workflows an installation has, kept in the database so that every node works from the same files.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::{
    document::Store,
    workflow::{Fault, Files, Folder, Workflow},
};

/// Checks all `folders` and returns the faults of all of them.
pub fn check(folders: &[Folder]) -> Vec<Fault> {
    folders.iter().filter_map(|folder| Workflow::read(&folder.name, &folder.files).err()).flatten().collect()
}

/// Makes `folders` the current workflows. Files that are there already are not written again; runs keep the version
/// they began with.
///
/// # Errors
/// When the database or the store cannot be written.
pub async fn register(db: &PgPool, store: &Store, folders: &[Folder], now: DateTime<Utc>) -> Result<()> {
    for folder in folders {
        let digest = folder.files.digest();
        if !is_known(db, digest).await? {
            add(db, store, folder, now).await?;
        }
        sqlx::query!(
            r#"
            insert into workflow (name, current, changed_at)
            values ($1, $2, $3)
            on conflict (name) do update set current = $2, changed_at = $3 where workflow.current <> $2
            "#,
            folder.name,
            digest,
            now,
        )
        .execute(db)
        .await
        .with_context(|| format!("registering the workflow {}", folder.name))?;
    }
    Ok(())
}

async fn is_known(db: &PgPool, digest: &str) -> Result<bool> {
    let known = sqlx::query_scalar!("select digest from workflow_version where digest = $1", digest)
        .fetch_optional(db)
        .await
        .context("looking for a version of a workflow")?;
    Ok(known.is_some())
}

async fn add(db: &PgPool, store: &Store, folder: &Folder, now: DateTime<Utc>) -> Result<()> {
    let mut files = BTreeMap::new();
    for (path, bytes) in folder.files.entries() {
        files.insert(path, store.put(bytes, now).await?);
    }
    let definition = folder.files.get("workflow.toml").map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default();
    sqlx::query!(
        r#"
        insert into workflow_version (digest, name, definition, files, registered_at)
        values ($1, $2, $3, $4, $5)
        on conflict (digest) do nothing
        "#,
        folder.files.digest(),
        folder.name,
        definition.as_ref(),
        serde_json::to_value(files)?,
        now,
    )
    .execute(db)
    .await
    .with_context(|| format!("adding a version of the workflow {}", folder.name))?;
    Ok(())
}

/// The files of one version.
///
/// # Errors
/// When the database or the store cannot be read.
pub async fn files(db: &PgPool, store: &Store, version: &str) -> Result<Files> {
    let row = sqlx::query_scalar!("select files from workflow_version where digest = $1", version)
        .fetch_one(db)
        .await
        .context("reading a version of a workflow")?;
    let digests: BTreeMap<String, String> = serde_json::from_value(row).context("the files of a workflow")?;
    let mut files = Vec::with_capacity(digests.len());
    for (path, digest) in digests {
        files.push((path, store.get(&digest).await?));
    }
    Ok(files.into_iter().collect())
}
