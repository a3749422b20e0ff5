//! Layers of settings: a tree of values that each know where they were written.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use serde_json::Value;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::fault::{Faults, Origin};

/// A value with its origin, or a table of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub origin: Origin,
    pub value: Setting,
}

/// A table, or a value that is replaced as a whole.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    Table(BTreeMap<String, Node>),
    Value(Value),
}

impl Node {
    /// Lays `upper` over this: tables are merged, values replaced.
    pub fn merge(&mut self, upper: Self) {
        match (&mut self.value, upper.value) {
            (Setting::Table(mine), Setting::Table(theirs)) => {
                for (key, node) in theirs {
                    match mine.get_mut(&key) {
                        Some(below) => below.merge(node),
                        None => {
                            mine.insert(key, node);
                        }
                    }
                }
            }
            (_, value) => *self = Self { origin: upper.origin, value },
        }
    }

    /// The names in the table `key`, in the order they were written.
    pub fn order(&self, key: &str) -> Vec<String> {
        let Some(Setting::Table(table)) = self.get(key).map(|node| &node.value) else {
            return Vec::new();
        };
        let mut names: Vec<_> = table.iter().collect();
        names.sort_by_key(|(_, node)| node.origin.line.unwrap_or(usize::MAX));
        names.into_iter().map(|(name, _)| name.clone()).collect()
    }

    /// The node called `key` in this table.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Setting::Table(table) => table.get(key),
            Setting::Value(_) => None,
        }
    }

    /// The plain value, without origins.
    pub fn to_value(&self) -> Value {
        match &self.value {
            Setting::Table(table) => table.iter().map(|(key, node)| (key.clone(), node.to_value())).collect(),
            Setting::Value(value) => value.clone(),
        }
    }
}

/// Reads the file at `path`.
pub fn read(path: &Path, faults: &mut Faults) -> Node {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| {
        faults.add(&Origin { place: path.display().to_string().into(), line: None }, "", error.to_string());
        String::new()
    });
    parse(&text, path, faults)
}

/// Parses `text`, which stands in `path`. What is no TOML is reported, the rest is kept.
pub fn parse(text: &str, path: &Path, faults: &mut Faults) -> Node {
    let source = Source { place: path.display().to_string().into(), text };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        faults.add(&source.origin(at), "", error.message().to_owned());
    }
    Node { origin: source.origin(0), value: source.table(table.get_ref()) }
}

/// The settings among the environment's variables: `POSTBOOK__HTTP__LISTEN` is `http.listen`.
pub fn environment(variables: &BTreeMap<String, String>) -> Node {
    let mut root =
        Node { origin: Origin { place: "environment".into(), line: None }, value: Setting::Table(BTreeMap::new()) };
    for (name, text) in variables {
        let Some(path) = name.strip_prefix("POSTBOOK__") else { continue };
        let origin = Origin { place: format!("environment {name}").into(), line: None };
        let mut node = Node { origin: origin.clone(), value: Setting::Value(Value::String(text.clone())) };
        for key in path.rsplit("__") {
            let table = BTreeMap::from([(key.to_lowercase(), node)]);
            node = Node { origin: origin.clone(), value: Setting::Table(table) };
        }
        root.merge(node);
    }
    root
}

struct Source<'a> {
    place: Arc<str>,
    text: &'a str,
}

impl Source<'_> {
    fn origin(&self, offset: usize) -> Origin {
        let before = self.text.as_bytes().iter().take(offset);
        let line = before.filter(|&&byte| byte == b'\n').count() + 1;
        Origin { place: self.place.clone(), line: Some(line) }
    }

    fn table(&self, table: &DeTable<'_>) -> Setting {
        let node = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let value = match value.get_ref() {
                DeValue::Table(table) => self.table(table),
                other => Setting::Value(plain(other)),
            };
            Node { origin: self.origin(key.span().start), value }
        };
        Setting::Table(table.iter().map(|(key, value)| (key.get_ref().to_string(), node((key, value)))).collect())
    }
}

fn plain(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Null, Value::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Boolean(yes) => Value::from(*yes),
        DeValue::Datetime(at) => Value::from(at.to_string()),
        DeValue::Array(items) => items.iter().map(|item| plain(item.get_ref())).collect(),
        DeValue::Table(table) => {
            table.iter().map(|(key, value)| (key.get_ref().to_string(), plain(value.get_ref()))).collect()
        }
    }
}

/// `text` read as a TOML value, unless that is a text too.
pub fn literal(text: &str) -> Option<Value> {
    let value = DeValue::parse(text).ok()?;
    Some(plain(value.get_ref())).filter(|value| !value.is_string())
}
