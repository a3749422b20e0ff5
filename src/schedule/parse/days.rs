//! Days in words: of the week, of the month, of the year.

use chrono::{Month, Weekday};

use super::{
    super::{MonthDay, Nth, RuleError, words},
    phrase::Phrase,
};

/// What a day is one of.
pub(super) enum Period {
    Month,
    Quarter,
    Year(Month),
}

const OF_MONTH: &str = "a day of the month, such as `day 15`, `the last day`, `the 2nd tuesday`, `the last friday` or `the first business day`";

pub(super) fn of_week(phrase: &mut Phrase) -> Result<Vec<Weekday>, RuleError> {
    phrase.list(|phrase| {
        let weekday = phrase.peek().and_then(words::weekday);
        let weekday = weekday.ok_or_else(|| phrase.unexpected("a weekday, such as `monday`"))?;
        phrase.next();
        Ok(weekday)
    })
}

/// Whether a day of the month comes next.
pub(super) fn begins(phrase: &Phrase) -> bool {
    phrase.peek().is_some_and(|word| matches!(word, "the" | "day" | "last") || words::ordinal(word).is_some())
}

/// Days of the month: `day 1 and 15`, `the 1st and 3rd monday`, `day 1 and the last friday`.
pub(super) fn of_month(phrase: &mut Phrase) -> Result<Vec<MonthDay>, RuleError> {
    let mut days = Vec::new();
    loop {
        if phrase.takes("day") {
            numbered(phrase, &mut days)?;
        } else {
            phrase.takes("the");
            counted(phrase, &mut days)?;
        }
        if !phrase.goes_on() {
            return Ok(days);
        }
    }
}

/// `15`, or `1, 15 and 20`, after the word `day`.
fn numbered(phrase: &mut Phrase, days: &mut Vec<MonthDay>) -> Result<(), RuleError> {
    let number = phrase.number().ok_or_else(|| phrase.unexpected("a number, such as `day 15`"))?;
    days.push(MonthDay::Day(number));
    while another_number(phrase) {
        days.extend(phrase.number().map(MonthDay::Day));
    }
    Ok(())
}

/// Takes what stands before another number; puts it back when it is another day in words.
fn another_number(phrase: &mut Phrase) -> bool {
    let mut taken = 0;
    for joiner in [",", "and"] {
        taken += u32::from(phrase.takes(joiner));
    }
    let goes_on = taken > 0 && phrase.peek().is_some_and(|word| word.bytes().all(|it| it.is_ascii_digit()));
    if !goes_on {
        (0..taken).for_each(|_| phrase.back());
    }
    goes_on
}

/// `1st and 3rd monday`, `last day`, `2nd business day`, `15th`.
fn counted(phrase: &mut Phrase, days: &mut Vec<MonthDay>) -> Result<(), RuleError> {
    let ordinals = phrase.list(|phrase| {
        phrase.takes("the");
        let word = phrase.next().unwrap_or_default();
        match words::ordinal(word) {
            Some(number) => Ok(Nth::From(number)),
            None if word == "last" => Ok(Nth::Last),
            None => {
                phrase.back();
                Err(phrase.unexpected(OF_MONTH))
            }
        }
    })?;
    if phrase.takes("business day") {
        days.extend(ordinals.into_iter().map(MonthDay::Business));
        return Ok(());
    }
    if let Some(weekday) = phrase.peek().and_then(words::weekday) {
        phrase.next();
        days.extend(ordinals.into_iter().map(|nth| MonthDay::Weekday(nth, weekday)));
        return Ok(());
    }
    let day = phrase.takes("day");
    for nth in ordinals {
        days.push(match nth {
            Nth::From(number) => MonthDay::Day(number),
            Nth::Last if day => MonthDay::Last,
            Nth::Last => return Err(phrase.unexpected("`last day`, or `last` and a weekday")),
        });
    }
    Ok(())
}

/// `of every month`, `of the quarter`, `of march`.
pub(super) fn period(phrase: &mut Phrase) -> Result<Period, RuleError> {
    const REMEDY: &str = "`of every month`, `of every quarter`, or `of` and a month";
    phrase.needs("of", REMEDY)?;
    let _ = phrase.takes("the") || phrase.takes("every") || phrase.takes("each");
    if phrase.takes("month") {
        return Ok(Period::Month);
    }
    if phrase.takes("quarter") {
        return Ok(Period::Quarter);
    }
    let month = phrase.peek().and_then(words::month).ok_or_else(|| phrase.unexpected(REMEDY))?;
    phrase.next();
    Ok(Period::Year(month))
}

/// `1 april`, `april 1`, `the last friday of june`.
pub(super) fn of_year(phrase: &mut Phrase) -> Result<(Month, Vec<MonthDay>), RuleError> {
    if let Some(day) = phrase.number() {
        return Ok((month(phrase)?, vec![MonthDay::Day(day)]));
    }
    if phrase.peek().and_then(words::month).is_some() {
        let month = month(phrase)?;
        let day = phrase.number().ok_or_else(|| phrase.unexpected("a day, such as `april 1`"))?;
        return Ok((month, vec![MonthDay::Day(day)]));
    }
    let on = of_month(phrase)?;
    phrase.takes("of");
    Ok((month(phrase)?, on))
}

fn month(phrase: &mut Phrase) -> Result<Month, RuleError> {
    let month = phrase.peek().and_then(words::month);
    let month = month.ok_or_else(|| phrase.unexpected("a month, such as `april`"))?;
    phrase.next();
    Ok(month)
}
