//! Recurrence rules of RFC 5545.
//!
//! The crate expands them on local time without any zone; clock changes are ours, as for every other rule. It is begun
//! a period before what is asked for, so that a rule from years ago costs no more than a new one; only `COUNT` has to
//! be counted from its start.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike, Days, Duration, Month, Months, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use rrule::{Frequency, NWeekday, RRule, RRuleSet, Unvalidated};
use serde::{Deserialize, Serialize};

use super::{RuleError, Time};

/// A line that was read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recurrence {
    line: String,
    rule: RRule<Unvalidated>,
    until: Option<Until>,
    every_hour: bool,
    /// Whether it says itself on which days of its period it falls.
    names_days: bool,
}

/// The last instant, or local time.
#[derive(Debug, Clone, Copy)]
enum Until {
    Local(NaiveDateTime),
    Instant(DateTime<Utc>),
}

impl PartialEq for Recurrence {
    fn eq(&self, other: &Self) -> bool {
        self.line == other.line
    }
}

impl Recurrence {
    /// Whether it counts every hour that passes.
    pub(super) fn every_hour(&self) -> bool {
        self.every_hour
    }

    /// Whether where it begins decides on which days it falls.
    pub(super) fn needs_start(&self) -> bool {
        self.rule.get_interval() > 1 || !self.names_days || self.counts()
    }

    /// Whether it ends after a number of occurrences.
    pub(super) fn counts(&self) -> bool {
        self.rule.get_count().is_some()
    }

    /// Whether a local time, which stands for this instant, comes before its end.
    pub(super) fn lasts(&self, local: NaiveDateTime, at: DateTime<Utc>) -> bool {
        match self.until {
            None => true,
            Some(Until::Local(until)) => local <= until,
            Some(Until::Instant(until)) => at <= until,
        }
    }

    /// Its dates with their times, from `from` or a little before, counted from `start`.
    pub(super) fn dates(
        &self,
        start: NaiveDate,
        from: NaiveDate,
    ) -> impl Iterator<Item = (NaiveDate, Vec<Time>)> + Send + use<> {
        let rule = self.completed(start);
        let begin = self.begin(start, from).unwrap_or(start).and_time(NaiveTime::MIN).and_utc();
        let begin = begin.with_timezone(&rrule::Tz::UTC);
        let valid = rule.validate(begin).ok();
        let set = valid.map(|rule| (&RRuleSet::new(begin).rrule(rule).limit()).into_iter());
        let mut locals = set.into_iter().flatten().map(|at| at.naive_utc()).peekable();
        std::iter::from_fn(move || {
            let first = locals.next()?;
            let mut times = vec![Time(first.time())];
            while let Some(next) = locals.next_if(|next| next.date() == first.date()) {
                times.push(Time(next.time()));
            }
            Some((first.date(), times))
        })
    }

    /// The rule with what it takes from its start, as RFC 5545 says.
    fn completed(&self, start: NaiveDate) -> RRule<Unvalidated> {
        let rule = self.rule.clone();
        if self.names_days {
            return rule;
        }
        let day = i8::try_from(start.day()).unwrap_or(1);
        match rule.get_freq() {
            Frequency::Yearly if rule.get_by_month().is_empty() => {
                let month = u8::try_from(start.month()).ok().and_then(|month| Month::try_from(month).ok());
                rule.by_month(&[month.unwrap_or(Month::January)]).by_month_day(vec![day])
            }
            Frequency::Yearly | Frequency::Monthly => rule.by_month_day(vec![day]),
            Frequency::Weekly => rule.by_weekday(vec![NWeekday::Every(start.weekday())]),
            _ => rule,
        }
    }

