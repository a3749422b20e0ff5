//! Sending again what was sent before: the same bytes, or rendered again.
//!
//! The first transmission and its proof stay in the book as they are; each sending again is a transmission of its own
//! that names the first.

use std::collections::BTreeSet;

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::{ActError, audited, lock, retry};
use crate::{
    id::{ItemId, RunId, StepId, TransmissionId},
    queue::{self, Hint},
    run::{Engine, RunState, TransmissionState, frozen, log, notify, record},
    workflow::Kind,
};

/// How a transmission is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// Render the documents anew, from the same frozen inputs, instead of sending the same bytes.
    pub render: bool,
    /// Send it also to a contact to which nothing is sent any more.
    pub despite_suppression: bool,
    /// The same key again is the same wish, and sends nothing more.
    pub key: String,
    pub by: String,
}

/// Sends `transmission` again, as a new one whose id it gives.
///
/// # Errors
/// When the transmission is unknown, still on its way, a notice, or was never rendered and is not to be rendered.
pub async fn resend(engine: &Engine, transmission: TransmissionId, again: &Again) -> Result<TransmissionId, ActError> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to send again")?;
    let run = run_of(&mut db, transmission).await?;
    record::fence(&mut db, &BTreeSet::from([run])).await?;
    lock(&mut db, run).await?;
    let key = format!("again:{transmission}:{}", again.key);
    if let Some(earlier) = find(&mut db, run, &key).await? {
        return Ok(earlier);
    }
    let frozen = frozen::of(engine, run).await?;
    let bare = frozen.batch.documents.is_empty();
    sendable(&mut db, transmission, (again.render, bare)).await?;
    let copy = copy(&mut db, transmission, (&key, again.despite_suppression), now).await?;
    let hints = if again.render && !bare {
        let step = frozen.step_of(Kind::Render).context("a workflow without a step that renders")?;
        render(&mut db, (transmission, copy), &key, (run, step), now).await?
    } else {
        let step = frozen.step_of(Kind::Transmit).context("a workflow without a step that transmits")?;
        same_bytes(&mut db, transmission, copy).await?;
        notify::steps(&mut db, run, step, &[copy], now).await?
    };
    retry::reopen(&mut db, run, RunState::Running).await?;
    queue::push(&mut db, &hints).await?;
    let despite = if again.despite_suppression { ", suppressed or not" } else { "" };
    let text = format!("transmission {transmission} sent again by {} as {copy}{despite}", again.by);
    let data = json!({ "by": again.by, "transmission": transmission, "again": copy, "rendered": again.render,
                       "despite_suppression": again.despite_suppression });
    log::write(&mut db, run, now, ("resent", text, data)).await?;
    let action =
        if again.despite_suppression { "transmission.resent_despite_suppression" } else { "transmission.resent" };
    audited(&mut db, (&again.by, now), action, transmission).await?;
    record::mark(&mut db, run, now).await?;
    db.commit().await.context("sending again")?;
    Ok(copy)
}

async fn run_of(db: &mut PgConnection, transmission: TransmissionId) -> Result<RunId, ActError> {
    sqlx::query_scalar!(
        r#"select run as "run: RunId" from transmission where id = $1 and purpose = 'document'"#,
        transmission as TransmissionId,
    )
    .fetch_optional(db)
    .await
    .context("looking for a transmission")?
    .ok_or(ActError::UnknownTransmission(transmission))
}

async fn find(db: &mut PgConnection, run: RunId, key: &str) -> Result<Option<TransmissionId>, ActError> {
    Ok(sqlx::query_scalar!(
        r#"select id as "id: TransmissionId" from transmission where run = $1 and key = $2"#,
        run as RunId,
        key,
    )
    .fetch_optional(db)
    .await
    .context("looking for an earlier sending")?)
}

