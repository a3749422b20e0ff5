//! Hours of the week in which something is done: `08:00-18:00`, `weekdays 08:00-18:00`, `monday, friday 22:00-06:00`.
//!
//! Hours are what clocks on the wall show, so that a window is an hour shorter or longer on days when they change.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike, Days, NaiveDateTime, Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::{
    RuleError, Time,
    landing::{every, land, local_at},
    words,
};

const WEEK: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

/// On these days, from one time up to another; into the next day when the second is the earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window {
    /// In the order of the week.
    days: Vec<Weekday>,
    from: Time,
    to: Time,
}

impl Window {
    /// The window that is open whenever this one is closed. Only one of every day has such a counterpart.
    pub fn inverted(&self) -> Option<Self> {
        (self.days.len() == WEEK.len()).then(|| Self { days: self.days.clone(), from: self.to, to: self.from })
    }

    /// `now` while it is open in `zone`, else when it opens next. One whose hours clocks skip on its only day opens a week
    /// later.
    pub fn opens(&self, zone: Tz, now: DateTime<Utc>) -> DateTime<Utc> {
        let local = local_at(zone, now);
        if self.holds(local) {
            return now;
        }
        let dates = (0..=15).filter_map(|days| local.date().checked_add_days(Days::new(days)));
        let openings = dates.filter(|date| self.days.contains(&date.weekday()));
        // A time that comes twice opens it twice; one that does not come, at the first time after.
        let openings = openings.flat_map(|date| {
            let local = date.and_time(self.from.0);
            let mut both: Vec<_> = every(zone, local).collect();
            if both.is_empty() {
                both.push(land(zone, local).at);
            }
            both
        });
        let mut open = openings.filter(|at| *at > now && self.holds(local_at(zone, *at)));
        open.next().unwrap_or(now + chrono::Duration::days(7))
    }

    fn holds(&self, local: NaiveDateTime) -> bool {
        let (time, today) = (local.time(), local.date().weekday());
        let (from, to) = (self.from.0, self.to.0);
        if from < to {
            return self.days.contains(&today) && (from..to).contains(&time);
        }
        (self.days.contains(&today) && time >= from) || (self.days.contains(&today.pred()) && time < to)
    }
}

impl FromStr for Window {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let (days, hours) = text.trim().rsplit_once(' ').unwrap_or(("", text.trim()));
        let (from, to) = hours.split_once('-').ok_or_else(|| wrong(text))?;
        let (from, to): (Time, Time) = (from.parse()?, to.parse()?);
        if from == to {
            return Err(RuleError::new(format!("`{hours}` is no time at all; write when it begins and when it ends")));
        }
        Ok(Self { days: days_of(days).ok_or_else(|| wrong(text))?, from, to })
    }
}

fn wrong(text: &str) -> RuleError {
    RuleError::new(format!("`{text}` are no hours; write them as `08:00-18:00` or `weekdays 08:00-18:00`"))
}

fn days_of(text: &str) -> Option<Vec<Weekday>> {
    let named: Vec<Weekday> = match text.trim() {
        "" | "daily" => WEEK.to_vec(),
        "weekdays" => WEEK[..5].to_vec(),
        "weekends" => WEEK[5..].to_vec(),
        list => {
            let words = list.split([' ', ',']).filter(|word| !matches!(*word, "" | "and"));
            words.map(words::weekday).collect::<Option<_>>()?
        }
    };
    Some(WEEK.into_iter().filter(|day| named.contains(day)).collect())
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days == WEEK[..5] {
            f.write_str("weekdays ")?;
        } else if self.days.len() < WEEK.len() {
            let names: Vec<_> = self.days.iter().map(|day| words::weekday_name(*day)).collect();
            write!(f, "{} ", names.join(", "))?;
        }
        write!(f, "{}-{}", self.from, self.to)
    }
}

impl TryFrom<String> for Window {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        text.parse()
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        window.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn opens(window: &str, zone: Tz, now: &str) -> DateTime<Utc> {
        window.parse::<Window>().unwrap().opens(zone, at(now))
    }

    #[test]
    fn a_window_is_open_or_says_when_it_opens() {
        for (window, now, expected) in [
            ("08:00-18:00", "2026-04-01T06:00:00Z", "2026-04-01T06:00:00Z"),
            ("08:00-18:00", "2026-04-01T05:59:59Z", "2026-04-01T06:00:00Z"),
            ("08:00-18:00", "2026-04-01T16:00:00Z", "2026-04-02T06:00:00Z"),
            ("weekdays 08:00-18:00", "2026-04-03T17:00:00Z", "2026-04-06T06:00:00Z"),
            ("monday 22:00-06:00", "2026-04-07T03:59:00Z", "2026-04-07T03:59:00Z"),
            ("monday 22:00-06:00", "2026-04-07T04:00:00Z", "2026-04-13T20:00:00Z"),
            // Clocks go forward from 02:00 to 03:00 on 29 March, and back from 03:00 to 02:00 on 25 October.
            ("02:30-05:00", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"),
            ("sunday 02:10-02:50", "2026-03-28T12:00:00Z", "2026-04-05T00:10:00Z"),
            ("02:30-05:00", "2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z"),
            ("02:30-05:00", "2026-10-25T01:15:00Z", "2026-10-25T01:30:00Z"),
            ("08:00-18:00", "2026-10-24T18:00:00Z", "2026-10-25T07:00:00Z"),
        ] {
            assert_eq!(opens(window, Tz::Europe__Amsterdam, now), at(expected), "{window} {now}");
        }
    }

    #[test]
    fn hours_are_printed_as_they_are_read() {
        for (text, printed) in [
            ("08:00-18:00", "08:00-18:00"),
            ("daily 8:00-18:00", "08:00-18:00"),
            ("weekdays 08:00-18:00", "weekdays 08:00-18:00"),
            ("weekends 22:00-06:00", "saturday, sunday 22:00-06:00"),
            ("fri and mon 08:00-midnight", "monday, friday 08:00-00:00"),
        ] {
            assert_eq!(text.parse::<Window>().map(|it| it.to_string()).unwrap(), printed);
        }
        for text in ["", "08:00", "08:00-08:00", "8-18", "someday 08:00-18:00", "08:00-25:00", &"x".repeat(1 << 20)] {
            assert!(text.parse::<Window>().is_err(), "{text:.20}");
        }
    }

    proptest! {
        #[test]
        fn it_is_open_when_it_says_that_it_opens(
            from in 0_u32..1440, length in 1_u32..1440, first in 0_usize..7, days in 1_usize..8,
            second in 1_600_000_000_i64..1_900_000_000,
        ) {
            let minute = |minute: u32| Time(chrono::NaiveTime::from_num_seconds_from_midnight_opt(minute * 60, 0).unwrap());
            let named: Vec<_> = (first..first + days).map(|day| WEEK[day % 7]).collect();
            let days = WEEK.into_iter().filter(|day| named.contains(day)).collect();
            let window = Window { days, from: minute(from), to: minute((from + length) % 1440) };
            let now = DateTime::from_timestamp(second, 0).unwrap();
            let opens = window.opens(Tz::America__New_York, now);
            prop_assert!(opens >= now);
            prop_assert_eq!(window.opens(Tz::America__New_York, opens), opens);
            prop_assert_eq!(window.to_string().parse::<Window>().unwrap(), window);
        }
    }
}
