//! File names: made from addresses, numbered when they are taken, never longer than a file system takes.

/// The longest file name, in bytes.
const LONGEST: usize = 255;
/// How much of an address stands in a file name, in bytes. A token and an extension have to fit beside it.
const LONGEST_ADDRESS: usize = 120;

/// The file of a mail to `address`; `token` makes it the parcel's own.
pub(super) fn of_mail(address: &str, token: &str) -> String {
    format!("{}-{token}.eml", cut(&of_contact(address), LONGEST_ADDRESS))
}

/// The file of a message that is only words, by its subject.
pub(super) fn of_words(subject: &str) -> String {
    let safe = |it: char| if it.is_alphanumeric() || matches!(it, ' ' | ',' | '-' | '_') { it } else { '_' };
    let name: String = subject.chars().map(safe).collect();
    let name = cut(&name, LONGEST_ADDRESS).trim();
    format!("{}.txt", if name.is_empty() { "message" } else { name })
}

/// One part of a path that stands for a contact.
pub(super) fn of_contact(contact: &str) -> String {
    let safe = |it: char| if it.is_alphanumeric() || matches!(it, '@' | '.' | '+' | '-' | '_') { it } else { '_' };
    let name: String = contact.chars().map(safe).collect();
    let name = cut(&name, LONGEST);
    if name.trim_matches('.').is_empty() { "_".to_owned() } else { name.to_owned() }
}

/// `name` with `number` before its extension: `report (2).pdf`. The first has no number.
pub(super) fn numbered(name: &str, number: usize) -> String {
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
fn cut(text: &str, longest: usize) -> &str {
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
        fn names_fit_and_never_lead_elsewhere(text in ".{0,300}", number in 1usize..10_000) {
            for name in [of_contact(&text), of_words(&text), of_mail(&text, &"k".repeat(64))] {
                prop_assert!(name.len() <= LONGEST);
                prop_assert!(!name.contains('/') && !matches!(name.as_str(), "" | "." | ".."));
            }
            prop_assert!(numbered(cut(&text, LONGEST), number).len() <= LONGEST);
        }
    }
}
