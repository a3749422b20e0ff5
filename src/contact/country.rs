//! The country that numbers are taken to be in when they do not say.

use std::{fmt, str::FromStr};

use phonenumber::country::Id;
use serde::{Deserialize, Serialize};

/// A country by its code of two letters, as ISO 3166-1 has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country(Id);

/// A text that is no country.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no country; write its code of two capital letters, such as `PL` or `US`")]
pub struct CountryError;

impl Country {
    /// The country as the numbering plans know it.
    pub(super) fn id(self) -> Id {
        self.0
    }
}

impl FromStr for Country {
    type Err = CountryError;

    fn from_str(text: &str) -> Result<Self, CountryError> {
        text.trim().parse().map(Self).map_err(|_| CountryError)
    }
}

impl TryFrom<String> for Country {
    type Error = CountryError;

    fn try_from(text: String) -> Result<Self, CountryError> {
        text.parse()
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.to_string()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_its_code_of_two_letters() {
        assert_eq!("PL".parse::<Country>().map(|it| it.to_string()), Ok("PL".to_owned()));
        for text in ["", "pl", "Poland", "XX", "P"] {
            assert_eq!(text.parse::<Country>(), Err(CountryError), "{text}");
        }
    }
}
