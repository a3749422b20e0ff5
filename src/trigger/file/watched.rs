//! Which places are watched, and for which batches.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use sqlx::PgPool;

use crate::{catalog::FileTrigger, source::place::Address};

/// A place and who wants its files.
#[derive(Debug)]
pub(super) struct Watched {
    pub address: Address,
    /// In the order of the batches' names; a file is for the first whose pattern its name fits.
    pub wishes: Vec<(String, FileTrigger)>,
}

/// What the batches that are enabled watch, by the names of the places.
pub(super) async fn watched(db: &PgPool) -> Result<BTreeMap<String, Watched>> {
    let rows = sqlx::query!(
        r#"
        select batch.name, batch_revision.definition -> 'file' as "triggers!"
          from batch
          join batch_revision on batch_revision.id = batch.current
         where batch.enabled and batch.deleted_at is null and batch_revision.definition ? 'file'
         order by batch.name
        "#,
    )
    .fetch_all(db)
    .await
    .context("reading which places are watched")?;
    let mut watched = BTreeMap::new();
    for row in rows {
        let triggers: Vec<FileTrigger> = serde_json::from_value(row.triggers)
            .with_context(|| format!("reading the triggers of batch {}", row.name))?;
        for trigger in triggers {
            let address = trigger.place.clone();
            let place = watched.entry(address.to_string()).or_insert(Watched { address, wishes: Vec::new() });
            place.wishes.push((row.name.clone(), trigger));
        }
    }
    Ok(watched)
}
