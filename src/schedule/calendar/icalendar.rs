//! Holidays from an iCalendar file: its all-day events, also those that come again.

use chrono::{Days, NaiveDate, NaiveTime};
use icalendar::parser::{Component, Property, read_calendar, unfold};

use super::holidays::YEARS;
use crate::schedule::Recurrence;

/// Larger files are no calendars of holidays.
const LONGEST: usize = 2 * 1024 * 1024;
/// The most days that one event may last, and that a file may name.
const MOST: u64 = 366;
const MOST_DATES: usize = 50_000;

/// The dates of all-day events, with their names.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn holidays(text: &str) -> Result<Vec<(NaiveDate, String)>, String> {
    if text.len() > LONGEST {
        return Err(format!("has {} bytes; a calendar of holidays has less than {LONGEST}", text.len()));
    }
    let unfolded = unfold(text);
    let calendar = read_calendar(&unfolded).map_err(|error| {
        let line: String = error.lines().next().unwrap_or_default().chars().take(200).collect();
        format!("is no iCalendar file ({line}); it begins with `BEGIN:VCALENDAR`")
    })?;
    let mut dates = Vec::new();
    for event in calendar.components.iter().filter(|component| component.name == "VEVENT") {
        dates.extend(event_dates(event)?);
        if dates.len() > MOST_DATES {
            return Err(format!("names more than {MOST_DATES} days; leave out what is no holiday"));
        }
    }
    if dates.is_empty() {
        return Err("has no all-day event; those are the holidays".to_owned());
    }
    Ok(dates)
}

/// The days of one event; none when it has a time of day or was cancelled.
fn event_dates(event: &Component) -> Result<Vec<(NaiveDate, String)>, String> {
    let value = |name: &str| event.find_prop(name).map(|property| property.val.as_str());
    let name = value("SUMMARY").unwrap_or("holiday").replace("\\,", ",");
    let Some(start) = value("DTSTART").and_then(date).filter(|_| value("STATUS") != Some("CANCELLED")) else {
        return Ok(Vec::new());
    };
    let last = value("DTEND").and_then(date).and_then(|end| end.pred_opt()).unwrap_or(start).max(start);
    let length = (last - start).num_days().unsigned_abs().min(MOST - 1);
    let begins = match value("RRULE") {
        None => vec![start],
        Some(rule) => recurring(rule, start).map_err(|text| format!("the event `{name}`: {text}"))?,
    };
    let left_out: Vec<_> =
        event.properties.iter().filter(|property| property.name == "EXDATE").flat_map(dates).collect();
    let days = begins.into_iter().filter(|begin| !left_out.contains(begin)).flat_map(|begin| {
        let all = begin.iter_days().zip(0..=length);
        all.map(|(day, _)| (day, name.clone()))
    });
    // A long event that comes every day would be more than memory holds.
    Ok(days.take(MOST_DATES + 1).collect())
}

/// When an event begins, as often as it comes again.
fn recurring(rule: &str, start: NaiveDate) -> Result<Vec<NaiveDate>, String> {
    // Days have no time, which our rules ask for.
    let rule: Recurrence =
        format!("{rule};BYHOUR=0").parse().map_err(|error: crate::schedule::RuleError| error.to_string())?;
    let lasts = |date: NaiveDate| rule.lasts(date.and_time(NaiveTime::MIN), date.and_time(NaiveTime::MIN).and_utc());
    let known = |date: &NaiveDate| YEARS.contains(&chrono::Datelike::year(date)) && lasts(*date);
    let from = start.checked_add_days(Days::new(1)).unwrap_or(start);
    let dates = rule.dates(start, from).map(|(date, _)| date).skip_while(|date| *date < start).take_while(known);
    Ok(dates.take(MOST_DATES).collect())
}

fn dates<'a>(property: &'a Property) -> impl Iterator<Item = NaiveDate> + 'a {
    property.val.as_str().split(',').filter_map(date)
}

/// A date without a time of day.
fn date(text: &str) -> Option<NaiveDate> {
    (text.len() == 8).then(|| NaiveDate::parse_from_str(text, "%Y%m%d").ok()).flatten()
}
