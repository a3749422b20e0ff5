//! From the words people write to a rule.
//!
//! Read word by word; the first one that does not fit is named, with what could stand there.

mod days;
mod holiday;
mod phrase;

use super::{Minute, MonthDay, Rule, RuleError, Time, YearDay, words};
use phrase::Phrase;

/// What is offered when nothing fits.
const EXAMPLES: &str = "`daily at 06:00`, `weekdays at 06:00`, `weekly on monday and thursday at 06:00`, `monthly on day \
                        15 at 06:00`, `monthly on the 2nd tuesday at 06:00`, `hourly at :15`, `every 3 days at 06:00`, \
                        `quarterly on day 1 at 06:00`, `yearly on 1 april at 06:00`, `end of day`, `on demand`";

/// Reads a rule.
pub(super) fn rule(text: &str) -> Result<Rule, RuleError> {
    let trimmed = text.trim();
    if let Some(line) = after_word(trimmed, "cron") {
        return Ok(Rule::Cron { line: line.parse()? });
    }
    let bare = trimmed.get(..5).is_some_and(|head| head.eq_ignore_ascii_case("freq="));
    if let Some(line) = after_word(trimmed, "rrule").or(bare.then_some(trimmed)) {
        return Ok(Rule::Rrule { line: line.parse()? });
    }
    let lower = trimmed.to_lowercase();
    let mut phrase = Phrase::new(&lower);
    let rule = phrase_rule(&mut phrase)?;
    phrase.end()?;
    rule.settled()
}

/// What follows `word`, with a space or a colon between.
fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(word.len())?;
    (head.eq_ignore_ascii_case(word) && rest.starts_with([' ', ':'])).then(|| rest[1..].trim())
}

/// Reads a day of a month.
pub(super) fn month_day(text: &str) -> Result<MonthDay, RuleError> {
    let lower = text.trim().to_lowercase();
    let mut phrase = Phrase::new(&lower);
    let days = days::of_month(&mut phrase)?;
    phrase.end()?;
    match days[..] {
        [day] => Ok(day),
        _ => Err(RuleError::new(format!("`{text}` is more than one day; write them one by one"))),
    }
}

fn phrase_rule(phrase: &mut Phrase) -> Result<Rule, RuleError> {
    if phrase.is_empty() {
        return Err(RuleError::new(format!("is empty; write one of: {EXAMPLES}")));
    }
    if phrase.takes("on demand") {
        return Ok(Rule::OnDemand {});
    }
    if phrase.takes("hourly") {
        return hourly(phrase);
    }
    if phrase.takes("daily") {
        return Ok(Rule::Daily { every: 1, at: at(phrase)? });
    }
    if phrase.takes("end of day") {
        return Ok(Rule::Daily { every: 1, at: at_or_end_of_day(phrase)? });
    }
    if phrase.takes("end of month") {
        return Ok(Rule::Monthly { every: 1, on: vec![MonthDay::Last], at: at_or_end_of_day(phrase)? });
    }
    if phrase.takes("weekdays") || phrase.takes("every weekday") {
        let weekends = phrase.takes("and weekends");
        return Ok(Rule::Weekdays { weekends, at: at(phrase)? });
    }
    if phrase.takes("weekly") {
        return weekly(phrase, 1);
    }
    if phrase.takes("monthly") {
        return monthly(phrase, 1);
    }
    if phrase.takes("quarterly") {
        return quarterly(phrase);
    }
    if phrase.takes("yearly") {
        return yearly(phrase, 1);
    }
    if phrase.takes("every") {
        return every(phrase);
    }
    plain(phrase)
}

/// What begins with a day: `mondays at ...`, `the 2nd tuesday of every month at ...`.
fn plain(phrase: &mut Phrase) -> Result<Rule, RuleError> {
    phrase.takes("on");
    if phrase.peek().and_then(words::weekday).is_some() {
        return Ok(Rule::Weekly { every: 1, on: days::of_week(phrase)?, at: at(phrase)? });
    }
    if !days::begins(phrase) {
        return Err(phrase.unexpected(EXAMPLES));
    }
    let on = days::of_month(phrase)?;
    match days::period(phrase)? {
        days::Period::Month => Ok(Rule::Monthly { every: 1, on, at: at(phrase)? }),
        days::Period::Quarter => Ok(Rule::Quarterly { on, at: at(phrase)? }),
        days::Period::Year(month) => Ok(Rule::Yearly { every: 1, month, on, at: at(phrase)? }),
    }
}

