//! Sizes as people write them: `64KB`, `32MB`, `1GB`.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, de::Error};

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Why a text is no size.
#[derive(Debug, thiserror::Error)]
#[error("expected a size such as \"64KB\", \"32MB\" or \"1GB\"")]
pub struct SizeError;

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let factor: u64 = match unit.trim() {
            "" | "B" => 1,
            "KB" => 1 << 10,
            "MB" => 1 << 20,
            "GB" => 1 << 30,
            _ => return Err(SizeError),
        };
        let number: u64 = number.parse().map_err(|_| SizeError)?;
        number.checked_mul(factor).map(Self).ok_or(SizeError)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [("7", 7), ("64KB", 65_536), ("32 MB", 33_554_432), ("1GB", 1_073_741_824)] {
            assert_eq!(text.parse::<Size>().unwrap(), Size(bytes), "{text}");
        }
        for text in ["", "MB", "1.5MB", "-1", "99999999999GB", "1TB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
