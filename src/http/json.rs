//! JSON as people send it: in UTF-8, with or without a mark at its beginning, and without a name that stands twice.
//!
//! Readers differ on which of two equal names counts, so whoever wrote both would be surprised by one of them.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// Reads `bytes`.
///
/// # Errors
/// When they are no JSON.
pub(super) fn read(bytes: &[u8]) -> serde_json::Result<Value> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    serde_json::from_slice::<Once>(bytes).map(|Once(value)| value)
}

/// A value in which every name stands once.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        while let Some(Once(value)) = elements.next_element()? {
            read.push(value);
        }
        Ok(Value::Array(read))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut read = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            if read.contains_key(&name) {
                return Err(A::Error::custom(format_args!("`{name}` stands twice in one object; write it once")));
            }
            let Once(value) = fields.next_value()?;
            read.insert(name, value);
        }
        Ok(Value::Object(read))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn any_value_is_read_as_it_is_written() {
        let value =
            json!({ "a": [null, true, -1, 18_446_744_073_709_551_615_u64, 1.5, "é\n", {}, []], "b": { "a": 1 } });
        let text = value.to_string();
        assert_eq!(read(text.as_bytes()).unwrap(), value);
        assert_eq!(read(format!("\u{feff}{text}").as_bytes()).unwrap(), value);
    }

    #[test]
    fn a_name_that_stands_twice_is_told_with_its_place() {
        let fault = read(br#"{ "a": { "b": 1, "b": 2 } }"#).unwrap_err().to_string();
        assert!(fault.contains("`b` stands twice") && fault.contains("line 1"), "{fault}");
    }

    #[test]
    fn nesting_has_an_end() {
        assert!(read("[".repeat(200_000).as_bytes()).is_err());
    }
}
