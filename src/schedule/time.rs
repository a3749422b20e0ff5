//! Times of day to the minute, and minutes of the hour.

use std::{fmt, str::FromStr};

use chrono::NaiveTime;
use serde::{Deserialize, Serialize};

use super::RuleError;

/// A time of day to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Time(pub NaiveTime);

impl Time {
    /// What `end of day` means.
    pub(super) const END_OF_DAY: Self = match NaiveTime::from_hms_opt(23, 59, 0) {
        Some(time) => Self(time),
        None => Self(NaiveTime::MIN),
    };
}

impl FromStr for Time {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let wrong = || RuleError::new(format!("`{text}` is no time of day; write one such as `06:00`"));
        match text {
            "midnight" => return Ok(Self(NaiveTime::MIN)),
            "noon" => return NaiveTime::from_hms_opt(12, 0, 0).map(Self).ok_or_else(wrong),
            _ => {}
        }
        let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
        let number = |part: &str, longest: std::ops::RangeInclusive<usize>| {
            let fits = longest.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            fits.then(|| part.parse::<u32>().ok()).flatten()
        };
        let (hour, minute) = number(hour, 1..=2).zip(number(minute, 2..=2)).ok_or_else(wrong)?;
        NaiveTime::from_hms_opt(hour, minute, 0).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%H:%M"))
    }
}

impl TryFrom<String> for Time {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        text.parse()
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        time.to_string()
    }
}

/// A minute of any hour, written `:15`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Minute(pub(super) u32);

impl FromStr for Minute {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let digits = text.strip_prefix(':').filter(|it| it.len() == 2 && it.bytes().all(|byte| byte.is_ascii_digit()));
        let minute = digits.and_then(|it| it.parse().ok()).filter(|minute| *minute < 60).map(Self);
        minute.ok_or_else(|| RuleError::new(format!("`{text}` is no minute of the hour; write one such as `:15`")))
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ":{:02}", self.0)
    }
}

impl TryFrom<String> for Minute {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        text.parse()
    }
}

impl From<Minute> for String {
    fn from(minute: Minute) -> Self {
        minute.to_string()
    }
}
