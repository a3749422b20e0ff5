//! Names of files that are put where others already lie.

/// The longest file name, in bytes.
const LONGEST: usize = 255;

/// `name` with `number` before its extension: `report (2).pdf`. The first has no number.
pub fn numbered(name: &str, number: usize) -> String {
    if number < 2 {
        return name.to_owned();
    }
    let (stem, extension) = match name.rfind('.') {
        Some(at) if at > 0 => name.split_at(at),
        _ => (name, ""),
    };
    let suffix = format!(" ({number})");
    let extension = cut(extension, LONGEST / 2);
    format!("{}{suffix}{extension}", cut(stem, LONGEST - suffix.len() - extension.len()))
}

/// The beginning of `text`, at most `longest` bytes, no letter cut in two.
pub fn cut(text: &str, longest: usize) -> &str {
    let fits = |at: &usize| text.is_char_boundary(*at);
    let end = (0..=longest.min(text.len())).rev().find(fits).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_taken_name_gets_a_number() {
        for (name, number, expected) in [
            ("report.pdf", 1, "report.pdf"),
            ("report.pdf", 2, "report (2).pdf"),
            ("archive.tar.gz", 3, "archive.tar (3).gz"),
            (".hidden", 2, ".hidden (2)"),
            ("plain", 10, "plain (10)"),
        ] {
            assert_eq!(numbered(name, number), expected);
        }
    }

    proptest! {
        #[test]
        fn numbered_names_fit(text in ".{0,300}", number in 1usize..10_000) {
            prop_assert!(numbered(cut(&text, LONGEST), number).len() <= LONGEST);
        }
    }
}
