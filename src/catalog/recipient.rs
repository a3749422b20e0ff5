//! The recipients of one revision of a batch, and those that an audience gave to one run, in rows of their own.

use anyhow::{Context, Result};
use futures::TryStreamExt;
use serde_json::Value;
use sqlx::PgConnection;

use super::Recipient;
use crate::id::{RevisionId, RunId};

/// Rows written by one statement. More saves round trips and costs memory on both sides.
const CHUNK: usize = 500;

/// Adds all recipients of `revision`, in order.
pub(super) async fn insert(db: &mut PgConnection, revision: RevisionId, recipients: &[Recipient]) -> Result<()> {
    for (chunk, recipients) in recipients.chunks(CHUNK).enumerate() {
        let first = i32::try_from(chunk * CHUNK)?;
        insert_chunk(db, ((Some(revision), None), first), recipients).await?;
    }
    Ok(())
}

/// Adds recipients to `run`, which alone they belong to, from the place `first` on.
///
/// # Errors
/// When the database cannot be written.
pub async fn gather(db: &mut PgConnection, (run, first): (RunId, i32), recipients: &[Recipient]) -> Result<()> {
    insert_chunk(db, ((None, Some(run)), first), recipients).await
}

/// Takes up to `most` recipients away from `run`, and gives how many they were.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget(db: &mut PgConnection, run: RunId, most: i64) -> Result<u64> {
    let gone = sqlx::query!(
        "delete from recipient where id in (select id from recipient where run = $1 limit $2)",
        run as RunId,
        most,
    )
    .execute(db)
    .await
    .with_context(|| format!("removing recipients of run {run}"))?;
    Ok(gone.rows_affected())
}

/// How many recipients `revision` lists.
///
/// # Errors
/// When the database cannot be read.
pub async fn count(db: &mut PgConnection, revision: RevisionId) -> Result<i32> {
    sqlx::query_scalar!(
        r#"select count(*)::integer as "count!" from recipient where revision = $1"#,
        revision as RevisionId
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("counting recipients of revision {revision}"))
}

/// A revision, or else a run.
type Owner = (Option<RevisionId>, Option<RunId>);

async fn insert_chunk(
    db: &mut PgConnection,
    ((revision, run), first): (Owner, i32),
    recipients: &[Recipient],
) -> Result<()> {
    let names: Vec<String> = recipients.iter().map(|recipient| recipient.name.clone()).collect();
    let contacts = recipients.iter().map(|recipient| serde_json::to_value(&recipient.contacts));
    let params = recipients.iter().map(|recipient| serde_json::to_value(&recipient.params));
    sqlx::query!(
        r#"
        insert into recipient (revision, run, position, name, contacts, params)
        select $1::bigint, $6::bigint, $2 + ordinality::integer - 1, name, contacts, params
          from unnest($3::text[], $4::jsonb[], $5::jsonb[])
               with ordinality as given (name, contacts, params, ordinality)
        "#,
        revision as Option<RevisionId>,
        first,
        &names,
        &contacts.collect::<Result<Vec<Value>, _>>()?,
        &params.collect::<Result<Vec<Value>, _>>()?,
        run as Option<RunId>,
    )
    .execute(db)
    .await
    .context("adding recipients")?;
    Ok(())
}

/// Whether the recipients of `revision` are exactly these, in this order.
pub(super) async fn same(
    db: &mut PgConnection,
    revision: Option<RevisionId>,
    recipients: &[Recipient],
) -> Result<bool> {
    let Some(revision) = revision else { return Ok(false) };
    let mut kept = sqlx::query!(
        "select name, contacts, params from recipient where revision = $1 order by position",
        revision as RevisionId,
    )
    .fetch(db);
    let mut expected = recipients.iter();
    while let Some(row) = kept.try_next().await.with_context(|| format!("comparing recipients of {revision}"))? {
        let row = read(row.name, row.contacts, row.params)?;
        if expected.next() != Some(&row) {
            return Ok(false);
        }
    }
    Ok(expected.next().is_none())
}

/// All recipients of `revision`, in order.
pub(super) async fn all(db: &mut PgConnection, revision: RevisionId) -> Result<Vec<Recipient>> {
    let rows = sqlx::query!(
        "select name, contacts, params from recipient where revision = $1 order by position",
        revision as RevisionId,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading recipients of revision {revision}"))?;
    rows.into_iter().map(|row| read(row.name, row.contacts, row.params)).collect()
}

fn read(name: String, contacts: Value, params: Value) -> Result<Recipient> {
    Ok(Recipient {
        contacts: serde_json::from_value(contacts).with_context(|| format!("the contacts of {name}"))?,
        params: serde_json::from_value(params).with_context(|| format!("the parameters of {name}"))?,
        name,
    })
}
