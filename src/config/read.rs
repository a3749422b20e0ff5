//! From the tree of values to typed settings, with every fault on the way.
//!
//! Typed reading stops at the first thing it cannot read. So the offending value is noted, cut out (its default put
//! back) and the reading begun again, until nothing offends: each round removes one value, so it ends.

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::{
    fault::Faults,
    layer::{Node, Setting, literal},
};

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
