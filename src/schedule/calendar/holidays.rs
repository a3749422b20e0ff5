//! Holidays put on their dates.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate, Weekday};

use super::{Calendar, observed::Observed};
use crate::schedule::YearDay;

/// The years whose holidays are worked out. Outside of them only weekends are free, and what zones do is not known
/// either.
pub(super) const YEARS: std::ops::RangeInclusive<i32> = 1970..=2100;

/// A holiday by rule.
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) on: YearDay,
    pub(super) observed: Observed,
    pub(super) years: std::ops::RangeInclusive<i32>,
}

/// Holidays that are being put on their dates.
pub(super) struct Holidays {
    weekend: Vec<Weekday>,
    dates: BTreeMap<NaiveDate, String>,
}

impl Holidays {
    pub(super) fn new(weekend: &[Weekday]) -> Self {
        Self { weekend: weekend.to_vec(), dates: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, date: NaiveDate, name: &str) {
        self.dates.entry(date).or_insert_with(|| name.to_owned());
    }

    /// First those that stay where they are, then those that give way to them, in the order they are written.
    pub(super) fn add_rules(&mut self, rules: &[Rule]) {
        for year in YEARS {
            let due = rules.iter().filter(|rule| rule.years.contains(&year));
            let dated = due.filter_map(|rule| Some((rule, rule.on.in_year(year)?)));
            let (moving, staying): (Vec<_>, Vec<_>) = dated.partition(|(_, date)| self.is_weekend(*date));
            staying.into_iter().for_each(|(rule, date)| self.add(date, &rule.name));
            for (rule, date) in moving {
                if let Some(date) = rule.observed.moved(date, |date| self.is_free(date)) {
                    self.add(date, &rule.name);
                }
            }
        }
    }

    pub(super) fn into_calendar(self) -> Calendar {
        Calendar { weekend: self.weekend, holidays: self.dates }
    }

    fn is_weekend(&self, date: NaiveDate) -> bool {
        self.weekend.contains(&date.weekday())
    }

    fn is_free(&self, date: NaiveDate) -> bool {
        self.is_weekend(date) || self.dates.contains_key(&date)
    }
}
