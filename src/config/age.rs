//! Ages as people write them: `400 days`, `12h`, `forever`.

use std::{fmt, str::FromStr, time::Duration};

use chrono::{DateTime, Utc};
use humantime_serde::re::humantime;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// How long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age(Option<Duration>);

/// Why a text is no age.
#[derive(Debug, thiserror::Error)]
#[error("expected an age such as \"400 days\" or \"12h\", or \"forever\"")]
pub struct AgeError;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Longer ones reach back before there was time to count.
const LONGEST: Duration = Duration::from_secs(1000 * 365 * 24 * 60 * 60);

impl Age {
    /// Never thrown away.
    pub const FOREVER: Self = Self(None);

    /// What ended before this instant is older than that; nothing is, when it is kept forever.
    pub fn before(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.0.map(|age| now - age)
    }
}

impl FromStr for Age {
    type Err = AgeError;

    /// Nothing at all is no age: whoever writes `0 days` would lose everything at once.
    fn from_str(text: &str) -> Result<Self, AgeError> {
        if text.trim() == "forever" {
            return Ok(Self::FOREVER);
        }
        let age = humantime::parse_duration(text.trim()).map_err(|_| AgeError)?;
        if age.is_zero() || age > LONGEST { Err(AgeError) } else { Ok(Self(Some(age))) }
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("forever"),
            Some(age) if age.as_secs().is_multiple_of(DAY.as_secs()) && age.subsec_nanos() == 0 => {
                write!(f, "{} days", age.as_secs() / DAY.as_secs())
            }
            Some(age) => write!(f, "{}", humantime::format_duration(age)),
        }
    }
}

impl Serialize for Age {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Age {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_as_people_write_them_and_come_back() {
        for (text, back) in [("400 days", "400 days"), ("400days", "400 days"), ("12h", "12h"), ("forever", "forever")]
        {
            let age: Age = text.parse().unwrap();
            assert_eq!((age.to_string().as_str(), age.to_string().parse::<Age>().unwrap()), (back, age));
        }
        for text in ["", "400", "0 days", "-1 day", "never", "5000000 years", "1 day ago"] {
            assert!(text.parse::<Age>().is_err(), "{text}");
        }
    }
}
