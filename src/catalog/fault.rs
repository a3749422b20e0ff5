//! What is wrong with something a person wrote, all of it at once.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that is wrong, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Fault {
    /// Where, as a path from the top: `recipients/1/email`.
    #[schema(example = "recipients/1/email")]
    pub at: String,
    /// What is wrong there, and the remedy.
    pub text: String,
}

/// How many bytes of a text are told, about. What people wrote is repeated to them, and nobody reads a megabyte of it.
const LONGEST: usize = 1000;

/// `text` without its middle, when it is long.
pub fn shortened(text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let (head, tail) = (text.floor_char_boundary(LONGEST / 2), text.ceil_char_boundary(text.len() - LONGEST / 2));
    format!("{} [...] {}", &text[..head], &text[tail..])
}

/// A list of faults that grows while something is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

/// How many faults are told. More would not be read, and finding each costs another look at the whole.
const TOLD: usize = 100;

impl Faults {
    /// Adds a fault, unless one is already told for the same place.
    pub fn add(&mut self, at: impl Into<String>, text: impl Into<String>) {
        let fault = Fault { at: shortened(at.into()), text: shortened(text.into()) };
        if !self.is_full() && !self.0.iter().any(|told| told.at == fault.at) {
            self.0.push(fault);
        }
    }

    /// Adds what a check found, if it found anything.
    pub fn told(&mut self, at: &str, found: Option<String>) {
        if let Some(text) = found {
            self.add(at, text);
        }
    }

    /// Hands a value on, or tells that it is missing.
    pub fn need<T>(&mut self, at: &str, value: Option<T>, remedy: &str) -> Option<T> {
        if value.is_none() {
            self.add(at, format!("is missing; {remedy}"));
        }
        value
    }

    /// Whether looking for more is pointless.
    pub fn is_full(&self) -> bool {
        self.0.len() >= TOLD
    }

    /// `value` when nothing is wrong.
    ///
    /// # Errors
    /// All faults, when there are any.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }

    /// The faults in the order they were found.
    pub fn into_inner(self) -> Vec<Fault> {
        self.0
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", fault.at, fault.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
