//! File names: made from addresses, never longer than a file system takes.

use crate::source::place::cut;

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_fit_and_never_lead_elsewhere(text in ".{0,300}") {
            for name in [of_contact(&text), of_words(&text), of_mail(&text, &"k".repeat(64))] {
                prop_assert!(name.len() <= LONGEST);
                prop_assert!(!name.contains('/') && !matches!(name.as_str(), "" | "." | ".."));
            }
        }
    }
}
