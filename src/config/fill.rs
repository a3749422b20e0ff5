//! Texts that stand for others: `${env:NAME}` and `${file:PATH}`, so that secrets need not be written into files.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use super::{
    fault::Faults,
    layer::{Node, Setting},
};

/// Fills in all texts below `node`. Relative paths start at `folder`.
pub fn fill(node: &mut Node, folder: &Path, environment: &BTreeMap<String, String>, faults: &mut Faults) {
    Filler { folder, environment, faults }.node(node, "");
}

struct Filler<'a> {
    folder: &'a Path,
    environment: &'a BTreeMap<String, String>,
    faults: &'a mut Faults,
}

impl Filler<'_> {
    fn node(&mut self, node: &mut Node, path: &str) {
        match &mut node.value {
            Setting::Table(table) => {
                for (key, node) in table {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    self.node(node, &path);
                }
            }
            Setting::Value(value) => {
                if let Err(text) = self.value(value) {
                    self.faults.add(&node.origin, path, text);
                }
            }
        }
    }

    fn value(&self, value: &mut Value) -> Result<(), String> {
        match value {
            Value::String(text) => *text = self.text(text)?,
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.value(item))?,
            _ => {}
        }
        Ok(())
    }

    /// What is filled in is not looked at again: a password may hold `${`.
    fn text(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, from) = rest.split_at(start);
            filled.push_str(before);
            let end = from.find('}').ok_or("`${` without `}`")?;
            filled.push_str(&self.lookup(&from[2..end])?);
            rest = &from[end + 1..];
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn lookup(&self, name: &str) -> Result<String, String> {
        match name.split_once(':') {
            Some(("env", variable)) => {
                let value = self.environment.get(variable).cloned();
                value.ok_or_else(|| format!("the environment has no {variable}"))
            }
            Some(("file", path)) => std::fs::read_to_string(self.folder.join(path))
                .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
                .map_err(|error| format!("{path}: {error}")),
            _ => Err(format!("`${{{name}}}` is neither ${{env:NAME}} nor ${{file:PATH}}")),
        }
    }
}
