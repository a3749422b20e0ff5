//! Writing what was decided, in one statement for many.

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{decide::Case, row::Row};
use crate::id::RunId;

/// An occurrence and what became of it.
#[derive(Debug)]
pub(super) struct Decided<'a> {
    pub case: &'a Case,
    pub state: &'static str,
    pub reason: Option<Value>,
    pub run: Option<RunId>,
    /// What is to be noted besides what its rule says.
    pub notes: Vec<Value>,
}

/// Writes occurrences. One that was skipped or missed before becomes what is said now.
pub(super) async fn occurrences(db: &mut PgConnection, rows: &[Decided<'_>], now: DateTime<Utc>) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let of = |row: &Decided<'_>| row.case.planned.occurrence.clone();
    let notes = |row: &Decided<'_>| -> Value {
        let own = row.case.planned.occurrence.notes.iter().map(|note| json!(note));
        own.chain(row.notes.iter().cloned()).collect()
    };
    sqlx::query!(
        r#"
        insert into occurrence (batch, key, schedule, local, due_at, business_date, state, reason, notes, run, decided_at)
        select *, $11::timestamptz
          from unnest($1::text[], $2::text[], $3::bigint[], $4::timestamp[], $5::timestamptz[], $6::date[], $7::text[],
                      $8::jsonb[], $9::jsonb[], $10::bigint[])
        on conflict on constraint occurrence_pkey do update
           set schedule = excluded.schedule, due_at = excluded.due_at, state = excluded.state, reason = excluded.reason,
               notes = excluded.notes, run = excluded.run, decided_at = excluded.decided_at, counted_at = null
         where occurrence.state in ('skipped', 'missed')
        "#,
        &rows.iter().map(|row| row.case.batch.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| of(row).key).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.case.schedule).collect::<Vec<_>>(),
        &rows.iter().map(|row| of(row).local).collect::<Vec<NaiveDateTime>>(),
        &rows.iter().map(|row| row.case.planned.due_at).collect::<Vec<_>>(),
        &rows.iter().map(|row| of(row).business_date).collect::<Vec<NaiveDate>>(),
        &rows.iter().map(|row| row.state.to_owned()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.reason.clone()).collect::<Vec<_>>() as &[Option<Value>],
        &rows.iter().map(notes).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.run.map(|run| run.0)).collect::<Vec<_>>() as &[Option<i64>],
        now,
    )
    .execute(db)
    .await
    .with_context(|| format!("writing {} occurrences", rows.len()))?;
    Ok(())
}

/// Adds notes to occurrences that have rows, by their batches and keys.
pub(super) async fn notes(db: &mut PgConnection, notes: &[((String, String), Value)]) -> Result<()> {
    if notes.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        update occurrence set notes = notes || fresh.note
          from unnest($1::text[], $2::text[], $3::jsonb[]) as fresh (batch, key, note)
         where occurrence.batch = fresh.batch and occurrence.key = fresh.key
        "#,
        &notes.iter().map(|((batch, _), _)| batch.clone()).collect::<Vec<_>>(),
        &notes.iter().map(|((_, key), _)| key.clone()).collect::<Vec<_>>(),
        &notes.iter().map(|(_, note)| note.clone()).collect::<Vec<_>>(),
    )
    .execute(db)
    .await
    .context("adding notes to occurrences")?;
    Ok(())
}

/// Writes schedules; those with the number 0 are new.
pub(super) async fn schedules(db: &mut PgConnection, rows: &[Row]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        with wanted as (
            select *
              from unnest($1::bigint[], $2::text[], $3::bigint[], $4::integer[], $5::jsonb[], $6::text[],
                          $7::timestamptz[], $8::text[], $9::timestamptz[], $10::text[], $11::timestamptz[],
                          $12::timestamptz[], $13::text[], $14::integer[])
                   as wanted (id, batch, revision, position, definition, key_zone, after_at, next_key, next_at, fault,
                              enabled_at, disabled_at, disabled_by, failures)
        ), kept as (
            update schedule
               set revision = wanted.revision, position = wanted.position, definition = wanted.definition,
                   key_zone = wanted.key_zone, after_at = wanted.after_at, next_key = wanted.next_key,
                   next_at = wanted.next_at, fault = wanted.fault, enabled_at = wanted.enabled_at,
                   disabled_at = wanted.disabled_at, disabled_by = wanted.disabled_by, failures = wanted.failures
              from wanted
             where schedule.id = wanted.id
        )
        insert into schedule (batch, revision, position, definition, key_zone, after_at, next_key, next_at, fault,
                              enabled_at, disabled_at, disabled_by, failures)
        select batch, revision, position, definition, key_zone, after_at, next_key, next_at, fault, enabled_at,
               disabled_at, disabled_by, failures
          from wanted
         where id = 0
        "#,
        &rows.iter().map(|row| row.id).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.batch.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.revision.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.position).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.definition.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.key_zone.clone()).collect::<Vec<_>>() as &[Option<String>],
        &rows.iter().map(|row| row.after_at).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.next_key.clone()).collect::<Vec<_>>() as &[Option<String>],
        &rows.iter().map(|row| row.next_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &rows.iter().map(|row| row.fault.clone()).collect::<Vec<_>>() as &[Option<String>],
        &rows.iter().map(|row| row.enabled_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &rows.iter().map(|row| row.disabled_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &rows.iter().map(|row| row.disabled_by.clone()).collect::<Vec<_>>() as &[Option<String>],
        &rows.iter().map(|row| row.failures).collect::<Vec<_>>(),
    )
    .execute(db)
    .await
    .with_context(|| format!("writing {} schedules", rows.len()))?;
    Ok(())
}

/// Takes schedules away.
pub(super) async fn take_away(db: &mut PgConnection, gone: &[i64]) -> Result<()> {
    sqlx::query!("delete from schedule where id = any($1)", gone).execute(db).await.context("taking schedules away")?;
    Ok(())
}

/// Moves schedules on.
pub(super) async fn move_on(db: &mut PgConnection, rows: &[Row]) -> Result<()> {
    sqlx::query!(
        r#"
        update schedule
           set after_at = moved.after_at, next_key = moved.next_key, next_at = moved.next_at, fault = moved.fault
          from unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::timestamptz[], $5::text[])
               as moved (id, after_at, next_key, next_at, fault)
         where schedule.id = moved.id
        "#,
        &rows.iter().map(|row| row.id).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.after_at).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.next_key.clone()).collect::<Vec<_>>() as &[Option<String>],
        &rows.iter().map(|row| row.next_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &rows.iter().map(|row| row.fault.clone()).collect::<Vec<_>>() as &[Option<String>],
    )
    .execute(db)
    .await
    .context("moving schedules on")?;
    Ok(())
}
