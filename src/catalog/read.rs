//! From a JSON value to a shape, telling every value of a wrong type instead of the first one.
//!
//! Serde stops at the first mistake. So the mistaken value is taken out and the rest read again, until it fits: the
//! shapes read here can do without any of their fields.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::Faults;

/// Reads `value` as a `T`, without what does not fit, which is told in `faults`.
pub fn read<T: DeserializeOwned + Default>(mut value: Value, faults: &mut Faults) -> T {
    if !value.is_object() {
        faults.add("", "is no object; write names and values in braces: `{ \"name\": ... }`");
        return T::default();
    }
    without_nul(&mut value, "", faults);
    while !faults.is_full() {
        let error = match serde_path_to_error::deserialize(&value) {
            Ok(read) => return read,
            Err(error) => error,
        };
        faults.add(place(error.path()), error.inner().to_string());
        if !take_out(&mut value, error.path()) {
            break;
        }
    }
    T::default()
}

fn place(path: &Path) -> String {
    let segments = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    segments.collect::<Vec<_>>().join("/")
}

/// Removes a field, or makes an element null, which keeps the places of its neighbours. False when there is none.
fn take_out(value: &mut Value, path: &Path) -> bool {
    let mut place = value;
    let mut last = None;
    for segment in path.iter() {
        if let Some(key) = last.replace(segment) {
            let Some(inner) = step(place, key) else { return false };
            place = inner;
        }
    }
    match (last, place) {
        (Some(Segment::Map { key }), Value::Object(fields)) => fields.remove(key).is_some(),
        (Some(Segment::Seq { index }), Value::Array(elements)) => {
            elements.get_mut(*index).filter(|element| !element.is_null()).map(Value::take).is_some()
        }
        _ => false,
    }
}

fn step<'a>(value: &'a mut Value, segment: &Segment) -> Option<&'a mut Value> {
    match segment {
        Segment::Seq { index } => value.get_mut(*index),
        Segment::Map { key } => value.get_mut(key.as_str()),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

/// Postgres keeps every character but NUL.
fn without_nul(value: &mut Value, at: &str, faults: &mut Faults) {
    const TEXT: &str = "contains a NUL character; remove it";
    match value {
        Value::String(text) if text.contains('\0') => {
            faults.add(at, TEXT);
            *value = Value::Null;
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter_mut().enumerate() {
                without_nul(element, &below(at, &index.to_string()), faults);
            }
        }
        Value::Object(fields) => {
            if fields.keys().any(|key| key.contains('\0')) {
                faults.add(at, TEXT);
                fields.retain(|key, _| !key.contains('\0'));
            }
            for (key, field) in fields {
                without_nul(field, &below(at, key), faults);
            }
        }
        _ => {}
    }
}

/// The path of `key` in the object at `at`.
pub(super) fn below(at: &str, key: &str) -> String {
    if at.is_empty() { key.to_owned() } else { format!("{at}/{key}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::input::Batch;

    fn told(value: Value) -> Vec<(String, String)> {
        let mut faults = Faults::default();
        read::<Batch>(value, &mut faults);
        faults.into_inner().into_iter().map(|fault| (fault.at, fault.text)).collect()
    }

    #[test]
    fn every_value_of_a_wrong_type_is_told_with_its_place() {
        let faults = told(json!({
            "name": 5, "titel": "x", "documents": [{ "document": true }, "x"], "policy": { "send": "some" },
        }));
        let places: Vec<_> = faults.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(places.len(), 5, "{faults:?}");
        for place in ["name", "titel", "documents/0/document", "documents/1", "policy/send"] {
            assert!(places.contains(&place), "{place} is not in {places:?}");
        }
        let (_, unknown) = faults.iter().find(|(at, _)| at == "titel").unwrap();
        assert!(unknown.contains("expected one of `name`, `title`"), "{unknown}");
    }

    #[test]
    fn what_is_no_object_or_holds_a_nul_is_told() {
        assert_eq!(told(json!([]))[0].0, "");
        assert_eq!(told(json!({ "recipients": [{ "name": "a\u{0}b" }] }))[0].0, "recipients/0/name");
    }
}
