//! Audiences: recipients that a query on a registered database gives when a run begins, a row each.
//!
//! A column that is called like a channel is a contact, `name` is the name, all others are parameters of the recipient.
//! Rows are not refused as what people write is: whatever is wrong with a contact shows as a skip with its reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Faults, Recipient, check, fault::shortened};
use crate::{contact::Contacts, document::text::expression, source::data};

/// Where recipients come from besides the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Audience {
    /// The name of the registered database.
    pub data: String,
    /// What it is asked; `:name` stands for a value of `params`.
    pub query: String,
    /// Values or expressions, by the names in the query.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Value>,
    /// What the batch has sent under the same key is not sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<String>,
}

/// An audience as it is written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Audience)]
pub struct Written {
    /// The name of a database of the settings, `[data.NAME]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, example = "crm")]
    pub data: Option<String>,
    /// One query. A column called like a channel is a contact, `name` is the name, all others are parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, example = "select name, email, fax, account from customer where site = :site and active")]
    pub query: Option<String>,
    /// Values or expressions, by the names that the query has with a colon.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Value>,
    /// A text that sees the recipient; what this batch sent under the same one, in whatever run, is not sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "task:{{ recipient.params.task }}:{{ recipient.email }}")]
    pub once: Option<String>,
}

impl From<Audience> for Written {
    fn from(audience: Audience) -> Self {
        let Audience { data, query, params, once } = audience;
        Self { data: Some(data), query: Some(query), params, once }
    }
}

/// Longer queries are not written by anybody.
const LONGEST_QUERY: usize = 100_000;

/// Checks what was written; `databases` are the registered ones.
pub(super) fn check(written: Written, databases: &[String], faults: &mut Faults) -> Audience {
    let names: Vec<_> = databases.iter().map(String::as_str).collect();
    let data = faults.need("audience/data", written.data, "write the name of a database of the settings");
    let data = data.unwrap_or_default();
    if !databases.contains(&data) {
        let text = format!("there is no database `{data}` in the settings; there is: {}", check::or_none(&names));
        faults.add("audience/data", text);
    }
    let query = faults.need("audience/query", written.query, "write a query that gives a row for each recipient");
    let query = query.unwrap_or_default();
    if query.trim().is_empty() || query.len() > LONGEST_QUERY {
        faults.add("audience/query", format!("write one query, of at most {LONGEST_QUERY} bytes"));
    }
    params(&query, &written.params, faults);
    if let Some(once) = &written.once {
        faults.told("audience/once", check::line(once).or_else(|| check::template(once)));
    }
    Audience { data, query, params: written.params, once: written.once }
}

fn params(query: &str, params: &BTreeMap<String, Value>, faults: &mut Faults) {
    let wanted = data::names(query);
    for name in wanted.iter().filter(|name| !params.contains_key(*name)) {
        faults
            .add(format!("audience/params/{name}"), format!("is missing; the query has `:{name}`, so write its value"));
    }
    for (name, value) in params {
        let at = format!("audience/params/{name}");
        match value {
            _ if !wanted.contains(name) => {
                faults.add(at, format!("is not used; write `:{name}` in the query, or remove it"))
            }
            Value::Array(_) | Value::Object(_) => {
                faults.add(at, "is no single value; write a text, a number or a truth")
            }
            value => faults.told(&at, expression(value).and_then(check::template)),
        }
    }
}

/// The longest name that is taken from a row; what is longer loses its end.
const LONGEST_NAME: usize = 200;

/// The recipient in a row; `place` names one that has no name and no contact.
pub fn recipient(row: serde_json::Map<String, Value>, place: i32) -> Recipient {
    let mut recipient = Recipient { name: String::new(), contacts: Contacts::new(), params: BTreeMap::new() };
    for (column, value) in row {
        match column.as_str() {
            "name" => recipient.name = one_line(&text(value)),
            channel if check::CHANNELS.contains(&channel) => {
                let contact = text(value).trim().to_owned();
                if !contact.is_empty() {
                    recipient.contacts.insert(column, shortened(contact));
                }
            }
            _ => drop(recipient.params.insert(column, value)),
        }
    }
    if recipient.name.is_empty() {
        let contact = recipient.contacts.values().next().map(|contact| one_line(contact));
        recipient.name = contact.filter(|name| !name.is_empty()).unwrap_or_else(|| format!("row {}", place + 1));
    }
    recipient
}

fn text(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// `text` without what a line of a mail or of a log cannot hold.
fn one_line(text: &str) -> String {
    // Nearly all are sound, and letter by letter it takes a hundred times as long to see that.
    let sound = check::one_line(text).is_none();
    let is_sound = |it| sound || check::one_line(&format!("x{it}")).is_none();
    let kept = text.chars().map(|it| if is_sound(it) { it } else { ' ' });
    kept.take(LONGEST_NAME).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(value: Value) -> Recipient {
        let Value::Object(row) = value else { panic!("no row: {value}") };
        recipient(row, 6)
    }

    #[test]
    fn columns_are_names_contacts_and_parameters() {
        let ann = row(
            json!({ "name": "Ann", "email": " ann@example.org ", "fax": null, "sms": "", "yard": 7, "note": null }),
        );
        assert_eq!(ann.name, "Ann");
        assert_eq!(ann.contacts, Contacts::from([("email".to_owned(), "ann@example.org".to_owned())]));
        assert_eq!(ann.params, BTreeMap::from([("note".to_owned(), Value::Null), ("yard".to_owned(), json!(7))]));
    }

    #[test]
    fn who_has_no_name_is_called_by_a_contact_or_by_the_row() {
        assert_eq!(row(json!({ "fax": 13_125_550_002_u64 })).name, "13125550002");
        assert_eq!(row(json!({ "name": " \n", "yard": 7 })).name, "row 7");
    }

    #[test]
    fn a_name_is_one_line_of_a_length_that_people_read() {
        let hostile = row(json!({ "name": format!("Ann\r\nBcc: eve@example.org\u{202e}{}", "x".repeat(1 << 20)) }));
        assert!(hostile.name.starts_with("Ann  Bcc: eve@example.org x"), "{:.60}", hostile.name);
        assert!(hostile.name.chars().count() <= LONGEST_NAME);
        let long = row(json!({ "email": "x".repeat(1 << 20) }));
        assert!(long.contacts["email"].len() < 2000);
    }

    #[test]
    fn what_is_wrong_with_an_audience_is_told_with_its_place() {
        let written = Written {
            data: Some("crn".to_owned()),
            query: Some("select :site, :since".to_owned()),
            params: BTreeMap::from([("site".to_owned(), json!("{{ oops")), ("other".to_owned(), json!(1))]),
            once: Some("a\nb".to_owned()),
        };
        let mut faults = Faults::default();
        check(written, &["crm".to_owned()], &mut faults);
        let places: Vec<_> = faults.into_inner().into_iter().map(|fault| fault.at).collect();
        assert_eq!(
            places,
            [
                "audience/data",
                "audience/params/since",
                "audience/params/other",
                "audience/params/site",
                "audience/once"
            ]
        );
    }
}