async fn sendable(
    db: &mut PgConnection,
    transmission: TransmissionId,
    (render, bare): (bool, bool),
) -> Result<(), ActError> {
    let row = sqlx::query!(
        r#"
        select state as "state: TransmissionState",
               exists (select from transmission_item join item on item.id = transmission_item.item
                        where transmission_item.transmission = transmission.id
                          and item.artifact is null) as "unrendered!",
               message is null and not exists (
                   select from transmission_item
                    where transmission_item.transmission = transmission.id) as "empty!",
               (select max(artifact.purged_at)
                  from transmission_item
                  join item on item.id = transmission_item.item
                  join artifact on artifact.id = item.artifact
                 where transmission_item.transmission = transmission.id) as purged_at
          from transmission
         where id = $1
        "#,
        transmission as TransmissionId,
    )
    .fetch_one(db)
    .await
    .context("reading a transmission")?;
    if matches!(row.state, TransmissionState::Queued | TransmissionState::Sending) {
        return Err(ActError::NotNow(format!("transmission {transmission} is still on its way; wait for its outcome")));
    }
    if row.empty && !bare {
        let text = format!("transmission {transmission} was skipped and carries nothing; correct the batch and run it");
        return Err(ActError::NotNow(text));
    }
    if let Some(at) = row.purged_at.filter(|_| !render) {
        let at = at.date_naive();
        let text = format!("the files of transmission {transmission} were purged on {at}; send it again with `render`");
        return Err(ActError::NotNow(text));
    }
    if row.unrendered && !render {
        let text =
            format!("transmission {transmission} was never rendered; send it again with `render`, or retry the run");
        return Err(ActError::NotNow(text));
    }
    Ok(())
}

async fn copy(
    db: &mut PgConnection,
    transmission: TransmissionId,
    (key, despite_suppression): (&str, bool),
    now: DateTime<Utc>,
) -> Result<TransmissionId, ActError> {
    Ok(sqlx::query_scalar!(
        r#"
        insert into transmission (run, purpose, key, recipient, recipient_name, channel, contact, state, waiting,
                                  message, resend_of, despite_suppression, created_at, changed_at)
        select run, purpose, $2, recipient, recipient_name, channel, contact, 'queued', 0, message, id, $4, $3, $3
          from transmission
         where id = $1
        returning id as "id: TransmissionId"
        "#,
        transmission as TransmissionId,
        key,
        now,
        despite_suppression,
    )
    .fetch_one(db)
    .await
    .context("copying a transmission")?)
}

async fn same_bytes(db: &mut PgConnection, from: TransmissionId, to: TransmissionId) -> Result<(), ActError> {
    sqlx::query!(
        r#"
        insert into transmission_item (transmission, position, item)
        select $2, position, item from transmission_item where transmission = $1
        "#,
        from as TransmissionId,
        to as TransmissionId,
    )
    .execute(db)
    .await
    .context("carrying the same bytes")?;
    Ok(())
}

/// Copies the items, to be rendered anew, and lets the copy wait for them.
async fn render(
    db: &mut PgConnection,
    (from, to): (TransmissionId, TransmissionId),
    key: &str,
    (run, step): (RunId, &str),
    now: DateTime<Utc>,
) -> Result<Vec<Hint>, ActError> {
    let items = sqlx::query_scalar!(
        r#"
        with copied as (
            insert into item (run, key, position, name, revision, params, recipient)
            select item.run, $3 || ':' || item.key, item.position, item.name, item.revision, item.params,
                   item.recipient
              from transmission_item
              join item on item.id = transmission_item.item
             where transmission_item.transmission = $1
            returning id, key
        ), linked as (
            insert into transmission_item (transmission, position, item)
            select $2, transmission_item.position, copied.id
              from transmission_item
              join item on item.id = transmission_item.item
              join copied on copied.key = $3 || ':' || item.key
             where transmission_item.transmission = $1
            returning item
        )
        select item as "item!: ItemId" from linked
        "#,
        from as TransmissionId,
        to as TransmissionId,
        key,
    )
    .fetch_all(&mut *db)
    .await
    .context("copying items")?;
    sqlx::query!(
        "update transmission set waiting = $2 where id = $1",
        to as TransmissionId,
        i32::try_from(items.len()).unwrap_or(i32::MAX),
    )
    .execute(&mut *db)
    .await
    .context("waiting for copied items")?;
    let steps = sqlx::query_scalar!(
        r#"
        insert into step (run, name, kind, item, state, due_at, hinted_at, created_at, changed_at)
        select $1, $2, 'render', id, 'ready', $4, $4, $4, $4 from unnest($3::bigint[]) as copied (id)
        returning id as "id: StepId"
        "#,
        run as RunId,
        step,
        &items.iter().map(|id| id.0).collect::<Vec<_>>(),
        now,
    )
    .fetch_all(db)
    .await
    .context("adding steps for copied items")?;
    Ok(steps.into_iter().map(|id| Hint { kind: Kind::Render, id }).collect())
}
