//! What is wrong with the settings, and where it stands.

use std::{fmt, sync::Arc};

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// A file, or `environment NAME`.
    pub place: Arc<str>,
    pub line: Option<usize>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.place),
            None => f.write_str(&self.place),
        }
    }
}

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub at: Origin,
    /// The setting, `http.listen`; empty when the text could not be read at all.
    pub key: String,
    pub text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "{}: {}", self.at, self.text),
            key => write!(f, "{}: {key}: {}", self.at, self.text),
        }
    }
}

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl std::error::Error for Faults {}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings cannot be used")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl Faults {
    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes a fault, unless it follows from one that is noted already: same setting, or text that was no TOML.
    pub(super) fn add(&mut self, origin: &Origin, key: &str, text: String) {
        let follows = |known: &Fault| known.at == *origin && (known.key == key || known.key.is_empty());
        if !self.0.iter().any(follows) {
            self.0.push(Fault { at: origin.clone(), key: key.to_owned(), text });
        }
    }

    /// In the order in which they stand in the file.
    pub(super) fn sorted(mut self) -> Self {
        self.0.sort_by(|a, b| a.at.cmp(&b.at));
        self
    }
}
