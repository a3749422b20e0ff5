//! One chunk of a run's rows, each under its natural key: written again, they are found and left alone.

use std::collections::HashMap;

use anyhow::{Context, Result, anyhow};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use crate::{
    id::{ItemId, RunId},
    reason::Reason,
    run::plan::{Planned, PlannedItem},
};

/// Writes the items that `shared` does not know yet, and adds their ids to it.
pub(super) async fn items(
    db: &mut PgConnection,
    run: RunId,
    planned: &[Planned],
    shared: &mut HashMap<String, ItemId>,
) -> Result<()> {
    let mut fresh: HashMap<&str, &PlannedItem> = HashMap::new();
    for item in planned.iter().flat_map(|planned| &planned.items) {
        if !shared.contains_key(&item.key) {
            fresh.insert(&item.key, item);
        }
    }
    if fresh.is_empty() {
        return Ok(());
    }
    let items: Vec<_> = fresh.into_values().collect();
    let rows = sqlx::query!(
        r#"
        insert into item (run, key, position, name, revision, params, recipient, reason)
        select $1, key, position, name, revision, params, recipient, reason
          from unnest($2::text[], $3::integer[], $4::text[], $5::bigint[], $6::jsonb[], $7::bigint[], $8::jsonb[])
               as planned (key, position, name, revision, params, recipient, reason)
        on conflict on constraint item_key_is_unique_in_its_run do update set key = excluded.key
        returning key, id as "id: ItemId"
        "#,
        run as RunId,
        &items.iter().map(|item| item.key.clone()).collect::<Vec<_>>(),
        &items.iter().map(|item| item.position).collect::<Vec<_>>(),
        &items.iter().map(|item| item.name.clone()).collect::<Vec<_>>(),
        &items.iter().map(|item| item.revision.0).collect::<Vec<_>>(),
        &items.iter().map(|item| item.params.clone()).collect::<Vec<_>>(),
        &items.iter().map(|item| item.recipient.map(|id| id.0)).collect::<Vec<_>>() as &[Option<i64>],
        &reasons(items.iter().map(|item| &item.reason))? as &[Option<Value>],
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("writing items of run {run}"))?;
    shared.extend(rows.into_iter().map(|row| (row.key, row.id)));
    Ok(())
}

fn reasons<'a>(reasons: impl Iterator<Item = &'a Option<Reason>>) -> Result<Vec<Option<Value>>> {
    reasons.map(|reason| Ok(reason.as_ref().map(serde_json::to_value).transpose()?)).collect()
}

/// Writes the transmissions, and which items each of them carries.
///
/// One statement, so that links find the numbers of what was just written. Looked up in the table they would be found by
/// reading all that the run has written before, for as long as Postgres takes it for small.
pub(super) async fn transmissions(
    db: &mut PgConnection,
    run: RunId,
    (planned, items): (&[Planned], &HashMap<String, ItemId>),
    now: DateTime<Utc>,
) -> Result<()> {
    let rows: Vec<_> = planned
        .iter()
        .flat_map(|planned| planned.transmissions.iter().map(move |transmission| (&planned.recipient, transmission)))
        .collect();
    let Links { keys, positions, ids } = Links::of(planned, items)?;
    sqlx::query!(
        r#"
        with written as (
            insert into transmission (run, purpose, key, recipient, recipient_name, channel, contact, state, waiting,
                                      reason, once, created_at, changed_at)
            select $1, 'document', key, recipient, recipient_name, channel, contact, state, waiting, reason, once, $2, $2
              from unnest($3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::integer[],
                          $10::jsonb[], $11::text[])
                   as planned (key, recipient, recipient_name, channel, contact, state, waiting, reason, once)
            on conflict on constraint transmission_key_is_unique_in_its_run do nothing
            returning id, key
        )
        insert into transmission_item (transmission, position, item)
        select written.id, link.position, link.item
          from unnest($12::text[], $13::integer[], $14::bigint[]) as link (key, position, item)
          join written on written.key = link.key
        "#,
        run as RunId,
        now,
        &rows.iter().map(|(_, transmission)| transmission.key.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|(recipient, _)| recipient.id.0).collect::<Vec<_>>(),
        &rows.iter().map(|(recipient, _)| recipient.name.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, transmission)| transmission.channel.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, transmission)| transmission.contact.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, transmission)| transmission.state.name().to_owned()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, transmission)| transmission.items.len() as i32).collect::<Vec<_>>(),
        &reasons(rows.iter().map(|(_, transmission)| &transmission.reason))? as &[Option<Value>],
        &rows.iter().map(|(_, transmission)| transmission.once.clone()).collect::<Vec<_>>() as &[Option<String>],
        &keys,
        &positions,
        &ids,
    )
    .execute(db)
    .await
    .with_context(|| format!("writing transmissions of run {run}"))?;
    Ok(())
}

/// Which transmission carries which items, as columns.
struct Links {
    keys: Vec<String>,
    positions: Vec<i32>,
    ids: Vec<i64>,
}

impl Links {
    fn of(planned: &[Planned], items: &HashMap<String, ItemId>) -> Result<Self> {
        let mut links = Self { keys: Vec::new(), positions: Vec::new(), ids: Vec::new() };
        for transmission in planned.iter().flat_map(|planned| &planned.transmissions) {
            for (position, key) in (0_i32..).zip(&transmission.items) {
                links.keys.push(transmission.key.clone());
                links.positions.push(position);
                links.ids.push(items.get(key).ok_or_else(|| anyhow!("item {key} was not written"))?.0);
            }
        }
        Ok(links)
    }
}
