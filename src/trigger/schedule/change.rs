//! Following the catalogue: what was changed about a batch reaches its schedules, to the instant.
//!
//! What came due before a change is owed as the schedule was then; from the change on, the new one counts. A schedule that
//! stays as it was is left alone, whatever else of its batch changed. One that was changed keeps its place, and with it its
//! pause; its occurrences keep their keys, so that a time that ran already does not run again under another zone.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::{
    owed::{Bound, Look},
    plan,
    row::{self, Row, named},
    settle, write,
};
use crate::{
    catalog::change::{self, Change},
    id::RevisionId,
    run::Engine,
};

/// Batches that are gone through in one transaction.
const SET: i64 = 250;

/// Follows what was changed. False when nothing was, or only about batches that somebody holds.
///
/// # Errors
/// When the database cannot be written; then nothing was followed.
pub(super) async fn follow(engine: &Engine) -> Result<bool> {
    let mut db = engine.db.begin().await.context("beginning to follow changes of batches")?;
    let changes = change::take(&mut db, SET).await?;
    if changes.is_empty() {
        return Ok(false);
    }
    follow_all(&mut db, changes, engine.clock.now()).await?;
    db.commit().await.context("following changes of batches")?;
    Ok(true)
}

/// Follows what was changed about one batch, which the caller holds.
pub(super) async fn follow_one(db: &mut PgConnection, batch: &str, now: DateTime<Utc>) -> Result<()> {
    let changes = change::take_of(db, &[batch.to_owned()]).await?;
    follow_all(db, changes, now).await
}

async fn follow_all(db: &mut PgConnection, changes: Vec<Change>, now: DateTime<Utc>) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let definitions = definitions(db, &changes).await?;
    let mut by_batch: BTreeMap<String, Vec<Change>> = BTreeMap::new();
    for change in changes {
        by_batch.entry(change.batch.clone()).or_default().push(change);
    }
    let names: Vec<_> = by_batch.keys().cloned().collect();
    let mut before: HashMap<String, Vec<Row>> = HashMap::new();
    for row in row::all(db, &names).await? {
        before.entry(row.batch.clone()).or_default().push(row);
    }
    let (mut kept, mut gone) = (Vec::new(), Vec::new());
    for (batch, changes) in by_batch {
        let mut rows = before.remove(&batch).unwrap_or_default();
        let last = changes.last().cloned();
        for change in &changes {
            let wanted = definitions.get(&change.revision).map(Vec::as_slice).unwrap_or_default();
            let Some(last) = &last else { continue };
            let next = applied(db, rows, (change, last), (wanted, now)).await?;
            gone.extend(next.gone);
            rows = next.rows;
        }
        kept.extend(rows);
    }
    refresh(db, &mut kept).await?;
    write::take_away(db, &gone).await?;
    write::schedules(db, &kept).await
}

/// Schedules after a change.
struct Applied {
    rows: Vec<Row>,
    /// The numbers of those that are no more.
    gone: Vec<i64>,
}

/// `last` says whether what is owed can run at all.
async fn applied(
    db: &mut PgConnection,
    rows: Vec<Row>,
    (change, last): (&Change, &Change),
    (wanted, now): (&[Value], DateTime<Utc>),
) -> Result<Applied> {
    let wanted = if change.deleted { &[] } else { wanted };
    let mut matched = matched(rows, wanted);
    let switched = |row: &Row| row.disabled_at.is_none() != change.enabled;
    let over = |row: &Row, stays: bool| !stays || switched(row);
    let mut ending: Vec<_> = matched.same.iter().flatten().filter(|row| over(row, true)).cloned().collect();
    ending.extend(matched.other.iter().flatten().chain(&matched.gone).filter(|row| over(row, false)).cloned());
    settle_until(db, ending, (change.at, last), now).await?;

    let mut next = Vec::with_capacity(wanted.len());
    for (position, definition) in wanted.iter().enumerate() {
        let same = matched.same[position].take();
        let stays = same.is_some();
        let mut row = same.or_else(|| matched.other[position].take()).unwrap_or_else(|| fresh(change));
        if !stays || switched(&row) {
            row.after_at = row.after_at.max(change.at);
        }
        if !stays {
            row.failures = 0;
        }
        row.key_zone = plan::key_zone(&wanted[0], definition);
        row.revision = change.revision;
        row.position = i32::try_from(position).unwrap_or(i32::MAX);
        row.definition = definition.clone();
        match (change.enabled, row.disabled_at) {
            (true, None) => row.enabled_at = row.enabled_at.or(Some(change.at)),
            (true, Some(_)) => (row.enabled_at, row.disabled_at, row.disabled_by) = (Some(change.at), None, None),
            (false, None) => {
                (row.enabled_at, row.disabled_at, row.disabled_by) = (None, Some(change.at), Some(change.by.clone()));
            }
            (false, Some(_)) => {}
        }
        next.push(row);
    }
    Ok(Applied { rows: next, gone: matched.gone.iter().map(|row| row.id).filter(|id| *id != 0).collect() })
}

