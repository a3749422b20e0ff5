//! The conversation with a server as an administrator may read it: no passwords, no bodies.

use std::fmt::{Display, Write};

/// The longest transcript, in bytes; a server that talks on is cut short.
const LONGEST: usize = 16 * 1024;

/// Lines marked `>` for ours, `<` for theirs and `*` for what happened.
#[derive(Debug, Default)]
pub(super) struct Transcript(String);

impl Transcript {
    /// What we sent.
    pub(super) fn sent(&mut self, command: &str) {
        self.line('>', command);
    }

    /// What the server said.
    pub(super) fn heard(&mut self, reply: &impl Display) {
        self.line('<', &reply.to_string());
    }

    /// What happened beside the words.
    pub(super) fn note(&mut self, text: &str) {
        self.line('*', text);
    }

    /// All of it.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn line(&mut self, mark: char, text: &str) {
        if self.0.len() + text.len() < LONGEST {
            // Writing to a string does not fail.
            let _ = writeln!(self.0, "{mark} {}", text.trim_end());
        }
    }
}
