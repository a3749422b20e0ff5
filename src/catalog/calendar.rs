//! Calendars: which days are business days, by name, for the schedules that name them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, anyhow};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx::{PgConnection, PgPool};

use super::{Expect, Faults, SaveError, Saved, change, name, used};
use crate::{
    audit::{self, Author, Deed},
    schedule::Calendar,
};

pub use crate::schedule::calendar::Written;

/// Where batches name calendars.
const USE: (&str, &str) = ("schedule", "calendar");

/// A calendar in a list.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = CalendarSummary)]
pub struct Summary {
    pub name: String,
    pub title: String,
    pub changed_at: DateTime<Utc>,
}

/// A checked calendar.
#[derive(Debug, Clone)]
pub struct Draft {
    pub name: String,
    written: Written,
}

/// Why a calendar could not be deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    #[error("there is no calendar `{0}`")]
    Unknown(String),
    #[error("the calendar is used by the schedules of: {}; name another one there first", .0.join(", "))]
    Used(Vec<String>),
    #[error(transparent)]
    Fault(#[from] anyhow::Error),
}

/// Checks what was written.
///
/// # Errors
/// All that is wrong, with what is in `faults` already.
pub fn check(mut written: Written, mut faults: Faults) -> Result<Draft, Faults> {
    let name = name::named(written.name.take(), &mut faults);
    let title = name::titled(written.title.take(), &name, &mut faults);
    for flaw in written.read().err().into_iter().flatten() {
        faults.add(flaw.at, flaw.text);
    }
    let written = Written { name: Some(name.clone()), title: Some(title), ..written };
    faults.or(Draft { name, written })
}

/// A page of calendars in the order of their names, after the name `after`.
pub async fn list(db: &PgPool, (after, limit): (Option<&str>, i64)) -> Result<Vec<Summary>> {
    sqlx::query_as!(
        Summary,
        r#"
        select name, coalesce(definition ->> 'title', name) as "title!", changed_at
          from calendar
         where $1::text is null or name > $1
         order by name
         limit $2
        "#,
        after,
        limit,
    )
    .fetch_all(db)
    .await
    .context("listing calendars")
}

/// A calendar in the shape it was written in.
pub async fn get(db: &PgPool, name: &str) -> Result<Option<Written>> {
    let definition = sqlx::query_scalar!("select definition from calendar where name = $1", name)
        .fetch_optional(db)
        .await
        .with_context(|| format!("reading calendar {name}"))?;
    definition
        .map(|definition| serde_json::from_value(definition).with_context(|| format!("calendar {name}")))
        .transpose()
}

/// The calendar that a schedule names; the one that knows weekends only when it names none.
///
/// # Errors
/// When there is none of that name, or it cannot be read.
pub async fn find(db: &PgPool, name: Option<&str>) -> Result<Calendar> {
    let Some(name) = name else { return Ok(Calendar::default()) };
    let written = get(db, name).await?.ok_or_else(|| anyhow!("there is no calendar `{name}`"))?;
    read(name, &written)
}

/// All calendars by name, read.
pub async fn all(db: &PgPool) -> Result<BTreeMap<String, Calendar>> {
    let rows =
        sqlx::query!("select name, definition from calendar").fetch_all(db).await.context("reading calendars")?;
    let mut calendars = BTreeMap::new();
    for row in rows {
        let written = serde_json::from_value(row.definition).with_context(|| format!("calendar {}", row.name))?;
        let calendar = read(&row.name, &written)?;
        calendars.insert(row.name, calendar);
    }
    Ok(calendars)
}

/// Those of `names` that are there, each read or with what is wrong with it.
///
/// # Errors
/// When the database cannot be read.
pub async fn named(db: &mut PgConnection, names: &BTreeSet<String>) -> Result<BTreeMap<String, Result<Calendar>>> {
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let names: Vec<_> = names.iter().cloned().collect();
    let rows = sqlx::query!("select name, definition from calendar where name = any($1)", &names)
        .fetch_all(db)
        .await
        .context("reading calendars")?;
    let calendar = |name: &str, definition| {
        let written = serde_json::from_value(definition).with_context(|| format!("calendar {name}"))?;
        read(name, &written)
    };
    Ok(rows.into_iter().map(|row| (row.name.clone(), calendar(&row.name, row.definition))).collect())
}

