//! Rules as data: what recurs, and at what times.
//!
//! People write them as text (`FromStr`, `Display`), programs may write them as data: `{ "kind": "monthly", "on":
//! ["2nd tuesday"], "at": ["06:00"] }`. A new kind is a new variant; what is stored is the text, so none has to be rewritten.

use std::{fmt, str::FromStr};

use chrono::{Month, Weekday};
use serde::{Deserialize, Serialize};

use super::{Minute, RuleError, Time, cron::Cron, parse, recurrence::Recurrence, words};

/// What recurs, in the local time of some zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// Never by itself.
    OnDemand {},
    /// At these minutes of every hour, counted in instants: 23 or 25 times on days when the clock changes.
    Hourly {
        at: Vec<Minute>,
        /// Only from the first to the second local time of a day, both of them included.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        between: Option<(Time, Time)>,
    },
    /// Every so many elapsed hours since the start of the first day.
    Hours { every: u32, at: Minute },
    Daily {
        #[serde(default = "one")]
        every: u32,
        at: Vec<Time>,
    },
    /// From Monday to Friday; on Saturdays and Sundays as well when `weekends` is set here or in the schedule.
    Weekdays {
        #[serde(default)]
        weekends: bool,
        at: Vec<Time>,
    },
    Weekly {
        #[serde(default = "one")]
        every: u32,
        #[serde(with = "weekday_names")]
        on: Vec<Weekday>,
        at: Vec<Time>,
    },
    Monthly {
        #[serde(default = "one")]
        every: u32,
        on: Vec<MonthDay>,
        at: Vec<Time>,
    },
    /// In January, April, July and October.
    Quarterly { on: Vec<MonthDay>, at: Vec<Time> },
    Yearly {
        #[serde(default = "one")]
        every: u32,
        #[serde(with = "month_name")]
        month: Month,
        on: Vec<MonthDay>,
        at: Vec<Time>,
    },
    /// A line of five fields, as crontab(5) has it.
    Cron { line: Cron },
    /// A recurrence rule of RFC 5545.
    Rrule { line: Recurrence },
}

fn one() -> u32 {
    1
}

/// A day of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum MonthDay {
    /// The 1st to the 31st.
    Day(u32),
    Last,
    /// The 2nd Tuesday, the last Friday.
    Weekday(Nth, Weekday),
    /// The first or last day, or another, that the calendar calls a business day.
    Business(Nth),
}

/// Which one of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nth {
    /// Counted from 1.
    From(u32),
    Last,
}

/// More than this is a mistake.
const MOST: u32 = 1000;

impl Rule {
    /// Whether it has occurrences at all.
    pub fn is_on_demand(&self) -> bool {
        matches!(self, Self::OnDemand {})
    }

    /// Whether it counts instants rather than local times, so that its keys need an offset.
    pub fn counts_instants(&self) -> bool {
        match self {
            Self::Hourly { .. } | Self::Hours { .. } => true,
            Self::Cron { line } => line.every_hour(),
            Self::Rrule { line } => line.every_hour(),
            _ => false,
        }
    }

    /// Whether where it begins decides on which days it falls.
    pub fn needs_start(&self) -> bool {
        match self {
            Self::Hours { .. } => true,
            Self::Daily { every, .. }
            | Self::Weekly { every, .. }
            | Self::Monthly { every, .. }
            | Self::Yearly { every, .. } => *every > 1,
            Self::Rrule { line } => line.needs_start(),
            _ => false,
        }
    }

