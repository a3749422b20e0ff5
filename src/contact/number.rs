//! Telephone numbers, of faxes and of mobiles, kept as ITU-T E.164 writes them: `+13125550002`.
//!
//! Numbers are read by the numbering plan of their country, not by how many digits they have: what no exchange would
//! put through is found before a line is paid for.

use std::fmt;

use phonenumber::{Mode, country};

/// Longer texts are no numbers.
const LONGEST: usize = 40;

/// A number that can be called from anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number(String);

/// Why a text is no number, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    #[error("there is no number in it; write one with its country, such as +1 312 555 0002")]
    NoNumber,
    #[error("it says no country; write the number with it, such as +1 312 555 0002")]
    NoCountry,
    #[error("no number looks like this in its country; check its digits")]
    NoSuchNumber,
    #[error("it has an extension, which nothing here can dial; write the number of the line itself")]
    Extension,
}

impl Number {
    /// Parses `text`, which may lack its country when `country` says where it is.
    pub fn parse(text: &str, country: Option<country::Id>) -> Result<Self, NumberError> {
        if text.len() > LONGEST || !text.contains(|it: char| it.is_ascii_digit()) {
            return Err(NumberError::NoNumber);
        }
        let number = phonenumber::parse(country, text).map_err(|error| match error {
            phonenumber::ParseError::InvalidCountryCode if !text.contains('+') => NumberError::NoCountry,
            phonenumber::ParseError::NoNumber => NumberError::NoNumber,
            _ => NumberError::NoSuchNumber,
        })?;
        if number.extension().is_some() {
            return Err(NumberError::Extension);
        }
        if !number.is_valid() {
            return Err(NumberError::NoSuchNumber);
        }
        Ok(Self(number.format().mode(Mode::E164).to_string()))
    }

    /// The number as E.164 writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its digits, the country's first.
    pub fn digits(&self) -> &str {
        self.0.trim_start_matches('+')
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_read_as_people_write_it() {
        for (text, country, kept) in [
            ("+48 (12) 123-45-67", None, "+48121234567"),
            ("+1 312 555 0002", None, "+13125550002"),
            ("+13125550002", None, "+13125550002"),
            ("(312) 555-0002", Some(country::US), "+13125550002"),
            ("12 123 45 67", Some(country::PL), "+48121234567"),
            ("020 624 1111", Some(country::NL), "+31206241111"),
            ("+31 (0)20 624 1111", None, "+31206241111"),
        ] {
            assert_eq!(Number::parse(text, country).map(|it| it.to_string()), Ok(kept.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_says_what_to_write() {
        for (text, country, error) in [
            ("n/a", None, NumberError::NoNumber),
            ("", None, NumberError::NoNumber),
            ("312 555 0002", None, NumberError::NoCountry),
            ("+1 312 555", None, NumberError::NoSuchNumber),
            ("+999 1234567", None, NumberError::NoSuchNumber),
            ("+1 312 555 0002 ext. 7", None, NumberError::Extension),
            (&"1".repeat(1 << 20), None, NumberError::NoNumber),
        ] {
            assert_eq!(Number::parse(text, country), Err(error), "{text:.30}");
        }
    }

    proptest! {
        #[test]
        fn a_parsed_number_is_plain_and_reads_as_itself(text in r"\+?[0-9 ()./x#-]{0,30}|.*") {
            if let Ok(number) = Number::parse(&text, Some(country::PL)) {
                let kept = number.to_string();
                prop_assert!(kept.starts_with('+') && kept.len() <= 16, "{kept}");
                prop_assert!(number.digits().bytes().all(|it| it.is_ascii_digit()), "{kept}");
                prop_assert_eq!(Number::parse(&kept, None), Ok(number));
            }
        }
    }
}
