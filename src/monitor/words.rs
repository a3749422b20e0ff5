//! How times and numbers are written for people.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

/// An instant with its day and zone: `30 March 2026, 06:00 CEST`.
pub fn moment(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%-d %B %Y, %H:%M %Z").to_string()
}

/// The same to the second, short, for tables: `30 Mar 06:00:12 CEST`.
pub fn stamp(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%-d %b %H:%M:%S %Z").to_string()
}

/// How long something took, roughly: `2 h 5 min`.
pub fn length(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let minutes = (to - from).num_minutes();
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => format!("{} s", (to - from).num_seconds()),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// A number with its word: `1 run`, `1,200 runs`.
pub fn counted(count: impl TryInto<i64>, one: &str) -> String {
    let count = count.try_into().unwrap_or(i64::MAX);
    let plural = match one {
        "batch" => "batches".to_owned(),
        _ => format!("{one}s"),
    };
    format!("{} {}", grouped(count), if count == 1 { one.to_owned() } else { plural })
}

/// Thousands set apart: `12,345`.
pub fn grouped(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if count < 0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn times_have_their_zone_also_when_they_come_twice() {
        let zone = chrono_tz::Europe::Amsterdam;
        assert_eq!(moment(at("2026-10-25T00:30:00Z"), zone), "25 October 2026, 02:30 CEST");
        assert_eq!(moment(at("2026-10-25T01:30:00Z"), zone), "25 October 2026, 02:30 CET");
        assert_eq!(stamp(at("2026-03-29T04:00:12Z"), zone), "29 Mar 06:00:12 CEST");
    }

    #[test]
    fn lengths_and_numbers_are_short() {
        let lengths = [("10:00:40Z", "40 s"), ("10:07:00Z", "7 min"), ("12:05:00Z", "2 h 5 min")];
        for (to, expected) in lengths {
            assert_eq!(length(at("2026-04-01T10:00:00Z"), at(&format!("2026-04-01T{to}"))), expected);
        }
        assert_eq!(length(at("2026-04-01T10:00:00Z"), at("2026-04-15T13:00:00Z")), "14 d 3 h");
        assert_eq!([counted(1, "batch"), counted(37, "batch")], ["1 batch", "37 batches"]);
        assert_eq!([grouped(7), grouped(1_000), grouped(1_234_567)], ["7", "1,000", "1,234,567"]);
    }
}
