//! Lines of five fields, as crontab(5) has them: minute, hour, day of the month, month, day of the week.
//!
//! The crate reads the line and matches days; times go through our own policies for clock changes. What only some crons
//! know (seconds, years, `L`, `W`, `#`, `?`, `@daily`) is refused, because it would mean something else elsewhere.

use std::{fmt, str::FromStr};

use chrono::{Datelike, NaiveDate, NaiveTime};
use croner::{
    parser::{CronParser, Seconds, Year},
    time::Weekday,
};
use serde::{Deserialize, Serialize};

use super::{RuleError, Time};

/// A line that was read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cron {
    line: String,
    days: croner::Cron,
    times: Vec<Time>,
    every_hour: bool,
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.line == other.line
    }
}

impl Cron {
    /// Whether it names no hours, and so counts every hour that passes.
    pub(super) fn every_hour(&self) -> bool {
        self.every_hour
    }

    pub(super) fn times(&self) -> &[Time] {
        &self.times
    }

    /// Whether `date` is one of its days. Where day of the month and day of the week are both restricted, either is
    /// enough.
    pub(super) fn is_on(&self, date: NaiveDate) -> bool {
        let weekday = Weekday::from_days_from_sunday(date.weekday().num_days_from_sunday());
        self.days.pattern.month_match(date.month()).unwrap_or_default()
            && self.days.pattern.day_match(date.year(), date.month(), date.day(), weekday).unwrap_or_default()
    }
}

const REMEDY: &str = "write minute, hour, day of the month, month and day of the week, such as `0 6 * * 1-5`";

impl FromStr for Cron {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let fields: Vec<_> = text.split_whitespace().collect();
        if fields.len() != 5 {
            return Err(RuleError::new(format!("a cron line has five fields, this one {}; {REMEDY}", fields.len())));
        }
        fields.iter().enumerate().try_for_each(|(index, field)| plain(field, index))?;
        let line = fields.join(" ");
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(&line);
        let days = cron.map_err(|error| RuleError::new(format!("`{line}` is no cron line ({error}); {REMEDY}")))?;
        let hours = days.pattern.hours.values();
        let minutes = days.pattern.minutes.values();
        let time = |hour: u16, minute: u16| NaiveTime::from_hms_opt(hour.into(), minute.into(), 0).map(Time);
        let times = hours.iter().flat_map(|hour| minutes.iter().filter_map(|minute| time(*hour, *minute))).collect();
        let read = Self { line, times, every_hour: hours.len() == 24, days };
        if read.comes() { Ok(read) } else { Err(RuleError::new(format!("`{}` never comes; {REMEDY}", read.line))) }
    }
}

impl Cron {
    /// Whether any year has one of its days. The 29th of February does not come in every one.
    fn comes(&self) -> bool {
        let first = NaiveDate::from_ymd_opt(2024, 1, 1);
        first.is_some_and(|first| first.iter_days().take(366).any(|date| self.is_on(date)))
    }
}

/// Whether a field is made of what crontab(5) knows.
fn plain(field: &str, index: usize) -> Result<(), RuleError> {
    let named = index >= 3;
    let known = |it: char| it.is_ascii_digit() || "*/,-".contains(it) || (named && it.is_ascii_alphabetic());
    let names = field.split(|it: char| !it.is_ascii_alphabetic()).filter(|name| !name.is_empty());
    let fits = field.chars().all(known)
        && field.split(',').all(|part| !part.is_empty())
        && names.into_iter().all(|name| is_name(name, index));
    if fits { Ok(()) } else { Err(RuleError::new(format!("`{field}` is not understood in a cron line; {REMEDY}"))) }
}

fn is_name(name: &str, index: usize) -> bool {
    const MONTHS: &str = "jan feb mar apr may jun jul aug sep oct nov dec";
    const WEEKDAYS: &str = "sun mon tue wed thu fri sat";
    let names = if index == 3 { MONTHS } else { WEEKDAYS };
    names.split(' ').any(|it| it.eq_ignore_ascii_case(name))
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl TryFrom<String> for Cron {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        text.parse()
    }
}

impl From<Cron> for String {
    fn from(cron: Cron) -> Self {
        cron.line
    }
}
