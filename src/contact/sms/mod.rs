//! Text messages: which alphabet a text needs, and how many parts it is paid for as.
//!
//! A text of letters of the GSM alphabet goes as 7-bit septets, 160 to a message; one other letter turns all of it into
//! 16-bit units, 70 to a message. Longer texts go in parts that each give up six octets to say where they belong. Shown
//! before anything is sent, and counted the same way by what sends.

mod alphabet;
mod plain;

use serde::{Deserialize, Serialize};

pub use plain::transliterate;

/// How many of the letters that force 16-bit units are named.
const NAMED: usize = 20;

/// What a text becomes on its way to a mobile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Parts {
    pub encoding: Encoding,
    /// How many messages it is paid for as.
    pub parts: usize,
    /// Letters, as people count them in a text.
    pub characters: usize,
    /// Septets or 16-bit units, whichever the encoding has.
    pub units: usize,
    /// The first different letters for whose sake it does not go as GSM-7.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forced_by: Vec<char>,
}

/// The alphabets of 3GPP TS 23.038, sections 4 and 6.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub enum Encoding {
    #[serde(rename = "GSM-7")]
    Gsm7,
    #[serde(rename = "UCS-2")]
    Ucs2,
}

impl Encoding {
    /// Units in a message of its own, and in each part of a longer one: 140 octets, of which a part gives six to its
    /// header (3GPP TS 23.040, sections 9.2.3.16 and 9.2.3.24.1).
    fn room(self) -> (usize, usize) {
        match self {
            Self::Gsm7 => (160, 153),
            Self::Ucs2 => (70, 67),
        }
    }
}

/// Counts what `text` becomes.
pub fn count(text: &str) -> Parts {
    let forced_by = strangers(text);
    let encoding = if forced_by.is_empty() { Encoding::Gsm7 } else { Encoding::Ucs2 };
    let size = |letter: char| match encoding {
        Encoding::Gsm7 => alphabet::septets(letter).unwrap_or_default(),
        Encoding::Ucs2 => letter.len_utf16(),
    };
    let sizes = || text.chars().map(size);
    let (units, (alone, part)) = (sizes().sum(), encoding.room());
    let parts = if units <= alone { 1 } else { parts(sizes(), part) };
    Parts { encoding, parts, characters: text.chars().count(), units, forced_by }
}

/// How many parts of `room` units there are, when none begins in the middle of a letter.
fn parts(sizes: impl Iterator<Item = usize>, room: usize) -> usize {
    let fill = |(parts, used): (usize, usize), size: usize| {
        if used + size > room { (parts + 1, size) } else { (parts, used + size) }
    };
    sizes.fold((1, 0), fill).0
}

/// The first different letters that GSM-7 lacks.
fn strangers(text: &str) -> Vec<char> {
    let mut found = Vec::new();
    for letter in text.chars().filter(|letter| alphabet::septets(*letter).is_none()) {
        if !found.contains(&letter) {
            found.push(letter);
        }
        if found.len() == NAMED {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_counted_as_it_is_paid_for() {
        use Encoding::{Gsm7, Ucs2};
        for (text, encoding, parts, units) in [
            (String::new(), Gsm7, 1, 0),
            ("a".repeat(160), Gsm7, 1, 160),
            ("a".repeat(161), Gsm7, 2, 161),
            ("a".repeat(306), Gsm7, 2, 306),
            ("a".repeat(307), Gsm7, 3, 307),
            ("€".repeat(80), Gsm7, 1, 160),
            ("€".repeat(81), Gsm7, 2, 162),
            // 152 letters and a pair that does not fit into the rest of the part.
            (format!("{}€{}", "a".repeat(152), "a".repeat(152)), Gsm7, 3, 306),
            ("ż".repeat(70), Ucs2, 1, 70),
            ("ż".repeat(71), Ucs2, 2, 71),
            ("ż".repeat(134), Ucs2, 2, 134),
            ("ż".repeat(135), Ucs2, 3, 135),
            ("😀".repeat(35), Ucs2, 1, 70),
            // A part takes 33 of them, for none is cut in two.
            ("😀".repeat(67), Ucs2, 3, 134),
        ] {
            let counted = count(&text);
            assert_eq!((counted.encoding, counted.parts, counted.units), (encoding, parts, units), "{text:.20}");
            assert_eq!(counted.characters, text.chars().count());
        }
    }

    #[test]
    fn the_letters_that_cost_more_are_named_once_each() {
        assert_eq!(count("Zażółć gęślą jaźń, 5 €").forced_by, ['ż', 'ó', 'ł', 'ć', 'ę', 'ś', 'ą', 'ź', 'ń']);
        assert_eq!(count("Größe: 5 €, à bientôt").forced_by, ['ô']);
        assert_eq!(count("¿Qué? {[~]} \\ | ^ Ω @ £").forced_by, Vec::<char>::new());
        assert_eq!(count(&('一'..='丿').collect::<String>()).forced_by.len(), NAMED);
    }

    proptest! {
        #[test]
        fn transliterated_text_is_never_dearer_by_alphabet(text in "\\PC{0,300}") {
            let plain = transliterate(&text);
            let strange = |text: &str| text.chars().filter(|letter| alphabet::septets(*letter).is_none()).count();
            prop_assert!(strange(&plain) <= strange(&text), "{plain}");
            prop_assert_eq!(transliterate(&plain), plain.clone());
        }

        #[test]
        fn parts_hold_all_units_and_none_is_empty(text in "[a-z€ż😀]{0,400}") {
            let counted = count(&text);
            let (alone, part) = counted.encoding.room();
            let room = if counted.parts == 1 { alone } else { counted.parts * part };
            prop_assert!(counted.units <= room);
            prop_assert!(counted.parts == 1 || counted.units > (counted.parts - 1) * (part - 1));
        }
    }
}
