//! A calendar as it is written, and what is wrong with one that cannot be read.

use serde::{Deserialize, Serialize};

use super::{
    Calendar,
    holidays::{Holidays, Rule},
    icalendar,
};
use crate::schedule::{YearDay, words};

/// The free days of a place: rules for every year, an iCalendar file, or both.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Calendar)]
pub struct Written {
    /// The key in paths and schedules: small letters, digits and hyphens.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "netherlands")]
    pub name: Option<String>,
    /// What people call it; the name when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The weekdays that are free; Saturday and Sunday when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weekend: Option<Vec<String>>,
    /// A file in the format iCalendar, whose all-day events are holidays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ics: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holiday: Vec<Holiday>,
}

/// A holiday by rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Holiday {
    #[schema(required, example = "Christmas Day")]
    pub name: Option<String>,
    /// `25 december`, `the 4th thursday of november`, `easter - 2`, `monday before 25 may`, `2026-05-04`.
    #[schema(required, example = "25 december")]
    pub on: Option<String>,
    /// Where it goes from a weekend: `monday` (the next one), `monday_if_sunday`, `nearest` (Friday or Monday),
    /// `following` (the next business day). It stays when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "following")]
    pub observed: Option<String>,
    /// The first year.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<i32>,
    /// The last year.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<i32>,
}

/// What is wrong at one place, such as `holiday/2/on`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    pub at: String,
    pub text: String,
}

impl Written {
    /// Reads it, without its name and title.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(&self) -> Result<Calendar, Vec<Flaw>> {
        let mut flaws = Vec::new();
        let mut tell = |at: String, text: String| flaws.push(Flaw { at, text });
        let weekend = self.weekend(&mut tell);
        let mut holidays = Holidays::new(&weekend);
        if let Some(ics) = &self.ics {
            match icalendar::holidays(ics) {
                Ok(dates) => dates.into_iter().for_each(|(date, name)| holidays.add(date, &name)),
                Err(text) => tell("ics".to_owned(), text),
            }
        }
        let rules = self.holiday.iter().enumerate().filter_map(|(index, holiday)| holiday.rule(index, &mut tell));
        let rules: Vec<_> = rules.collect();
        holidays.add_rules(&rules);
        if flaws.is_empty() { Ok(holidays.into_calendar()) } else { Err(flaws) }
    }

    fn weekend(&self, tell: &mut impl FnMut(String, String)) -> Vec<chrono::Weekday> {
        let Some(written) = &self.weekend else { return Calendar::default().weekend };
        let mut weekend = Vec::new();
        for (index, name) in written.iter().enumerate() {
            match words::weekday(&name.trim().to_lowercase()) {
                Some(weekday) => weekend.push(weekday),
                None => tell(format!("weekend/{index}"), format!("`{name}` is no weekday; write one such as `friday`")),
            }
        }
        weekend.sort_by_key(chrono::Weekday::num_days_from_monday);
        weekend.dedup();
        if weekend.len() == 7 {
            tell("weekend".to_owned(), "leaves no business day; write fewer weekdays".to_owned());
        }
        weekend
    }
}

impl Holiday {
    fn rule(&self, index: usize, tell: &mut impl FnMut(String, String)) -> Option<Rule> {
        let mut wrong = |field: &str, text: String| tell(format!("holiday/{index}/{field}"), text);
        let name = self.name.clone().filter(|name| !name.trim().is_empty());
        if name.is_none() {
            wrong("name", "is missing; write what the day is called".to_owned());
        }
        let on = self.on.as_deref().unwrap_or_default().parse();
        let on: Option<YearDay> = on.map_err(|error: crate::schedule::RuleError| wrong("on", error.to_string())).ok();
        let observed = self.observed.as_deref().map(str::parse).transpose();
        let observed = observed.map_err(|text: String| wrong("observed", text)).ok().map(Option::unwrap_or_default);
        let years = self.from.unwrap_or(i32::MIN)..=self.until.unwrap_or(i32::MAX);
        if years.is_empty() {
            wrong("until", "lies before `from`; write a later year".to_owned());
        }
        Some(Rule { name: name?, on: on?, observed: observed?, years })
    }
}
