//! Schedules as rules: definitions read, with the calendars they name.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::jitter;
use crate::{
    catalog,
    schedule::{Calendar, Occurrence, Schedule},
};

/// A schedule that can be asked when it is due.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub schedule: Schedule,
    calendar: Arc<Calendar>,
    batch: String,
    key_zone: Option<String>,
}

/// An occurrence of a batch's schedule.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    /// Its key is unique in the batch.
    pub occurrence: Occurrence,
    /// Jitter included.
    pub due_at: DateTime<Utc>,
}

impl Plan {
    /// The occurrences after `after`, in the order of their instants.
    pub fn after(&self, after: DateTime<Utc>) -> impl Iterator<Item = Planned> + Send + '_ {
        self.schedule.after(&self.calendar, after).map(|occurrence| self.planned(occurrence))
    }

    /// What the schedule leaves out after `after`, because of free days.
    pub fn left_out(&self, after: DateTime<Utc>) -> impl Iterator<Item = Planned> + Send + '_ {
        self.schedule.left_out(&self.calendar, after).map(|occurrence| self.planned(occurrence))
    }

    fn planned(&self, mut occurrence: Occurrence) -> Planned {
        if let Some(zone) = &self.key_zone {
            occurrence.key = format!("{} {zone}", occurrence.key);
        }
        let due_at = jitter::due(&self.batch, occurrence.at, self.schedule.jitter);
        Planned { occurrence, due_at }
    }
}

/// A definition as a schedule, or what is wrong with it.
pub(super) fn read(definition: &Value) -> Result<Schedule, String> {
    serde_json::from_value(definition.clone()).map_err(|error| error.to_string())
}

/// The zone that is added to the keys of the schedule `own`: its own, where that is not the one of the batch's first
/// schedule, because the same local time is another instant there.
pub(super) fn key_zone(first: &Value, own: &Value) -> Option<String> {
    let (first, own) = (read(first).ok()?.zone, read(own).ok()?.zone);
    (own != first).then(|| own.name().to_owned())
}

/// A definition, and whose it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    pub batch: &'a str,
    pub definition: &'a Value,
    pub key_zone: Option<&'a str>,
}

/// The plans of what is `named`, in its order, each by itself: one that cannot be read does not stand in the way of others.
pub(super) async fn all(db: &mut PgConnection, named: &[Named<'_>]) -> Result<Vec<Result<Plan, String>>> {
    let schedules: Vec<_> = named.iter().map(|named| read(named.definition)).collect();
    let names = schedules.iter().flatten().filter_map(|schedule| schedule.calendar.clone()).collect();
    let calendars = calendars(db, names).await?;
    let usual = Arc::new(Calendar::default());
    let planned = named.iter().zip(schedules).map(|(named, schedule)| {
        let schedule = schedule?;
        let calendar = match &schedule.calendar {
            None => usual.clone(),
            Some(name) => {
                let found = calendars.get(name).cloned();
                found.unwrap_or_else(|| Err(format!("there is no calendar `{name}`")))?
            }
        };
        let key_zone = named.key_zone.map(str::to_owned);
        Ok(Plan { schedule, calendar, batch: named.batch.to_owned(), key_zone })
    });
    Ok(planned.collect())
}

async fn calendars(
    db: &mut PgConnection,
    names: BTreeSet<String>,
) -> Result<HashMap<String, Result<Arc<Calendar>, String>>> {
    let named = catalog::calendar::named(db, &names).await?;
    let shared = |calendar: Result<Calendar>| calendar.map(Arc::new).map_err(|error| format!("{error:#}"));
    Ok(named.into_iter().map(|(name, calendar)| (name, shared(calendar))).collect())
}
