//! What a fax server answered, or that it did not.
//!
//! Answers look as in FTP (RFC 959, 4.2): three digits and words; `200-` begins one of several lines, which ends with
//! `200 `.

use std::{fmt, io};

/// The most bytes that are kept of one answer. Longer ones are taken for noise.
pub(super) const LONGEST: usize = 64 * 1024;

/// The most letters that are kept of its words.
const LONGEST_TEXT: usize = 1000;

/// A server's answer, without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub code: u16,
    /// Its words.
    pub text: String,
}

/// Why a command came to nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server said no.
    Said(Reply),
    /// The connection broke, or what came was no answer.
    Lost(String),
}

impl Reply {
    /// Puts the lines of one answer together; nothing when they are none.
    pub(super) fn of(lines: &[String]) -> Option<Self> {
        let code = lines.last()?.get(..3)?.parse().ok()?;
        let words = lines.iter().map(|line| match line.get(..4) {
            Some(mark) if mark.starts_with(|it: char| it.is_ascii_digit()) => line[4..].trim(),
            _ => line.get(3..).unwrap_or_default().trim(),
        });
        let text = words.collect::<Vec<_>>().join(" ");
        Some(Self { code, text: text.trim().chars().take(LONGEST_TEXT).collect() })
    }

    /// Whether a line is the last one of its answer.
    pub(super) fn ends_with(line: &str) -> bool {
        let mark = line.as_bytes();
        mark.len() >= 3 && mark[..3].iter().all(u8::is_ascii_digit) && matches!(mark.get(3), None | Some(b' '))
    }

    /// The digits after `label`.
    pub(super) fn number_after(&self, label: &str) -> Option<u32> {
        let rest = self.text[self.text.find(label)? + label.len()..].trim_start();
        let end = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok()
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(reply) => reply.fmt(f),
            Self::Lost(text) => f.write_str(text),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_code_and_its_words() {
        let reply = |lines: &[&str]| Reply::of(&lines.iter().map(|&it| it.to_owned()).collect::<Vec<_>>());
        for (lines, expected) in [
            (&["200 Job 12 submitted."][..], Some("200 Job 12 submitted.")),
            (&["213 "], Some("213 ")),
            (&["213"], Some("213 ")),
            (&["220-Welcome", "220 vm server ready."], Some("220 Welcome vm server ready.")),
            (&["nonsense"], None),
            (&["2ü"], None),
            (&[], None),
        ] {
            assert_eq!(reply(lines).map(|it| it.to_string()).as_deref(), expected, "{lines:?}");
        }
        assert!(Reply::ends_with("213 ") && Reply::ends_with("213"));
        assert!(!Reply::ends_with("213-x") && !Reply::ends_with("    STATE: DONE") && !Reply::ends_with(""));
        assert_eq!(reply(&["200 New job created: jobid: 12 groupid: 7."]).unwrap().number_after("jobid:"), Some(12));
        assert_eq!(reply(&["200 New job created."]).unwrap().number_after("jobid:"), None);
    }
}
