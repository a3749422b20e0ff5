//! Which days are business days.
//!
//! A calendar is written as rules for every year, as an iCalendar file, or both ([`Written`]); read, it is a weekend and a
//! list of dates.

mod holidays;
mod icalendar;
mod observed;
mod written;

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate, Weekday};

pub use written::{Flaw, Holiday, Written};

use super::Roll;

/// The free days of one place: a weekend, and holidays by their dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    weekend: Vec<Weekday>,
    holidays: BTreeMap<NaiveDate, String>,
}

/// Saturdays and Sundays are free, nothing else.
impl Default for Calendar {
    fn default() -> Self {
        Self { weekend: vec![Weekday::Sat, Weekday::Sun], holidays: BTreeMap::new() }
    }
}

/// How far the next business day is looked for. A calendar without one within a year has none.
const FAR: u64 = 366;

impl Calendar {
    /// The name of the holiday on `date`, if it is one.
    pub fn holiday(&self, date: NaiveDate) -> Option<&str> {
        self.holidays.get(&date).map(String::as_str)
    }

    /// Whether `date` is neither weekend nor holiday.
    pub fn is_business_day(&self, date: NaiveDate) -> bool {
        !self.weekend.contains(&date.weekday()) && !self.holidays.contains_key(&date)
    }

    /// Why `date` is free: the name of its holiday, or of its weekday.
    pub(super) fn why_free(&self, date: NaiveDate) -> String {
        self.holiday(date).map_or_else(|| date.format("%A").to_string(), str::to_owned)
    }

    /// Where what falls on `date` goes; `None` when it is left out.
    pub(super) fn roll(&self, date: NaiveDate, roll: Roll) -> Option<NaiveDate> {
        if self.is_business_day(date) {
            return Some(date);
        }
        match roll {
            Roll::None => Some(date),
            Roll::Skip => None,
            Roll::Following => self.business_day(date, Direction::Forth),
            Roll::Preceding => self.business_day(date, Direction::Back),
            Roll::ModifiedFollowing => self
                .business_day(date, Direction::Forth)
                .filter(|rolled| (rolled.year(), rolled.month()) == (date.year(), date.month()))
                .or_else(|| self.business_day(date, Direction::Back)),
        }
    }

    /// The earliest date whose roll may lead to `date` or later.
    pub(super) fn reaches_back(&self, date: NaiveDate) -> NaiveDate {
        let before = |date: &NaiveDate| date.pred_opt();
        let free = std::iter::successors(date.pred_opt(), before).take(FAR as usize);
        free.take_while(|day| !self.is_business_day(*day)).last().unwrap_or(date)
    }

    fn business_day(&self, from: NaiveDate, direction: Direction) -> Option<NaiveDate> {
        let step = |distance: u64| match direction {
            Direction::Forth => from.checked_add_days(Days::new(distance)),
            Direction::Back => from.checked_sub_days(Days::new(distance)),
        };
        (1..=FAR).map_while(step).find(|date| self.is_business_day(*date))
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Forth,
    Back,
}
