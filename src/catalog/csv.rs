//! Recipients from a table of comma-separated values, as people export it: the first line has the names of the columns.
//!
//! A column called like a channel is a contact, `name` is the name, all others are parameters, as in an audience. What
//! comes out is checked as any list that is written.

use ::csv::{ByteRecord, ReaderBuilder};
use serde_json::{Map, Value};

use super::{Faults, check};

/// Reads the rows of `bytes`, and tells in `faults` what is wrong with them.
pub fn recipients(bytes: &[u8], faults: &mut Faults) -> Vec<Option<Map<String, Value>>> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut reader = ReaderBuilder::new().delimiter(separator(bytes)).flexible(true).from_reader(bytes);
    let columns = match reader.byte_headers() {
        Ok(names) => columns(names, faults),
        Err(fault) => {
            faults.add("", format!("cannot be read: {fault}"));
            return Vec::new();
        }
    };
    let mut rows = Vec::new();
    for (place, record) in reader.byte_records().enumerate() {
        let at = format!("recipients/{place}");
        match record {
            Ok(record) => rows.push(row(&record, &columns, &at, faults)),
            Err(fault) => faults.add(at, format!("cannot be read: {fault}")),
        }
        if faults.is_full() {
            break;
        }
    }
    rows
}

/// Spreadsheets write semicolons where a comma stands in numbers.
fn separator(bytes: &[u8]) -> u8 {
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |wanted: u8| first.iter().filter(|byte| **byte == wanted).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|one| count(*one)).unwrap_or(b',')
}

fn columns(names: &ByteRecord, faults: &mut Faults) -> Vec<String> {
    let mut columns: Vec<String> = Vec::with_capacity(names.len());
    for (place, name) in names.iter().enumerate() {
        let name = String::from_utf8_lossy(name).trim().to_owned();
        if check::line(&name).is_some() || columns.contains(&name) {
            faults.add(format!("columns/{place}"), "has no name of its own; write one in the first line");
        }
        columns.push(name);
    }
    let known = columns.iter().any(|name| check::CHANNELS.contains(&name.as_str()));
    if !known {
        let text = format!("has no column for a contact; call one {}", check::CHANNELS.join(", "));
        faults.add("columns", text);
    }
    columns
}

fn row(record: &ByteRecord, columns: &[String], at: &str, faults: &mut Faults) -> Option<Map<String, Value>> {
    if record.len() != columns.len() {
        faults.add(at, format!("has {} fields, and the first line names {}", record.len(), columns.len()));
        return None;
    }
    let (mut fields, mut params) = (Map::new(), Map::new());
    for (column, value) in columns.iter().zip(record) {
        let Ok(value) = std::str::from_utf8(value) else {
            faults.add(format!("{at}/{column}"), "is not UTF-8; export the table in that encoding");
            continue;
        };
        if value.contains('\0') {
            faults.add(format!("{at}/{column}"), "contains a NUL character; remove it");
        } else if column == "name" || check::CHANNELS.contains(&column.as_str()) {
            let value = value.trim();
            fields.insert(column.clone(), if value.is_empty() { Value::Null } else { value.into() });
        } else {
            params.insert(column.clone(), value.into());
        }
    }
    if !params.is_empty() {
        fields.insert("params".to_owned(), Value::Object(params));
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> (Value, Vec<String>) {
        let mut faults = Faults::default();
        let rows = recipients(text.as_bytes(), &mut faults);
        (json!(rows), faults.into_inner().into_iter().map(|fault| fault.at).collect())
    }

    #[test]
    fn a_table_is_read_with_commas_semicolons_or_tabs() {
        let expected = json!([
            { "name": "Ann, of the yard", "email": "ann@example.org", "fax": null, "params": { "account": "7" } },
        ]);
        for text in [
            "name,email,fax,account\r\n\"Ann, of the yard\",ann@example.org,,7\r\n",
            "\u{feff}name;email;fax;account\n\"Ann, of the yard\";ann@example.org;;7\n",
            "name\temail\tfax\taccount\nAnn, of the yard\tann@example.org\t \t7",
        ] {
            assert_eq!(read(text), (expected.clone(), Vec::<String>::new()), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_table_is_told_with_its_row() {
        assert_eq!(read("name,account\nAnn,7\n").1, ["columns"]);
        assert_eq!(read("email,,email\na@example.org,1,2\n").1, ["columns/1", "columns/2"]);
        assert_eq!(read("name,email\nAnn\nBob,b\0@example.org\n").1, ["recipients/0", "recipients/1/email"]);
        let mut faults = Faults::default();
        recipients(b"name,email\n\xff,a@example.org\n", &mut faults);
        assert_eq!(faults.into_inner()[0].at, "recipients/0/name");
    }
}
