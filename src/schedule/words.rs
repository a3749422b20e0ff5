//! The names that rules are made of: weekdays, months, ordinals, lists.

use chrono::{Month, Weekday};

const WEEKDAYS: [(Weekday, &str); 7] = [
    (Weekday::Mon, "monday"),
    (Weekday::Tue, "tuesday"),
    (Weekday::Wed, "wednesday"),
    (Weekday::Thu, "thursday"),
    (Weekday::Fri, "friday"),
    (Weekday::Sat, "saturday"),
    (Weekday::Sun, "sunday"),
];

/// The weekday that `word` names: in full, in three letters, or in the plural.
pub(super) fn weekday(word: &str) -> Option<Weekday> {
    let singular = word.strip_suffix('s').unwrap_or(word);
    let named = |name: &str| singular == name || word == &name[..3] || word == &name[..4];
    WEEKDAYS.iter().find(|(_, name)| named(name)).map(|(weekday, _)| *weekday)
}

/// A weekday's name.
pub(super) fn weekday_name(weekday: Weekday) -> &'static str {
    WEEKDAYS[weekday.num_days_from_monday() as usize].1
}

/// The month that `word` names, in full or in three letters.
pub(super) fn month(word: &str) -> Option<Month> {
    word.parse().ok()
}

/// A month's name in small letters.
pub(super) fn month_name(month: Month) -> String {
    month.name().to_lowercase()
}

const ORDINALS: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

/// The number that an ordinal stands for: `1st`, `second`, `31st`.
pub(super) fn ordinal(word: &str) -> Option<u32> {
    if let Some(index) = ORDINALS.iter().position(|it| *it == word) {
        return u32::try_from(index + 1).ok();
    }
    let end = word.find(|it: char| !it.is_ascii_digit())?;
    let number = word[..end].parse().ok()?;
    (ordinal_name(number) == word || &word[end..] == "th").then_some(number)
}

/// `1st`, `2nd`, `3rd`, `11th`.
pub(super) fn ordinal_name(number: u32) -> String {
    let suffix = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list<T: std::fmt::Display>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.to_string(),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(ToString::to_string).collect();
            format!("{} and {last}", first.join(", "))
        }
    }
}
