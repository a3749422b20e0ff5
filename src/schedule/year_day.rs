//! A day of every year, or of one: what holidays fall on.

use std::{fmt, str::FromStr};

use chrono::{Datelike, Days, Duration, Month, NaiveDate, Weekday};

use super::{Nth, RuleError, month, parse, words};

/// A day of every year, or of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum YearDay {
    Date(Month, u32),
    Weekday(Nth, Weekday, Month),
    /// The first such weekday after a date, or the last one before it; never the date itself.
    Near(Weekday, Side, Month, u32),
    /// So many days after Easter Sunday, or before.
    Easter(i64),
    Once(NaiveDate),
}

/// On which side of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Before,
    After,
}

impl YearDay {
    /// Its date in `year`, if it has one.
    pub fn in_year(&self, year: i32) -> Option<NaiveDate> {
        let date = |month: Month, day| NaiveDate::from_ymd_opt(year, month.number_from_month(), day);
        match *self {
            Self::Date(month, day) => date(month, day),
            Self::Weekday(nth, weekday, of) => month::weekday(date(of, 1)?, nth, weekday),
            Self::Near(weekday, side, month, day) => near(date(month, day)?, side, weekday),
            Self::Easter(days) => easter(year)?.checked_add_signed(Duration::days(days)),
            Self::Once(date) => (date.year() == year).then_some(date),
        }
    }
}

fn near(date: NaiveDate, side: Side, weekday: Weekday) -> Option<NaiveDate> {
    let days = match side {
        Side::Before => date.weekday().days_since(weekday),
        Side::After => weekday.days_since(date.weekday()),
    };
    let days = Days::new(if days == 0 { 7 } else { days.into() });
    match side {
        Side::Before => date.checked_sub_days(days),
        Side::After => date.checked_add_days(days),
    }
}

/// Easter Sunday of the Gregorian calendar, by the method of Meeus, Jones and Butcher.
fn easter(year: i32) -> Option<NaiveDate> {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (b - (b + 8) / 25 + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let sum = h + l - 7 * m + 114;
    NaiveDate::from_ymd_opt(year, u32::try_from(sum / 31).ok()?, u32::try_from(sum % 31 + 1).ok()?)
}

impl FromStr for YearDay {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        parse::year_day(text)
    }
}

impl fmt::Display for YearDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(month, day) => write!(f, "{day} {}", words::month_name(*month)),
            Self::Weekday(nth, weekday, month) => {
                write!(f, "the {nth} {} of {}", words::weekday_name(*weekday), words::month_name(*month))
            }
            Self::Near(weekday, side, month, day) => {
                let side = if *side == Side::Before { "before" } else { "after" };
                write!(f, "{} {side} {day} {}", words::weekday_name(*weekday), words::month_name(*month))
            }
            Self::Easter(0) => f.write_str("easter"),
            Self::Easter(days) => write!(f, "easter {} {}", if *days < 0 { '-' } else { '+' }, days.abs()),
            Self::Once(date) => write!(f, "{date}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_a_year_are_read_and_found() {
        let cases = [
            ("25 december", 2026, "2026-12-25"),
            ("December 25", 2026, "2026-12-25"),
            ("the 4th thursday of november", 2026, "2026-11-26"),
            ("last monday of may", 2026, "2026-05-25"),
            ("easter", 2000, "2000-04-23"),
            ("easter", 2025, "2025-04-20"),
            ("easter", 2038, "2038-04-25"),
            ("easter - 2", 2026, "2026-04-03"),
            ("easter + 39", 2026, "2026-05-14"),
            ("monday before 25 may", 2026, "2026-05-18"),
            ("monday before 25 may", 2027, "2027-05-24"),
            ("saturday after 30 october", 2026, "2026-10-31"),
            ("2026-05-04", 2026, "2026-05-04"),
        ];
        for (text, year, date) in cases {
            let day: YearDay = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(day.in_year(year).map(|date| date.to_string()).as_deref(), Some(date), "{text}");
            assert_eq!(day.to_string().parse(), Ok(day), "{text}");
        }
        let once: YearDay = "2026-05-04".parse().unwrap();
        assert_eq!(once.in_year(2027), None);
        for text in ["", "christmas", "31", "easter + x", "day 3", "monday near 3 may", "31 february 3", "40 may"] {
            assert!(text.parse::<YearDay>().is_err(), "{text}");
        }
    }
}
