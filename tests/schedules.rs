//! When schedules are due: rules in words, the awkward days, and what holds for every rule.

#[path = "schedules/awkward.rs"]
mod awkward;
#[path = "schedules/calendars.rs"]
mod calendars;
#[path = "schedules/oracle.rs"]
mod oracle;
#[path = "schedules/preview.rs"]
mod preview;
#[path = "schedules/properties.rs"]
mod properties;
#[path = "requirements/schedules.rs"]
mod requirements;
#[path = "schedules/rules.rs"]
mod rules;

use chrono::{DateTime, Utc};
use postbook::schedule::{Calendar, Occurrence, Schedule, Written};

/// A schedule of this rule in this zone, with more fields as TOML.
fn schedule(rule: &str, zone: &str, more: &str) -> Schedule {
    let written: Written = toml::from_str(&format!("rule = \"{rule}\"\nzone = \"{zone}\"\n{more}")).expect("TOML");
    written.read().unwrap_or_else(|flaws| panic!("{rule}: {flaws:?}"))
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The first occurrences after `after`, without a calendar.
fn occurrences(schedule: &Schedule, after: &str, count: usize) -> Vec<Occurrence> {
    schedule.after(&Calendar::default(), instant(after)).take(count).collect()
}

/// Their keys.
fn keys(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    occurrences(schedule, after, count).into_iter().map(|it| it.key).collect()
}
