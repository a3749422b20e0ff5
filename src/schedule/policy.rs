//! The policies of a schedule, each with the word it is written with.

use std::{fmt, str::FromStr, time::Duration};

use humantime_serde::re::humantime;
use serde::{Deserialize, Serialize};

/// Why a policy is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{written}` is not known; write {choices}")]
pub struct PolicyError {
    written: String,
    choices: String,
}

/// What becomes of occurrences that came due while nobody looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Missed {
    /// The latest runs, the others are skipped.
    #[default]
    RunOnce,
    RunAll,
    Skip,
    /// Those that are late by less than this run, the others are skipped.
    RunIfLateLessThan(Duration),
}

/// What becomes of an occurrence that comes due while an earlier run is under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    #[default]
    Allow,
    Skip,
    Queue,
}

/// What at most one run may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Once {
    /// One date: what ran for it by hand or by another schedule of the batch counts as well.
    Day,
}

/// Where an occurrence on a free day goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Roll {
    /// It stays: free days are like others.
    #[default]
    None,
    /// It is left out.
    Skip,
    /// To the next business day.
    Following,
    /// To the business day before.
    Preceding,
    /// To the next business day, unless that is in another month: then to the one before.
    ModifiedFollowing,
}

/// Where the 29th, 30th or 31st goes in a month without one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShortMonth {
    #[default]
    LastDay,
    Skip,
    FirstOfNext,
}

impl Overlap {
    const WORDS: [(Self, &str); 3] = [(Self::Allow, "allow"), (Self::Skip, "skip"), (Self::Queue, "queue")];
}

impl Once {
    const WORDS: [(Self, &str); 1] = [(Self::Day, "day")];
}

impl Roll {
    const WORDS: [(Self, &str); 5] = [
        (Self::None, "none"),
        (Self::Skip, "skip"),
        (Self::Following, "following"),
        (Self::Preceding, "preceding"),
        (Self::ModifiedFollowing, "modified_following"),
    ];
}

impl ShortMonth {
    const WORDS: [(Self, &str); 3] =
        [(Self::LastDay, "last_day"), (Self::Skip, "skip"), (Self::FirstOfNext, "first_of_next")];
}

fn find<T: Copy>(words: &[(T, &str)], written: &str) -> Result<T, PolicyError> {
    let written = written.trim();
    words.iter().find(|(_, word)| *word == written).map(|(policy, _)| *policy).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(_, word)| format!("`{word}`")).collect();
        PolicyError { written: written.to_owned(), choices: format!("one of {}", words.join(", ")) }
    })
}

fn word<T: PartialEq>(words: &[(T, &'static str)], policy: &T) -> &'static str {
    words.iter().find(|(it, _)| it == policy).map_or("", |(_, word)| word)
}

impl FromStr for Overlap {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        find(&Self::WORDS, text)
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(&Self::WORDS, self))
    }
}

impl FromStr for Once {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        find(&Self::WORDS, text)
    }
}

impl fmt::Display for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(&Self::WORDS, self))
    }
}

impl FromStr for Roll {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        find(&Self::WORDS, text)
    }
}

impl fmt::Display for Roll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(&Self::WORDS, self))
    }
}

impl FromStr for ShortMonth {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        find(&Self::WORDS, text)
    }
}

impl fmt::Display for ShortMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(&Self::WORDS, self))
    }
}

const LATE: &str = "run_if_late_less_than";

impl FromStr for Missed {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        match text.trim() {
            "run_once" => return Ok(Self::RunOnce),
            "run_all" => return Ok(Self::RunAll),
            "skip" => return Ok(Self::Skip),
            _ => {}
        }
        let late = text.trim().strip_prefix(LATE).map(str::trim);
        late.and_then(|late| humantime::parse_duration(late).ok()).map(Self::RunIfLateLessThan).ok_or_else(|| {
            let choices = format!("one of `run_once`, `run_all`, `skip`, `{LATE} 2h`");
            PolicyError { written: text.to_owned(), choices }
        })
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunOnce => f.write_str("run_once"),
            Self::RunAll => f.write_str("run_all"),
            Self::Skip => f.write_str("skip"),
            Self::RunIfLateLessThan(late) => write!(f, "{LATE} {}", humantime::format_duration(*late)),
        }
    }
}

impl TryFrom<String> for Missed {
    type Error = PolicyError;

    fn try_from(text: String) -> Result<Self, PolicyError> {
        text.parse()
    }
}

impl From<Missed> for String {
    fn from(missed: Missed) -> Self {
        missed.to_string()
    }
}
