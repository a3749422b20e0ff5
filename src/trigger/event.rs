//! Events: something happened elsewhere, and batches that subscribe run once for it.
//!
//! An event is stored first and fired then, each subscriber under the cause key of the event. Whoever is told of it a
//! second time finds what came of it; what a crash left unfired is fired by the next sweep. Called by the doors.

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sqlx::{PgConnection, PgPool};

use crate::{
    audit::{self, Author, Deed},
    catalog::EventTrigger,
    config,
    id::RunId,
    run::{self, Cause, CauseKind, Engine, Start, StartError},
};

/// What a program tells of.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    pub kind: String,
    /// The same type and key again is the same event.
    pub key: String,
    pub data: Map<String, Value>,
}

/// An event, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Event {
    pub id: i64,
    #[serde(rename = "type")]
    #[schema(example = "campaign.ended")]
    pub kind: String,
    #[schema(example = "17")]
    pub key: String,
    #[schema(value_type = Object)]
    pub data: Value,
    pub received_at: DateTime<Utc>,
    pub received_by: String,
    /// One for each batch that subscribes.
    pub runs: Vec<EventRun>,
    /// Says so when nobody subscribes.
    pub note: Option<String>,
}

/// What a batch made of an event.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct EventRun {
    pub batch: String,
    #[schema(value_type = Option<i64>)]
    pub run: Option<RunId>,
    /// Why there is no run.
    pub reason: Option<String>,
}

/// How old an unfired event is when its node is taken to be gone.
const GRACE: TimeDelta = TimeDelta::seconds(10);

/// Events that are fired or thrown away in one go.
const CHUNK: i64 = 100;

/// Stores an event and starts the runs of those who subscribe, or finds what came of it before.
///
/// # Errors
/// When the database cannot be written. A stored event is fired by the next sweep then.
pub async fn receive(engine: &Engine, author: &Author, new: NewEvent) -> Result<Event> {
    if insert(&engine.db, author, &new).await? {
        let object = format!("{} {}", new.kind, new.key);
        let deed = Deed { action: "event.received", object: &object, detail: json!({}) };
        audit::note(&engine.db, author, deed).await?;
    }
    let stored = find(&engine.db, &new.kind, &new.key).await?.context("an event that was stored is gone")?;
    if stored.fired_at.is_none() {
        fire(engine, &stored).await?;
    }
    let told = list(&engine.db, None, (Some(stored.id + 1), 1)).await?;
    told.into_iter().next().context("an event that was stored is gone")
}

/// Fires what a node that is gone has left.
///
/// # Errors
/// When the database cannot be reached.
pub async fn sweep(engine: &Engine) -> Result<()> {
    let mut fired = Ok(());
    for stored in unfired(&engine.db, engine.clock.now() - GRACE).await? {
        fired = fire(engine, &stored).await.and(fired);
    }
    fired
}

/// An event as it was stored.
struct Stored {
    id: i64,
    kind: String,
    data: Value,
    cause_key: String,
    received_by: String,
    fired_at: Option<DateTime<Utc>>,
}

/// A subscriber that cannot be started now does not stand in the way of the others; the event stays unfired for it.
async fn fire(engine: &Engine, event: &Stored) -> Result<()> {
    let mut fault = None;
    for (batch, triggers) in subscribers(&engine.db, &event.kind).await? {
        let fits = |trigger: &&EventTrigger| trigger.kind == event.kind && holds(&event.data, &trigger.data);
        let Some(trigger) = triggers.iter().find(fits) else { continue };
        let cause = Cause { kind: CauseKind::Event, key: event.cause_key.clone(), by: Some(event.received_by.clone()) };
        let params = trigger.params.clone().into_iter().collect();
        let start = Start { batch: batch.clone(), cause, date: None, params, hold: false };
        let (run, reason) = match run::start(engine, start).await {
            Ok(started) => (Some(started.run), None),
            Err(StartError::Fault(error)) => {
                fault = Some(error.context(format!("starting a run of {batch} for an event")));
                continue;
            }
            Err(refusal) => (None, Some(refusal.to_string())),
        };
        note(&engine.db, event.id, (&batch, run, reason)).await?;
    }
    if let Some(fault) = fault {
        return Err(fault);
    }
    let now = engine.clock.now();
    sqlx::query!("update event set fired_at = $2 where id = $1 and fired_at is null", event.id, now)
        .execute(&engine.db)
        .await
        .with_context(|| format!("noting that event {} is fired", event.id))?;
    Ok(())
}

/// Whether `data` has everything in `wanted`.
fn holds(data: &Value, wanted: &Map<String, Value>) -> bool {
    wanted.iter().all(|(key, value)| match (data.get(key), value) {
        (Some(found), Value::Object(inner)) => holds(found, inner),
        (found, value) => found == Some(value),
    })
}

/// False when it was there already.
async fn insert(db: &PgPool, author: &Author, new: &NewEvent) -> Result<bool> {
    let inserted = sqlx::query!(
        r#"
        insert into event (type, key, data, received_at, received_by)
        values ($1, $2, $3, $4, $5)
        on conflict on constraint event_key do nothing
        "#,
        new.kind,
        new.key,
        Value::Object(new.data.clone()),
        author.at,
        author.name,
    )
    .execute(db)
    .await
    .context("storing an event")?;
    Ok(inserted.rows_affected() > 0)
}

