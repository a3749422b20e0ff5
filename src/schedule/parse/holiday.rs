//! Days of the year in words, as holidays have them.

use chrono::{Month, NaiveDate};

use super::{
    super::{MonthDay, RuleError, YearDay, words, year_day::Side},
    days,
    phrase::Phrase,
};

const REMEDY: &str = "a day of the year, such as `25 december`, `the 4th thursday of november`, `easter - 2`, `monday \
                      before 25 may` or `2026-05-04`";

pub(super) fn day(phrase: &mut Phrase) -> Result<YearDay, RuleError> {
    if phrase.takes("easter") {
        return easter(phrase);
    }
    if let Some(weekday) = phrase.peek().and_then(words::weekday) {
        phrase.next();
        let side = match phrase.next() {
            Some("before") => Side::Before,
            Some("after") => Side::After,
            _ => return Err(phrase.unexpected(REMEDY)),
        };
        let (month, day) = date(phrase)?;
        return Ok(YearDay::Near(weekday, side, month, day));
    }
    if days::begins(phrase) {
        let (month, on) = days::of_year(phrase)?;
        return match on[..] {
            [MonthDay::Weekday(nth, weekday)] => Ok(YearDay::Weekday(nth, weekday, month)),
            _ => Err(RuleError::new(format!("is not understood; write {REMEDY}"))),
        };
    }
    let (month, day) = date(phrase)?;
    Ok(YearDay::Date(month, day))
}

fn easter(phrase: &mut Phrase) -> Result<YearDay, RuleError> {
    let sign = match phrase.next() {
        None => return Ok(YearDay::Easter(0)),
        Some("+") => 1,
        Some("-") => -1,
        Some(_) => return Err(phrase.unexpected(REMEDY)),
    };
    let days = phrase.number().filter(|days| *days < 366).ok_or_else(|| phrase.unexpected("a number of days"))?;
    Ok(YearDay::Easter(sign * i64::from(days)))
}

fn date(phrase: &mut Phrase) -> Result<(Month, u32), RuleError> {
    let begins = |word: &str| word.bytes().all(|it| it.is_ascii_digit()) || words::month(word).is_some();
    if !phrase.peek().is_some_and(begins) {
        return Err(phrase.unexpected(REMEDY));
    }
    let (month, on) = days::of_year(phrase)?;
    // A leap year has every date there is.
    let exists = |day: u32| NaiveDate::from_ymd_opt(2024, month.number_from_month(), day).is_some();
    match on[..] {
        [MonthDay::Day(day)] if exists(day) => Ok((month, day)),
        _ => Err(RuleError::new(format!("is no date; write {REMEDY}"))),
    }
}
