//! When something may be sent: in a window of the sender's day, and not in the quiet hours of the recipient's.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::{Flaw, RuleError, Window};

/// Hours that a batch or an account keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// Only then, where the sender is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Not then, where the recipient is; every day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Window>,
}

/// A window with the zone whose clocks it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    pub window: Window,
    pub zone: Tz,
    pub keeper: Keeper,
}

/// Why a door is closed at times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// The sender sends in certain hours.
    Sender,
    /// The recipient has quiet hours.
    Recipient,
}

/// How doors stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// All are open.
    Now,
    /// All are open then; the last one to open goes by the clocks of that zone, and is kept by that one.
    Then(DateTime<Utc>, Tz, Keeper),
    /// They are never open at the same time.
    Never,
}

/// How often one looks for a time at which all doors are open. Two that open once a week each need no more.
const LOOKS: usize = 64;

impl Hours {
    /// Reads them as they are written.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn read(window: Option<&str>, quiet: Option<&str>) -> Result<Self, Vec<Flaw>> {
        let mut flaws = Vec::new();
        let mut read = |field: &'static str, text: Option<&str>, daily: bool| {
            let window = text.map(|text| text.parse::<Window>().and_then(|window| check(window, daily))).transpose();
            window.unwrap_or_else(|error| {
                flaws.push(Flaw { field, text: error.to_string() });
                None
            })
        };
        let hours = Self { window: read("window", window, false), quiet: read("quiet", quiet, true) };
        if flaws.is_empty() { Ok(hours) } else { Err(flaws) }
    }

    /// The doors these hours make, for a sender in `here` and a recipient in `there`.
    pub fn doors(&self, here: Tz, there: Tz) -> impl Iterator<Item = Door> + '_ {
        let door = |zone, keeper| move |window| Door { window, zone, keeper };
        let window = self.window.clone().map(door(here, Keeper::Sender));
        let loud = self.quiet.as_ref().and_then(Window::inverted).map(door(there, Keeper::Recipient));
        window.into_iter().chain(loud)
    }
}

fn check(window: Window, daily: bool) -> Result<Window, RuleError> {
    if daily && window.inverted().is_none() {
        return Err(RuleError::new("quiet hours are the same every day; write them as `21:00-08:00`"));
    }
    Ok(window)
}

/// When all `doors` are open, from `now` on.
pub fn opening(doors: &[Door], now: DateTime<Utc>) -> Opening {
    let mut opening = Opening::Now;
    let mut at = now;
    for _ in 0..LOOKS {
        let next = doors.iter().map(|door| (door.window.opens(door.zone, at), door)).max_by_key(|it| it.0);
        match next {
            Some((next, door)) if next > at => {
                at = next;
                opening = Opening::Then(at, door.zone, door.keeper);
            }
            _ => return opening,
        }
    }
    Opening::Never
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_sent_waits_for_both_days() {
        let hours = Hours::read(Some("weekdays 09:00-17:00"), Some("21:00-08:00")).unwrap();
        // New York's office hours, and a recipient in Warsaw.
        let doors: Vec<_> = hours.doors(Tz::America__New_York, Tz::Europe__Warsaw).collect();
        for (now, expected) in [
            ("2026-04-01T14:00:00Z", None),
            ("2026-04-01T10:00:00Z", Some("2026-04-01T13:00:00Z")),
            ("2026-04-01T19:30:00Z", Some("2026-04-02T13:00:00Z")),
            ("2026-04-03T19:30:00Z", Some("2026-04-06T13:00:00Z")),
        ] {
            let then = |text| Opening::Then(at(text), Tz::America__New_York, Keeper::Sender);
            let expected = expected.map_or(Opening::Now, then);
            assert_eq!(opening(&doors, at(now)), expected, "{now}");
        }
        assert_eq!(opening(&[], at("2026-04-01T10:00:00Z")), Opening::Now);
    }

    #[test]
    fn hours_that_are_never_open_together_are_told_apart() {
        let hours = Hours::read(Some("02:00-04:00"), Some("21:00-08:00")).unwrap();
        let doors: Vec<_> = hours.doors(Tz::UTC, Tz::UTC).collect();
        assert_eq!(opening(&doors, at("2026-04-01T10:00:00Z")), Opening::Never);
    }

    #[test]
    fn quiet_hours_are_hours_of_every_day() {
        let flaws = Hours::read(Some("nine to five"), Some("weekdays 21:00-08:00")).unwrap_err();
        assert_eq!(flaws.iter().map(|flaw| flaw.field).collect::<Vec<_>>(), ["window", "quiet"]);
    }
}