async fn find(db: &PgPool, kind: &str, key: &str) -> Result<Option<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"
        select id, type as kind, data, cause_key as "cause_key!", received_by, fired_at
          from event
         where type = $1 and key = $2
        "#,
        kind,
        key,
    )
    .fetch_optional(db)
    .await
    .context("looking for an event")
}

async fn unfired(db: &PgPool, before: DateTime<Utc>) -> Result<Vec<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"
        select id, type as kind, data, cause_key as "cause_key!", received_by, fired_at
          from event
         where fired_at is null and received_at < $1
         order by id
         limit $2
        "#,
        before,
        CHUNK,
    )
    .fetch_all(db)
    .await
    .context("looking for events that were not fired")
}

/// The batches that may subscribe to events of this type, with their triggers. Disabled ones are among them: they are
/// told of in the answer.
async fn subscribers(db: &PgPool, kind: &str) -> Result<Vec<(String, Vec<EventTrigger>)>> {
    let rows = sqlx::query!(
        r#"
        select batch.name, batch_revision.definition -> 'event' as "triggers!"
          from batch
          join batch_revision on batch_revision.id = batch.current
         where batch.deleted_at is null
           and batch_revision.definition ? 'event'
           and batch_revision.definition -> 'event' @> jsonb_build_array(jsonb_build_object('type', $1::text))
         order by batch.name
        "#,
        kind,
    )
    .fetch_all(db)
    .await
    .context("looking for batches that subscribe to an event")?;
    let read = |name: &str, triggers| {
        serde_json::from_value(triggers).with_context(|| format!("reading the triggers of batch {name}"))
    };
    rows.into_iter().map(|row| Ok((row.name.clone(), read(&row.name, row.triggers)?))).collect()
}

async fn note(db: &PgPool, event: i64, (batch, run, reason): (&str, Option<RunId>, Option<String>)) -> Result<()> {
    sqlx::query!(
        r#"
        insert into event_batch (event, batch, run, reason)
        values ($1, $2, $3, $4)
        on conflict on constraint event_batch_pkey do nothing
        "#,
        event,
        batch,
        run as Option<RunId>,
        reason,
    )
    .execute(db)
    .await
    .with_context(|| format!("noting what batch {batch} made of event {event}"))?;
    Ok(())
}

/// The events of a type, or all, the latest first: `limit` of those before the number `before`.
///
/// # Errors
/// When the database cannot be read.
pub async fn list(db: &PgPool, kind: Option<&str>, (before, limit): (Option<i64>, i64)) -> Result<Vec<Event>> {
    let mut db = db.acquire().await.context("connecting to list events")?;
    let rows = sqlx::query!(
        r#"
        select id, type as kind, key, data, received_at, received_by, fired_at
          from event
         where ($1::text is null or type = $1)
           and ($2::bigint is null or id < $2)
         order by id desc
         limit $3
        "#,
        kind,
        before,
        limit,
    )
    .fetch_all(&mut *db)
    .await
    .context("listing events")?;
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        let runs = runs(&mut db, row.id).await?;
        let alone = runs.is_empty() && row.fired_at.is_some();
        events.push(Event {
            note: alone.then(|| format!("no batch subscribes to this event of the type `{}`", row.kind)),
            id: row.id,
            kind: row.kind,
            key: row.key,
            data: row.data,
            received_at: row.received_at,
            received_by: row.received_by,
            runs,
        });
    }
    Ok(events)
}

async fn runs(db: &mut PgConnection, event: i64) -> Result<Vec<EventRun>> {
    sqlx::query_as!(
        EventRun,
        r#"select batch, run as "run: RunId", reason from event_batch where event = $1 order by batch"#,
        event,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading what came of event {event}"))
}

/// Throws away a chunk of events as old as runs that are thrown away, once they have no runs. False when none is left.
pub(super) async fn purge(engine: &Engine, keep: &config::Retention) -> Result<bool> {
    let Some(before) = keep.runs.before(engine.clock.now()) else { return Ok(false) };
    let purged = sqlx::query!(
        r#"
        delete from event
         where id in (select id from event
                       where received_at < $1 and fired_at is not null
                         and not exists (select from event_batch
                                           join run on run.id = event_batch.run
                                          where event_batch.event = event.id)
                       order by received_at
                       limit $2)
        "#,
        before,
        CHUNK,
    )
    .execute(&engine.db)
    .await
    .context("throwing old events away")?;
    Ok(purged.rows_affected() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_fits_when_its_data_hold_what_is_wanted() {
        let data = json!({ "client": "acme", "size": { "n": 3, "unit": "m" }, "tags": ["a"] });
        let holds = |wanted: Value| super::holds(&data, wanted.as_object().unwrap());
        for wanted in [json!({}), json!({ "client": "acme" }), json!({ "size": { "n": 3 } }), json!({ "tags": ["a"] })]
        {
            assert!(holds(wanted.clone()), "{wanted}");
        }
        for wanted in [json!({ "client": "Acme" }), json!({ "size": { "n": 4 } }), json!({ "other": null })] {
            assert!(!holds(wanted.clone()), "{wanted}");
        }
    }
}