fn read(name: &str, written: &Written) -> Result<Calendar> {
    written.read().map_err(|flaws| {
        let flaws: Vec<_> = flaws.iter().map(|flaw| format!("{}: {}", flaw.at, flaw.text)).collect();
        anyhow!("calendar {name} cannot be read: {}", flaws.join("; "))
    })
}

/// Saves a checked calendar.
///
/// # Errors
/// When there is one of its name and none is expected.
pub async fn save(db: &PgPool, author: &Author, draft: Draft, expect: Expect) -> Result<Saved, SaveError> {
    let Draft { name, written } = draft;
    let mut db = db.begin().await.context("beginning to save a calendar")?;
    let definition = serde_json::to_value(&written).context("writing a calendar")?;
    let added = sqlx::query!(
        r#"
        insert into calendar (name, definition, created_at, changed_at) values ($1, $2, $3, $3)
        on conflict on constraint calendar_pkey do nothing
        "#,
        name,
        definition,
        author.at,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("adding calendar {name}"))?;
    let saved = match (added.rows_affected(), expect) {
        (1, _) => Saved::Created,
        (_, Expect::Absent) => return Err(SaveError::Exists { what: "calendar", name }),
        _ if replace(&mut db, author, (&name, &definition)).await? => Saved::Changed,
        _ => return Ok(Saved::Unchanged),
    };
    for batch in used::by(&mut db, USE, &name).await? {
        change::note_held(&mut db, author, &batch).await?;
    }
    let detail = json!({ "holidays": written.holiday.len(), "ics": written.ics.is_some() });
    audit::record(&mut db, author, Deed { action: "calendar.saved", object: &name, detail }).await?;
    db.commit().await.context("saving a calendar")?;
    Ok(saved)
}

/// False when it is the same already.
async fn replace(
    db: &mut PgConnection,
    author: &Author,
    (name, definition): (&str, &serde_json::Value),
) -> Result<bool> {
    let changed = sqlx::query!(
        r#"
        update calendar
           set definition = $2, changed_at = greatest($3, created_at)
         where name = $1 and definition <> $2
        "#,
        name,
        definition,
        author.at,
    )
    .execute(db)
    .await
    .with_context(|| format!("changing calendar {name}"))?;
    Ok(changed.rows_affected() > 0)
}

/// Deletes a calendar that no schedule names.
///
/// # Errors
/// When there is none of this name, or schedules name it.
pub async fn delete(db: &PgPool, author: &Author, name: &str) -> Result<(), DeleteError> {
    let mut db = db.begin().await.context("beginning to delete a calendar")?;
    let deleted = sqlx::query!("delete from calendar where name = $1", name)
        .execute(&mut *db)
        .await
        .with_context(|| format!("deleting calendar {name}"))?;
    if deleted.rows_affected() == 0 {
        return Err(DeleteError::Unknown(name.to_owned()));
    }
    let users = used::by(&mut db, USE, name).await?;
    if !users.is_empty() {
        return Err(DeleteError::Used(users));
    }
    audit::record(&mut db, author, Deed { action: "calendar.deleted", object: name, detail: json!({}) }).await?;
    db.commit().await.context("deleting a calendar")?;
    Ok(())
}

/// Keeps a calendar from being deleted until the transaction ends.
pub(super) async fn hold(db: &mut PgConnection, name: &str) -> Result<(), SaveError> {
    let there = sqlx::query_scalar!("select name from calendar where name = $1 for key share", name)
        .fetch_optional(db)
        .await
        .with_context(|| format!("holding calendar {name}"))?;
    there.map(drop).ok_or_else(|| SaveError::Gone { what: "calendar", name: name.to_owned() })
}
