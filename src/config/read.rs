//! From the tree of values to typed settings, with every fault on the way.
//!
//! Typed reading stops at the first thing it cannot read. So the offending value is noted, cut out (its default put
//! back) and the reading begun again, until nothing offends: each round removes one value, so it ends.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::layer::{Node, Origin, Setting, literal};

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

/// Reads `settings` as a `T`, noting what is wrong. `None` when not even the defaults would do.
pub fn read<T: DeserializeOwned>(mut settings: Node, defaults: &Node, faults: &mut Faults) -> Option<T> {
    loop {
        let error = match serde_path_to_error::deserialize(settings.to_value()) {
            Ok(read) => return Some(read),
            Err(error) => error,
        };
        let path = settings.existing(error.path());
        let node = settings.at(&path)?;
        if node.try_literal() {
            continue;
        }
        let default = path.iter().try_fold(defaults, |node, key| node.get(key)).filter(|default| *default != &*node);
        let (origin, default) = (node.origin.clone(), default.cloned());
        faults.add(&origin, &path.join("."), say(error.inner()));
        if path.is_empty() {
            return None;
        }
        settings.replace(&path, default);
    }
}

/// The error without the position in a text that nobody has seen.
fn say(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.strip_suffix(" at line 0 column 0").unwrap_or(&text).to_owned()
}

impl Node {
    /// The keys of `path` that lead to a node; items of lists and the like have none of their own.
    fn existing(&self, path: &serde_path_to_error::Path) -> Vec<String> {
        let mut node = self;
        let mut keys = Vec::new();
        for segment in path {
            let Segment::Map { key } = segment else { break };
            let Some(next) = node.get(key) else { break };
            keys.push(key.clone());
            node = next;
        }
        keys
    }

    fn at(&mut self, path: &[String]) -> Option<&mut Self> {
        path.iter().try_fold(self, |node, key| match &mut node.value {
            Setting::Table(table) => table.get_mut(key),
            Setting::Value(_) => None,
        })
    }

    /// Takes a text from the environment for a number, a truth value or a list. False when that is not possible.
    fn try_literal(&mut self) -> bool {
        let from_environment = self.origin.line.is_none();
        let Setting::Value(value) = &mut self.value else { return false };
        let Some(read) = value.as_str().filter(|_| from_environment).and_then(literal) else { return false };
        *value = read;
        true
    }

    /// Puts `node` in the place of the one at `path`, or nothing.
    fn replace(&mut self, path: &[String], node: Option<Self>) {
        let Some((key, parents)) = path.split_last() else { return };
        let Some(Setting::Table(table)) = self.at(parents).map(|parent| &mut parent.value) else { return };
        match node {
            Some(node) => table.insert(key.clone(), node),
            None => table.remove(key),
        };
    }
}