/// Settles what `rows` owe up to `at`. Where the batch cannot run any more, that is why they do not.
async fn settle_until(
    db: &mut PgConnection,
    mut rows: Vec<Row>,
    (at, last): (DateTime<Utc>, &Change),
    now: DateTime<Utc>,
) -> Result<()> {
    for row in rows.iter_mut().filter(|row| row.disabled_at.is_none() && !last.enabled) {
        (row.disabled_at, row.disabled_by) = (Some(last.at), Some(last.by.clone()));
    }
    rows.retain(|row| row.fault.is_none() && row.after_at < at);
    let look = Look { now, bound: Bound::At(at.min(now)) };
    while !rows.is_empty() && settle::settle(db, &mut rows, &look).await? {}
    Ok(())
}

/// Schedules before a change, by their places after it.
struct Matched {
    /// The same definition, by its new place.
    same: Vec<Option<Row>>,
    /// Another definition in the same place.
    other: Vec<Option<Row>>,
    gone: Vec<Row>,
}

fn matched(mut rows: Vec<Row>, wanted: &[Value]) -> Matched {
    let mut same: Vec<Option<Row>> = vec![None; wanted.len()];
    for (position, definition) in wanted.iter().enumerate() {
        let in_place = |row: &Row| usize::try_from(row.position) == Ok(position);
        let mut fits: Vec<_> = (0..rows.len()).filter(|at| rows[*at].definition == *definition).collect();
        fits.sort_by_key(|at| !in_place(&rows[*at]));
        same[position] = fits.first().map(|at| rows.remove(*at));
    }
    let mut other: Vec<Option<Row>> = vec![None; wanted.len()];
    let mut gone = Vec::new();
    for row in rows {
        let place = usize::try_from(row.position).ok().filter(|place| same.get(*place).is_some_and(Option::is_none));
        match place {
            Some(place) => other[place] = Some(row),
            None => gone.push(row),
        }
    }
    Matched { same, other, gone }
}

/// A schedule that was not there before: it owes nothing from before it was written.
fn fresh(change: &Change) -> Row {
    Row {
        id: 0,
        batch: change.batch.clone(),
        revision: change.revision,
        position: 0,
        definition: Value::Null,
        key_zone: None,
        after_at: change.at,
        next_key: None,
        next_at: None,
        fault: None,
        enabled_at: None,
        disabled_at: None,
        disabled_by: None,
        paused_at: None,
        paused_by: None,
        paused_note: None,
        failures: 0,
    }
}

/// Finds out what is next for `rows`.
async fn refresh(db: &mut PgConnection, rows: &mut [Row]) -> Result<()> {
    let plans = plan::all(db, &named(rows)).await?;
    for (row, plan) in rows.iter_mut().zip(plans) {
        let next = plan.map(|plan| plan.after(row.after_at).next());
        row.fault = next.as_ref().err().cloned();
        if let Some(fault) = &row.fault {
            tracing::error!(
                batch = row.batch,
                schedule = row.position,
                fault,
                "a schedule cannot be read; it does not fire"
            );
        }
        let next = next.ok().flatten().map(|next| (next.occurrence.key, next.due_at));
        (row.next_key, row.next_at) = next.unzip();
    }
    Ok(())
}

/// The schedules in the revisions that `changes` lead to.
async fn definitions(db: &mut PgConnection, changes: &[Change]) -> Result<HashMap<RevisionId, Vec<Value>>> {
    let rows = sqlx::query!(
        r#"
        select id as "id: RevisionId", definition -> 'schedule' as schedule from batch_revision where id = any($1)
        "#,
        &changes.iter().map(|change| change.revision.0).collect::<Vec<_>>(),
    )
    .fetch_all(db)
    .await
    .context("reading the schedules of batches")?;
    let list = |value: Option<Value>| match value {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    Ok(rows.into_iter().map(|row| (row.id, list(row.schedule))).collect())
}
