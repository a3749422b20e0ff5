//! Dates in expressions: counting from one, and writing one as people read it.
//!
//! Dates are ISO text on the way in and out. Months and years end where the calendar does: a month before
//! 31 March is the last day of February.

use std::fmt::Write;

use chrono::{
    Days, Months, NaiveDate,
    format::{Item, StrftimeItems},
};
use minijinja::{Error, ErrorKind, value::Kwargs};

/// The units of `business_date - 1 month`, with the argument of `plus` and `minus` each stands for.
const UNITS: [&str; 4] = ["day", "week", "month", "year"];

/// The filter `plus(days=, weeks=, months=, years=)`.
pub(super) fn plus(date: &str, by: Kwargs) -> Result<String, Error> {
    shift(date, &by, 1)
}

/// The filter `minus(days=, weeks=, months=, years=)`.
pub(super) fn minus(date: &str, by: Kwargs) -> Result<String, Error> {
    shift(date, &by, -1)
}

/// The filter `date("%d.%m.%Y")`.
pub(super) fn format(date: &str, format: &str) -> Result<String, Error> {
    let items: Vec<Item<'_>> = StrftimeItems::new(format).collect();
    let unknown =
        || Error::new(ErrorKind::InvalidOperation, format!("`{format}` is no format of a date, like `%d.%m.%Y`"));
    if items.contains(&Item::Error) {
        return Err(unknown());
    }
    let mut text = String::new();
    write!(text, "{}", parse(date)?.format_with_items(items.iter())).map_err(|_| unknown())?;
    Ok(text)
}

/// `text` as a date, when it is written as in `2026-04-01`.
pub(super) fn iso(text: &str) -> Option<NaiveDate> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (date.to_string() == text).then_some(date)
}

fn parse(text: &str) -> Result<NaiveDate, Error> {
    iso(text).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("`{text}` is no date like 2026-04-01")))
}

fn shift(date: &str, by: &Kwargs, sign: i64) -> Result<String, Error> {
    let amount = |name: &str| Ok::<_, Error>(by.get::<Option<i64>>(name)?.unwrap_or(0).saturating_mul(sign));
    let months = amount("years")?.saturating_mul(12).saturating_add(amount("months")?);
    let days = amount("weeks")?.saturating_mul(7).saturating_add(amount("days")?);
    by.assert_all_used()?;
    let far =
        || Error::new(ErrorKind::InvalidOperation, format!("the calendar ends before `{date}` is moved that far"));
    let moved = add_months(parse(date)?, months).and_then(|date| add_days(date, days)).ok_or_else(far)?;
    Ok(moved.to_string())
}

fn add_months(date: NaiveDate, months: i64) -> Option<NaiveDate> {
    let count = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    if months < 0 { date.checked_sub_months(count) } else { date.checked_add_months(count) }
}

fn add_days(date: NaiveDate, days: i64) -> Option<NaiveDate> {
    let count = Days::new(days.unsigned_abs());
    if days < 0 { date.checked_sub_days(count) } else { date.checked_add_days(count) }
}

/// Rewrites `business_date - 1 month`, as people say it, to the filters above; all else is left as it is.
pub(super) fn rewrite(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{{").into_iter().chain(rest.find("{%")).min() {
        let close = if rest[start..].starts_with("{{") { "}}" } else { "%}" };
        let (before, block) = rest.split_at(start + 2);
        out.push_str(before);
        rest = rewrite_block(block, close, &mut out);
    }
    out.push_str(rest);
    out
}

/// Rewrites up to `close` and returns what is after it.
fn rewrite_block<'a>(block: &'a str, close: &str, out: &mut String) -> &'a str {
    let mut quote = None;
    let mut rest = block;
    while let Some(next) = rest.chars().next() {
        if quote.is_none() && rest.starts_with(close) {
            return rest;
        }
        match quote {
            None if next == '"' || next == '\'' => quote = Some(next),
            Some(open) if open == next => quote = None,
            None => {
                if let Some((filter, after)) = distance(rest) {
                    out.push_str(&filter);
                    rest = after;
                    continue;
                }
            }
            Some(_) => {}
        }
        out.push(next);
        rest = &rest[next.len_utf8()..];
    }
    rest
}

/// Reads `- 1 month` at the start of `text`: the filter it stands for, and what follows.
fn distance(text: &str) -> Option<(String, &str)> {
    let filter = match text.as_bytes().first()? {
        b'+' => "plus",
        b'-' => "minus",
        _ => return None,
    };
    let text = text[1..].trim_start_matches(' ');
    let (number, text) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let text = text.trim_start_matches(' ');
    let (word, after) =
        text.split_at(text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len()));
    let unit = UNITS.into_iter().find(|unit| word.strip_suffix('s').unwrap_or(word) == *unit)?;
    (!number.is_empty()).then(|| (format!("| {filter}({unit}s={number})"), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_rewritten_in_blocks_and_nowhere_else() {
        for (written, meant) in [
            ("{{ run_date - 1 month }}", "{{ run_date | minus(months=1) }}"),
            ("{{run_date - 1 month}}", "{{run_date | minus(months=1)}}"),
            ("{{ a + 2 weeks -3days }} - 1 day", "{{ a | plus(weeks=2) | minus(days=3) }} - 1 day"),
            ("{% if a - 1 year %}{{ 3 - 1 }}", "{% if a | minus(years=1) %}{{ 3 - 1 }}"),
            ("{{ '}} - 1 day' }}", "{{ '}} - 1 day' }}"),
            ("{{- n - 1 monthly -}}", "{{- n - 1 monthly -}}"),
            ("{{ open - 1 day", "{{ open | minus(days=1)"),
        ] {
            assert_eq!(rewrite(written), meant);
        }
    }

    #[test]
    fn only_whole_iso_dates_are_dates() {
        assert!(iso("2026-04-01").is_some());
        for text in ["2026-4-1", "2026-02-30", "01.04.2026", "2026-04-01T00:00", ""] {
            assert!(iso(text).is_none(), "{text}");
        }
    }
}
