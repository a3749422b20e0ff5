//! Occurrences as an iCalendar feed (RFC 5545).

use std::fmt::Write;

use chrono::{DateTime, Utc};

use crate::trigger::schedule::{Due, DueState};

/// The longest line in bytes, without its end.
const LINE: usize = 75;

/// A calendar with an event for each of `dues`.
pub(super) fn feed(dues: &[Due], now: DateTime<Utc>) -> String {
    let mut text = String::new();
    for line in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//postbook//calendar//EN", "X-WR-CALNAME:Postbook"] {
        put(&mut text, line);
    }
    for due in dues {
        event(&mut text, due, now);
    }
    put(&mut text, "END:VCALENDAR");
    text
}

fn event(text: &mut String, due: &Due, now: DateTime<Utc>) {
    let stamp = |at: DateTime<Utc>| at.format("%Y%m%dT%H%M%SZ").to_string();
    let (state, status) = match due.state {
        DueState::Planned => ("", "CONFIRMED"),
        DueState::Waiting => (" (waiting)", "TENTATIVE"),
        DueState::Ran => ("", "CONFIRMED"),
        DueState::Skipped => (" (skipped)", "CANCELLED"),
        DueState::Missed => (" (missed)", "CANCELLED"),
    };
    let reason = due.reason.iter().chain(&due.notes).filter_map(|it| it["text"].as_str());
    let run = due.run.map(|run| format!("run {run}"));
    let about = format!("for {}", due.business_date);
    let description: Vec<_> = std::iter::once(about.as_str()).chain(run.as_deref()).chain(reason).collect();
    put(text, "BEGIN:VEVENT");
    put(text, &format!("UID:{}/{}@postbook", escaped(&due.batch), escaped(&due.key)));
    put(text, &format!("DTSTAMP:{}", stamp(now)));
    put(text, &format!("DTSTART:{}", stamp(due.at)));
    if let Some(until) = due.until.filter(|until| *until > due.at) {
        put(text, &format!("DTEND:{}", stamp(until)));
    }
    put(text, &format!("SUMMARY:{}{state}", escaped(&due.batch)));
    put(text, &format!("DESCRIPTION:{}", escaped(&description.join("\n"))));
    put(text, &format!("STATUS:{status}"));
    // Nobody is busy because a batch runs.
    put(text, "TRANSP:TRANSPARENT");
    put(text, "END:VEVENT");
}

/// A value of the type TEXT.
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\\' | ';' | ',' => {
                let _ = write!(escaped, "\\{character}");
            }
            '\n' => escaped.push_str("\\n"),
            character if character.is_control() => {}
            character => escaped.push(character),
        }
    }
    escaped
}

/// Adds a line, folded between characters where it is too long.
fn put(text: &mut String, line: &str) {
    let mut length = 0;
    for character in line.chars() {
        if length + character.len_utf8() > LINE {
            text.push_str("\r\n ");
            length = 1;
        }
        text.push(character);
        length += character.len_utf8();
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_folded_and_what_has_a_meaning_is_escaped() {
        let due = Due {
            batch: "morning".to_owned(),
            key: "2026-04-01T06:00".to_owned(),
            local: "2026-04-01T06:00".to_owned(),
            at: DateTime::from_timestamp(1_775_016_000, 0).unwrap(),
            until: None,
            business_date: "2026-04-01".parse().unwrap(),
            state: DueState::Skipped,
            reason: Some(serde_json::json!({ "text": "é".repeat(100) + "; a, b\\c" })),
            notes: Vec::new(),
            run: None,
            run_state: None,
        };
        let feed = feed(&[due], DateTime::from_timestamp(0, 0).unwrap());
        assert!(feed.split("\r\n").all(|line| line.len() <= LINE), "{feed}");
        assert!(!feed.replace("\r\n", "").contains(['\r', '\n']));
        let unfolded = feed.replace("\r\n ", "");
        assert!(unfolded.contains("\r\nDTSTART:20260401T040000Z\r\n"), "{unfolded}");
        assert!(unfolded.contains(r"\; a\, b\\c"), "{unfolded}");
        assert!(unfolded.contains(&"é".repeat(100)), "{unfolded}");
        assert!(unfolded.contains("\r\nSTATUS:CANCELLED\r\n"));
    }
}