    /// The beginning of a period of the rule, at least one of them before `from`.
    fn begin(&self, start: NaiveDate, from: NaiveDate) -> Option<NaiveDate> {
        if self.counts() {
            return Some(start);
        }
        let interval = i64::from(self.rule.get_interval());
        let days = |first: NaiveDate, step: i64| {
            let ahead = ((from - first).num_days().div_euclid(step) - 1) * step;
            first.checked_add_signed(Duration::days(ahead))
        };
        let months = |first: NaiveDate, step: i64| {
            let index = |date: NaiveDate| i64::from(date.year()) * 12 + i64::from(date.month0());
            let ahead = ((index(from) - index(first)).div_euclid(step) - 1) * step;
            let distance = Months::new(u32::try_from(ahead.unsigned_abs()).ok()?);
            if ahead < 0 { first.checked_sub_months(distance) } else { first.checked_add_months(distance) }
        };
        match self.rule.get_freq() {
            Frequency::Yearly => months(start.with_ordinal(1)?, 12 * interval),
            Frequency::Monthly => months(start.with_day(1)?, interval),
            Frequency::Weekly => days(start.week(self.rule.get_week_start()).first_day(), 7 * interval),
            _ => days(start, interval),
        }
    }
}

const REMEDY: &str = "write one such as `FREQ=MONTHLY;BYDAY=2TU;BYHOUR=6`";
const KNOWN: [&str; 13] = [
    "FREQ",
    "INTERVAL",
    "BYDAY",
    "BYMONTHDAY",
    "BYMONTH",
    "BYHOUR",
    "BYMINUTE",
    "BYSETPOS",
    "BYWEEKNO",
    "BYYEARDAY",
    "COUNT",
    "UNTIL",
    "WKST",
];
/// The parts that say on which days it falls.
const DAYS: [&str; 4] = ["BYDAY", "BYMONTHDAY", "BYWEEKNO", "BYYEARDAY"];
/// More has to be counted through from the start each time.
const MOST: u32 = 10_000;
/// The crate works a whole period out at once, a year for yearly rules: more times a day make that slow.
const MOST_TIMES: usize = 24 * 12;

impl FromStr for Recurrence {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let upper = text.trim().to_uppercase();
        let line = upper.strip_prefix("RRULE:").unwrap_or(&upper);
        let parts = line.split(';').filter(|part| !part.is_empty()).map(part).collect::<Result<Vec<_>, _>>()?;
        let value = |name: &str| parts.iter().find(|(it, _)| *it == name).map(|(_, value)| *value);
        let hourly = hourly(&value)?;
        if !hourly && value("BYHOUR").is_none() {
            return Err(RuleError::new("says no time of day; add one, such as `BYHOUR=6` or `BYHOUR=6;BYMINUTE=30`"));
        }
        let until = value("UNTIL").map(until).transpose()?;
        let kept: Vec<_> =
            parts.iter().filter(|(name, _)| *name != "UNTIL").map(|(name, it)| format!("{name}={it}")).collect();
        let rule: RRule<Unvalidated> = kept.join(";").parse().map_err(|error: rrule::RRuleError| refused(&error))?;
        let rule = in_days(rule, hourly);
        if rule.get_by_hour().len() * rule.get_by_minute().len() > MOST_TIMES {
            return Err(RuleError::new(format!("names more than {MOST_TIMES} times a day; write a cron line")));
        }
        let names_days = DAYS.iter().any(|name| value(name).is_some());
        if rule.get_count().is_some_and(|count| !(1..=MOST).contains(&count)) {
            return Err(RuleError::new(format!("write a COUNT of 1 to {MOST}, or `ends` with a date")));
        }
        let read = Self { line: line.to_owned(), rule, until, every_hour: hourly, names_days };
        read.comes()?;
        Ok(read)
    }
}

fn refused(error: &rrule::RRuleError) -> RuleError {
    RuleError::new(format!("is no recurrence rule ({error}); {REMEDY}"))
}

