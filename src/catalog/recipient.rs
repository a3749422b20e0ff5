//! The recipients of one revision of a batch, in rows of their own.

use anyhow::{Context, Result};
use futures::TryStreamExt;
use serde_json::Value;
use sqlx::PgConnection;

use super::Recipient;
use crate::id::RevisionId;

/// Rows written by one statement. More saves round trips and costs memory on both sides.
const CHUNK: usize = 500;

/// Adds all recipients of `revision`, in order.
pub(super) async fn insert(db: &mut PgConnection, revision: RevisionId, recipients: &[Recipient]) -> Result<()> {
    for (chunk, recipients) in recipients.chunks(CHUNK).enumerate() {
        insert_chunk(db, (revision, chunk * CHUNK), recipients).await?;
    }
    Ok(())
}

async fn insert_chunk(
    db: &mut PgConnection,
    (revision, first): (RevisionId, usize),
    recipients: &[Recipient],
) -> Result<()> {
    let names: Vec<String> = recipients.iter().map(|recipient| recipient.name.clone()).collect();
    let contacts = recipients.iter().map(|recipient| serde_json::to_value(&recipient.contacts));
    let params = recipients.iter().map(|recipient| serde_json::to_value(&recipient.params));
    sqlx::query!(
        r#"
        insert into recipient (revision, position, name, contacts, params)
        select $1, $2 + ordinality::integer - 1, name, contacts, params
          from unnest($3::text[], $4::jsonb[], $5::jsonb[])
               with ordinality as given (name, contacts, params, ordinality)
        "#,
        revision as RevisionId,
        i32::try_from(first)?,
        &names,
        &contacts.collect::<Result<Vec<Value>, _>>()?,
        &params.collect::<Result<Vec<Value>, _>>()?,
    )
    .execute(db)
    .await
    .with_context(|| format!("adding recipients of revision {revision}"))?;
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
