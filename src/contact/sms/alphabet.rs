//! The GSM alphabet of mobiles: 3GPP TS 23.038, section 6.2.1, with the extension table of section 6.2.1.1.

/// Letters that take one septet, beside those of ASCII that are listed with them.
const DEFAULT: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";

/// Letters that take two, the first of which says that the second is meant otherwise.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// How many septets `letter` takes, or `None` when the alphabet lacks it.
pub(super) fn septets(letter: char) -> Option<usize> {
    if letter.is_ascii_alphanumeric() || DEFAULT.contains(letter) {
        Some(1)
    } else if EXTENSION.contains(letter) {
        Some(2)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_as_large_as_published() {
        let all = || (0..=0x2fff).filter_map(char::from_u32);
        assert_eq!(all().filter(|letter| septets(*letter) == Some(1)).count(), 127, "128 codes less the escape");
        assert_eq!(all().filter(|letter| septets(*letter) == Some(2)).count(), 10);
        assert_eq!(septets('`'), None, "the only printing letter of ASCII that it lacks");
        assert_eq!((' '..='~').filter(|letter| septets(*letter).is_none()).count(), 1);
    }
}
