//! What no channel takes: words and names that would mean something else on the way than they do here.
//!
//! Line breaks in a subject or a name would become headers, slashes in a file name would become folders. Refused
//! before any driver sees them, so that no driver has to remember.

use crate::reason::{Reason, Scope};

use super::Parcel;

/// The longest subject or name of a recipient, in bytes. Mail servers cut headers off not far beyond.
const LONGEST_LINE: usize = 1000;
/// The longest file name, in bytes, as file systems have it.
const LONGEST_FILE_NAME: usize = 255;

/// Why `parcel` may not go out, whatever the channel.
pub(super) fn refusal(parcel: &Parcel) -> Option<Reason> {
    let line = |what: &str, text: &str| fault(what, text, LONGEST_LINE);
    if let Some(text) = line("the subject", &parcel.message.subject) {
        return Some(Reason::new(Scope::Document, "bad-subject", text));
    }
    if let Some(text) = line("the recipient's name", &parcel.recipient) {
        return Some(Reason::new(Scope::Contact, "bad-name", text));
    }
    let text = parcel.files.iter().find_map(|file| file_name_fault(&file.name))?;
    Some(Reason::new(Scope::Document, "bad-file-name", text))
}

fn fault(what: &str, text: &str, longest: usize) -> Option<String> {
    if text.contains(char::is_control) {
        return Some(format!("{what} holds a line break or another control character; write it on one line"));
    }
    (text.len() > longest).then(|| format!("{what} is {} bytes long; {longest} is the most", text.len()))
}

fn file_name_fault(name: &str) -> Option<String> {
    if name.contains(['/', '\\']) {
        return Some("a file name holds a slash; give the name alone, without a folder".to_owned());
    }
    if matches!(name, "" | "." | "..") {
        return Some(format!("`{name}` is no file name; give it a name such as report.pdf"));
    }
    fault("a file name", name, LONGEST_FILE_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_file_name_is_named() {
        for name in ["", ".", "..", "../../etc/passwd", "/etc/passwd", "a\\b", "a\r\nb.pdf", "a\0", &"x".repeat(256)] {
            assert!(file_name_fault(name).is_some(), "{name:?}");
        }
        for name in ["report.pdf", "Größe 日本 🎉.pdf", "...", ".hidden", "a\"b;c.pdf"] {
            assert_eq!(file_name_fault(name), None, "{name:?}");
        }
    }
}
