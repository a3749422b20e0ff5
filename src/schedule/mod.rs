//! When something is due: local rules, zones, calendars, and the policies that decide the awkward days.
//!
//! A [`Rule`] is what people write (`monthly on the 2nd tuesday at 06:00`), a [`Schedule`] is a rule with its zone and
//! policies, and [`Schedule::after`] gives its occurrences, lazily and from any instant on. Preview and firing ask the same
//! function, so they cannot differ. Everything here is pure: no clock, no database, no file.
//!
//! What can go wrong is stated once: a local time that a zone skips is its first instant after, one that comes twice is
//! the first, and occurrences that land on the same instant are one. Each says so in its [`Note`]s.

mod cron;
mod dates;
mod error;
mod hourly;
mod hours;
mod landing;
mod month;
mod occurrence;
mod parse;
mod policy;
mod print;
mod recurrence;
mod remark;
mod rule;
mod time;
mod window;
mod words;
mod written;
mod year_day;

pub mod calendar;

use std::time::Duration;

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

pub use calendar::Calendar;
pub use cron::Cron;
pub use error::RuleError;
pub use hours::{Door, Hours, Keeper, Opening, opening};
pub use occurrence::{Note, NoteCode, Occurrence};
pub use policy::{Missed, Once, Overlap, PolicyError, Roll, ShortMonth};
pub use recurrence::Recurrence;
pub use rule::{MonthDay, Nth, Rule};
pub use time::{Minute, Time};
pub use window::Window;
pub use written::{Flaw, Written};
pub use year_day::YearDay;

/// When something is due, and what is to be done about the awkward cases. Its serde shape is [`Written`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Schedule {
    pub rule: Rule,
    /// The zone its times are read in.
    pub zone: Tz,
    /// What becomes of occurrences that came due while nobody looked.
    pub missed: Missed,
    /// What becomes of one that comes due while an earlier run is under way.
    pub overlap: Overlap,
    /// Whether one that comes due after another run about the same date is left out.
    pub once: Option<Once>,
    /// How long after its time a run may begin, at random.
    pub jitter: Option<Duration>,
    /// The first local date, and what `every 3 days` counts from.
    pub starts: Option<NaiveDate>,
    /// The last local date.
    pub ends: Option<NaiveDate>,
    /// The name of the calendar that knows the holidays; Saturdays and Sundays are free without one.
    pub calendar: Option<String>,
    /// Where an occurrence on a free day goes.
    pub roll: Roll,
    /// Where the 31st of a shorter month goes.
    pub short_month: ShortMonth,
    /// Whether `weekdays` takes Saturdays and Sundays as well.
    pub weekends: bool,
    /// After how many failed runs in a row it pauses.
    pub pause_after: Option<u32>,
    /// How long after its time a run may be missing before monitors are told.
    pub grace: Option<Duration>,
}

impl Schedule {
    /// `rule` in `zone`, with every policy as it is when nothing is said.
    pub fn new(rule: Rule, zone: Tz) -> Self {
        Self {
            rule,
            zone,
            missed: Missed::default(),
            overlap: Overlap::default(),
            once: None,
            jitter: None,
            starts: None,
            ends: None,
            calendar: None,
            roll: Roll::default(),
            short_month: ShortMonth::default(),
            weekends: false,
            pause_after: None,
            grace: None,
        }
    }
}