    /// Puts lists in order, and refuses what cannot be.
    pub(super) fn settled(mut self) -> Result<Self, RuleError> {
        let (every, at, on) = match &mut self {
            Self::OnDemand {} | Self::Cron { .. } | Self::Rrule { .. } => return Ok(self),
            Self::Hourly { at, between } => {
                put_in_order(at, "minute, such as `:15`")?;
                if between.is_some_and(|(from, to)| from > to) {
                    return Err(RuleError::new("ends before it begins; write the earlier time first"));
                }
                return Ok(self);
            }
            Self::Hours { every, .. } => return counted(*every).map(|()| self),
            Self::Daily { every, at } => (*every, at, None),
            Self::Weekdays { at, .. } => (1, at, None),
            Self::Weekly { every, on, at } => {
                on.sort_by_key(Weekday::num_days_from_monday);
                on.dedup();
                if on.is_empty() {
                    return Err(RuleError::new("names no weekday; write `weekly on monday at 06:00`"));
                }
                (*every, at, None)
            }
            Self::Quarterly { on, at } => (1, at, Some(on)),
            Self::Monthly { every, on, at } | Self::Yearly { every, on, at, .. } => (*every, at, Some(on)),
        };
        counted(every)?;
        put_in_order(at, "time, such as `at 06:00`")?;
        if let Some(on) = on {
            on.dedup();
            if on.is_empty() {
                return Err(RuleError::new("names no day; write `monthly on day 15 at 06:00`"));
            }
            on.iter().try_for_each(MonthDay::check)?;
        }
        Ok(self)
    }
}

fn counted(every: u32) -> Result<(), RuleError> {
    if (1..=MOST).contains(&every) { Ok(()) } else { Err(RuleError::new(format!("write `every 1` to `every {MOST}`"))) }
}

fn put_in_order<T: Ord>(at: &mut Vec<T>, remedy: &str) -> Result<(), RuleError> {
    at.sort();
    at.dedup();
    if at.is_empty() { Err(RuleError::new(format!("says no {remedy}"))) } else { Ok(()) }
}

impl MonthDay {
    fn check(&self) -> Result<(), RuleError> {
        match self {
            Self::Day(day) if !(1..=31).contains(day) => Err(RuleError::new("no month has that day; write 1 to 31")),
            Self::Weekday(Nth::From(nth), _) if !(1..=5).contains(nth) => {
                Err(RuleError::new("no month has that many of a weekday; write 1st to 5th, or last"))
            }
            Self::Business(Nth::From(nth)) if !(1..=23).contains(nth) => {
                Err(RuleError::new("no month has that many business days; write 1st to 23rd, or last"))
            }
            _ => Ok(()),
        }
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        parse::rule(text)
    }
}

impl fmt::Display for MonthDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => write!(f, "day {day}"),
            Self::Last => f.write_str("the last day"),
            Self::Weekday(nth, weekday) => write!(f, "the {nth} {}", words::weekday_name(*weekday)),
            Self::Business(nth) => write!(f, "the {nth} business day"),
        }
    }
}

impl fmt::Display for Nth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From(nth) => f.write_str(&words::ordinal_name(*nth)),
            Self::Last => f.write_str("last"),
        }
    }
}

impl TryFrom<String> for MonthDay {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        parse::month_day(&text)
    }
}

impl From<MonthDay> for String {
    fn from(day: MonthDay) -> Self {
        day.to_string()
    }
}

/// Weekdays by their names, as data has them.
mod weekday_names {
    use chrono::Weekday;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::schedule::words;

    pub(super) fn serialize<S: Serializer>(weekdays: &[Weekday], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(weekdays.iter().map(|weekday| words::weekday_name(*weekday)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Weekday>, D::Error> {
        let names = Vec::<String>::deserialize(from)?;
        let read = |name: &String| {
            words::weekday(name).ok_or_else(|| D::Error::custom(format!("`{name}` is no weekday; write `monday`")))
        };
        names.iter().map(read).collect()
    }
}

/// A month by its name, as data has it.
mod month_name {
    use chrono::Month;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::schedule::words;

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(super) fn serialize<S: Serializer>(month: &Month, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&words::month_name(*month))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Month, D::Error> {
        let name = String::deserialize(from)?;
        words::month(&name).ok_or_else(|| D::Error::custom(format!("`{name}` is no month; write `january`")))
    }
}
