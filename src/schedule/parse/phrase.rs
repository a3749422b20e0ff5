//! A text as words, taken one after another. Commas stand for themselves.

use std::str::FromStr;

use super::super::RuleError;

/// What is left of a text.
pub(super) struct Phrase<'a> {
    words: Vec<&'a str>,
    next: usize,
}

impl<'a> Phrase<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let words = text.split_whitespace().flat_map(|word| word.split_inclusive(',')).flat_map(|word| {
            let (word, comma) = word.strip_suffix(',').map_or((word, ""), |word| (word, ","));
            [word, comma]
        });
        Self { words: words.filter(|word| !word.is_empty()).collect(), next: 0 }
    }

    pub(super) fn peek(&self) -> Option<&'a str> {
        self.words.get(self.next).copied()
    }

    pub(super) fn next(&mut self) -> Option<&'a str> {
        let word = self.peek()?;
        self.next += 1;
        Some(word)
    }

    /// Puts the last word back.
    pub(super) fn back(&mut self) {
        self.next = self.next.saturating_sub(1);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.peek().is_none()
    }

    /// Takes these words, if they come next.
    pub(super) fn takes(&mut self, words: &str) -> bool {
        let count = words.split(' ').count();
        let come = self.words[self.next..].iter().take(count).copied().eq(words.split(' '));
        if come {
            self.next += count;
        }
        come
    }

    pub(super) fn needs(&mut self, word: &str, remedy: &str) -> Result<(), RuleError> {
        if self.takes(word) { Ok(()) } else { Err(self.unexpected(remedy)) }
    }

    /// Takes a number, if one comes next.
    pub(super) fn number(&mut self) -> Option<u32> {
        let number = self.peek().filter(|word| word.bytes().all(|it| it.is_ascii_digit()))?.parse().ok()?;
        self.next += 1;
        Some(number)
    }

    /// Reads the next word as a `T`.
    pub(super) fn read<T: FromStr<Err = RuleError>>(&mut self) -> Result<T, RuleError> {
        self.next().unwrap_or_default().parse()
    }

    /// Whether another one of a list follows; takes what stands between.
    pub(super) fn goes_on(&mut self) -> bool {
        let comma = self.takes(",");
        self.takes("and") || comma
    }

    /// Reads one after another with `one`, as long as the list goes on.
    pub(super) fn list<T>(&mut self, one: impl Fn(&mut Self) -> Result<T, RuleError>) -> Result<Vec<T>, RuleError> {
        let mut items = vec![one(self)?];
        while self.goes_on() {
            items.push(one(self)?);
        }
        Ok(items)
    }

    /// Fails unless everything was taken.
    pub(super) fn end(&self) -> Result<(), RuleError> {
        if self.is_empty() { Ok(()) } else { Err(self.unexpected("nothing there, or a comma before another time")) }
    }

    /// That the next word does not fit, and what would.
    pub(super) fn unexpected(&self, remedy: &str) -> RuleError {
        let before = self.words[..self.next].join(" ");
        let place = if before.is_empty() { String::new() } else { format!(" after `{before}`") };
        match self.peek() {
            Some(word) => RuleError::new(format!("`{word}`{place} is not understood; write {remedy}")),
            None => RuleError::new(format!("ends{place}; write {remedy}")),
        }
    }
}
