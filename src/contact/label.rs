//! A contact of a channel that needs no address of a certain form, such as the one that discards.

use std::fmt;

/// Any short line of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(String);

/// Why a text is no contact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    #[error("the contact is empty; write any name for it")]
    Empty,
    #[error("the contact holds a line break or another control character; write it on one line")]
    Control,
    #[error("the contact is {0} bytes long; write {LONGEST} at most")]
    Long(usize),
}

/// The longest contact, in bytes. It stands in the book, in logs and in pages, where more cannot be read.
const LONGEST: usize = 256;

impl Label {
    /// Parses `text`; blanks around it do not count.
    pub fn parse(text: &str) -> Result<Self, LabelError> {
        let text = text.trim_matches(' ');
        if text.is_empty() {
            return Err(LabelError::Empty);
        }
        if text.contains(char::is_control) {
            return Err(LabelError::Control);
        }
        if text.len() > LONGEST {
            return Err(LabelError::Long(text.len()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