fn every(phrase: &mut Phrase) -> Result<Rule, RuleError> {
    if phrase.takes("hour") {
        return hourly(phrase);
    }
    if phrase.peek().and_then(words::weekday).is_some() {
        return Ok(Rule::Weekly { every: 1, on: days::of_week(phrase)?, at: at(phrase)? });
    }
    let every = if phrase.takes("other") { 2 } else { phrase.number().unwrap_or(1) };
    let unit = phrase.next().unwrap_or_default().to_owned();
    match unit.strip_suffix('s').unwrap_or(&unit) {
        "hour" => {
            let at = if phrase.takes("at") { phrase.read::<Minute>()? } else { Minute(0) };
            Ok(Rule::Hours { every, at })
        }
        "day" => Ok(Rule::Daily { every, at: at(phrase)? }),
        "week" => weekly(phrase, every),
        "month" => monthly(phrase, every),
        "quarter" if every == 1 => quarterly(phrase),
        "year" => yearly(phrase, every),
        _ => {
            phrase.back();
            Err(phrase.unexpected(
                "`every 2 hours`, `every 3 days at 06:00`, `every 2 weeks on monday at 06:00`, `every 3 \
                                   months on day 1 at 06:00`, `every monday at 06:00`",
            ))
        }
    }
}

fn hourly(phrase: &mut Phrase) -> Result<Rule, RuleError> {
    let at = if phrase.takes("at") { phrase.list(Phrase::read::<Minute>)? } else { vec![Minute(0)] };
    let between = if phrase.takes("from") {
        let from = phrase.read::<Time>()?;
        phrase.needs("to", "`to` and a time, such as `from 08:00 to 18:00`")?;
        Some((from, phrase.read::<Time>()?))
    } else {
        None
    };
    Ok(Rule::Hourly { at, between })
}

fn weekly(phrase: &mut Phrase, every: u32) -> Result<Rule, RuleError> {
    phrase.needs("on", "`on` and weekdays, such as `on monday and thursday`")?;
    Ok(Rule::Weekly { every, on: days::of_week(phrase)?, at: at(phrase)? })
}

fn monthly(phrase: &mut Phrase, every: u32) -> Result<Rule, RuleError> {
    phrase.needs("on", "`on` and a day, such as `on day 15` or `on the 2nd tuesday`")?;
    let on = days::of_month(phrase)?;
    let _ = phrase.takes("of the month") || phrase.takes("of every month");
    Ok(Rule::Monthly { every, on, at: at(phrase)? })
}

fn quarterly(phrase: &mut Phrase) -> Result<Rule, RuleError> {
    phrase.needs("on", "`on` and a day of the quarter's first month, such as `on day 1`")?;
    Ok(Rule::Quarterly { on: days::of_month(phrase)?, at: at(phrase)? })
}

fn yearly(phrase: &mut Phrase, every: u32) -> Result<Rule, RuleError> {
    phrase.needs("on", "`on` and a date, such as `on 1 april` or `on the last friday of june`")?;
    let (month, on) = days::of_year(phrase)?;
    Ok(Rule::Yearly { every, month, on, at: at(phrase)? })
}

fn at(phrase: &mut Phrase) -> Result<Vec<Time>, RuleError> {
    phrase.needs("at", "`at` and a time, such as `at 06:00`")?;
    phrase.list(|phrase| {
        if phrase.takes("end of day") || phrase.takes("the end of day") {
            return Ok(Time::END_OF_DAY);
        }
        phrase.read::<Time>()
    })
}

fn at_or_end_of_day(phrase: &mut Phrase) -> Result<Vec<Time>, RuleError> {
    if phrase.is_empty() { Ok(vec![Time::END_OF_DAY]) } else { at(phrase) }
}

/// Reads a day of every year, or of one.
pub(super) fn year_day(text: &str) -> Result<YearDay, RuleError> {
    if let Ok(date) = text.trim().parse() {
        return Ok(YearDay::Once(date));
    }
    let lower = text.trim().to_lowercase();
    let mut phrase = Phrase::new(&lower);
    let day = holiday::day(&mut phrase)?;
    phrase.end()?;
    Ok(day)
}
