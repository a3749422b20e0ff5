//! What a service answered.

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;

/// How much of an answer that is not understood is shown, in letters.
const SHOWN: usize = 300;

/// One whole answer.
#[derive(Debug)]
pub(in crate::channel) struct Reply {
    pub status: u16,
    /// How long the service asks us to stay away.
    pub after: Option<Duration>,
    pub body: Bytes,
}

impl Reply {
    /// Whether it says that it did what it was asked to.
    pub(in crate::channel) fn is_yes(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body, where it has the shape that is expected.
    pub(in crate::channel) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The beginning of the body on one line, for people.
    pub(in crate::channel) fn text(&self) -> String {
        one_line(&String::from_utf8_lossy(&self.body))
    }
}

/// The beginning of `text`, on one line.
pub(super) fn one_line(text: &str) -> String {
    text.split(|letter: char| letter.is_whitespace() || letter.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(SHOWN)
        .collect()
}

/// A `Retry-After` in seconds (RFC 9110, section 10.2.3). A date there is left to the usual pauses: our clock and the
/// service's may differ by more than it means.
pub(super) fn seconds(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_shown_short_and_on_one_line() {
        let reply = Reply { status: 400, after: None, body: format!("no\r\n\0 such\t{}", "x".repeat(9999)).into() };
        let text = reply.text();
        assert!(text.starts_with("no such x") && text.chars().count() == SHOWN, "{text}");
    }

    #[test]
    fn a_pause_is_read_in_seconds() {
        assert_eq!(seconds(" 120 "), Some(Duration::from_secs(120)));
        assert_eq!(seconds("Wed, 21 Oct 2026 07:28:00 GMT"), None);
    }
}