fn part(part: &str) -> Result<(&str, &str), RuleError> {
    let (name, value) = part.split_once('=').map(|(name, value)| (name.trim(), value.trim())).unwrap_or((part, ""));
    if !KNOWN.contains(&name) || value.is_empty() {
        let known = KNOWN.join(", ");
        return Err(RuleError::new(format!(
            "`{part}` is not understood in a recurrence rule; its parts are {known}; {REMEDY}"
        )));
    }
    // The crate takes a weekday with anything in front of it.
    let wrong = value.split(',').find(|day| name == "BYDAY" && !is_weekday(day));
    match wrong {
        Some(day) => Err(RuleError::new(format!("`{day}` is no weekday; write one such as `MO`, `2TU` or `-1FR`"))),
        None => Ok((name, value)),
    }
}

fn is_weekday(text: &str) -> bool {
    let Some((number, weekday)) = text.split_at_checked(text.len().saturating_sub(2)) else { return false };
    let number = number.strip_prefix(['+', '-']).unwrap_or(number);
    weekday.parse::<NWeekday>().is_ok() && number.len() <= 2 && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether it is a rule of hours, of which only those of every hour are taken.
fn hourly<'a>(value: &impl Fn(&str) -> Option<&'a str>) -> Result<bool, RuleError> {
    match value("FREQ") {
        Some("YEARLY" | "MONTHLY" | "WEEKLY" | "DAILY") => Ok(false),
        Some("HOURLY") => {
            let beyond = ["COUNT", "BYSETPOS"].into_iter().find(|name| value(name).is_some());
            if let Some(name) = beyond {
                return Err(RuleError::new(format!(
                    "{name} does not go with FREQ=HOURLY here; write `ends` with a date"
                )));
            }
            if value("INTERVAL").is_some_and(|interval| interval != "1") {
                return Err(RuleError::new(
                    "FREQ=HOURLY is taken for every hour only; write `every 6 hours` for elapsed hours, or FREQ=DAILY with \
                     BYHOUR=0,6,12,18 for times of day",
                ));
            }
            Ok(true)
        }
        _ => Err(RuleError::new(format!("FREQ is one of YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY; {REMEDY}"))),
    }
}

/// Minutes are those of the full hour unless they are said; every hour of a day is a rule of days.
fn in_days(rule: RRule<Unvalidated>, hourly: bool) -> RRule<Unvalidated> {
    let rule = if rule.get_by_minute().is_empty() { rule.by_minute(vec![0]) } else { rule };
    match hourly {
        true if rule.get_by_hour().is_empty() => rule.freq(Frequency::Daily).by_hour((0..24).collect()),
        true => rule.freq(Frequency::Daily),
        false => rule,
    }
}

fn until(text: &str) -> Result<Until, RuleError> {
    const TIME: &str = "%Y%m%dT%H%M%S";
    let date = |text: &str| NaiveDate::parse_from_str(text, "%Y%m%d").ok()?.and_hms_opt(23, 59, 59);
    let read = match text.strip_suffix('Z') {
        Some(utc) => NaiveDateTime::parse_from_str(utc, TIME).ok().map(|until| Until::Instant(until.and_utc())),
        None => NaiveDateTime::parse_from_str(text, TIME).ok().or_else(|| date(text)).map(Until::Local),
    };
    read.ok_or_else(|| {
        RuleError::new(format!("`{text}` is no UNTIL; write one such as `20261231` or `20261231T235959Z`"))
    })
}

impl Recurrence {
    /// Fails unless it is a rule at all and comes at some time.
    fn comes(&self) -> Result<(), RuleError> {
        let start = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap_or_default();
        let begin = start.and_time(NaiveTime::MIN).and_utc().with_timezone(&rrule::Tz::UTC);
        self.completed(start).validate(begin).map_err(|error| refused(&error))?;
        match self.dates(start, start + Days::new(7)).next() {
            Some(_) => Ok(()),
            None => Err(RuleError::new(format!("`{}` never comes; {REMEDY}", self.line))),
        }
    }
}

impl fmt::Display for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl TryFrom<String> for Recurrence {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        text.parse()
    }
}

impl From<Recurrence> for String {
    fn from(recurrence: Recurrence) -> Self {
        recurrence.line
    }
}
