//! Declared parameters: what a document is asked with, checked when a batch is saved and again when it runs.
//!
//! A recipient's own value wins over the batch's, and that over the default. Every fault is found at once, each
//! with the name of the parameter and what is expected of it. Called by the catalogue and by the step that expands.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    Context, Document, Param, ParamKind, date,
    text::{Expressions, expression},
};

/// The name of a parameter, and what is wrong with its value.
pub type ParamFault = (String, String);

/// What a document is asked with.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// By the batch; every name has to be declared.
    pub batch: &'a BTreeMap<String, Value>,
    /// By the recipient, for any document: names that this one does not declare are passed over.
    pub recipient: Option<&'a BTreeMap<String, Value>>,
}

impl Given<'_> {
    fn find<'a>(&'a self, name: &str, param: &'a Param) -> Option<&'a Value> {
        let recipient = self.recipient.and_then(|params| params.get(name)).filter(|value| !value.is_null());
        recipient.or_else(|| self.batch.get(name)).or(param.default.as_ref()).filter(|value| !value.is_null())
    }
}

/// The value of every parameter of `document` that has one.
pub fn resolve(
    document: &Document,
    given: Given<'_>,
    expressions: &Expressions,
    context: &Context,
) -> Result<Map<String, Value>, Vec<ParamFault>> {
    let mut faults = unknown(document, given.batch);
    let mut values = Map::new();
    for (name, param) in &document.params {
        let Some(value) = given.find(name, param) else {
            faults.extend(missing(name, param));
            continue;
        };
        let evaluated = expressions.evaluate(value, context).map_err(|error| error.text);
        match evaluated.and_then(|value| coerce(param, &value)) {
            Ok(value) => drop(values.insert(name.clone(), value)),
            Err(text) => faults.push((name.clone(), text)),
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(faults) }
}

/// What is wrong with the values a batch gives to `document`, as far as it shows before a run.
pub fn check(document: &Document, batch: &BTreeMap<String, Value>, expressions: &Expressions) -> Vec<ParamFault> {
    let mut faults = unknown(document, batch);
    let given = Given { batch, recipient: None };
    for (name, param) in &document.params {
        match given.find(name, param) {
            Some(value) => faults.extend(check_value(name, param, value, expressions)),
            None if document.personal => {}
            None => faults.extend(missing(name, param)),
        }
    }
    faults
}

/// What is wrong with the parameters `document` declares: defaults and choices of another type than theirs.
pub fn check_declarations(document: &Document, expressions: &Expressions) -> Vec<ParamFault> {
    let mut faults = Vec::new();
    for (name, param) in &document.params {
        let untied = Param { choices: Vec::new(), ..param.clone() };
        let choices = param.choices.iter().filter_map(|value| coerce(&untied, value).err());
        faults.extend(choices.map(|text| (name.clone(), format!("a choice {text}"))));
        let default = param.default.as_ref().and_then(|value| check_value(name, param, value, expressions));
        faults.extend(default.map(|(name, text)| (name, format!("the default {text}"))));
    }
    faults
}

fn check_value(name: &str, param: &Param, value: &Value, expressions: &Expressions) -> Option<ParamFault> {
    let checked = match expression(value) {
        Some(source) => {
            expressions.check(source).map_err(|error| format!("is an expression with a fault: {}", error.text))
        }
        None => coerce(param, value).map(drop),
    };
    checked.err().map(|text| (name.to_owned(), text))
}

fn unknown(document: &Document, batch: &BTreeMap<String, Value>) -> Vec<ParamFault> {
    let names: Vec<&str> = document.params.keys().map(String::as_str).collect();
    let known = if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
    let strangers = batch.keys().filter(|name| !document.params.contains_key(*name));
    strangers.map(|name| (name.clone(), format!("is no parameter of `{}`: {known}", document.name))).collect()
}

fn missing(name: &str, param: &Param) -> Option<ParamFault> {
    param.required.then(|| (name.to_owned(), format!("is required: give {}", expected(param))))
}

/// `value` as the type of `param`, if it is one and allowed.
fn coerce(param: &Param, value: &Value) -> Result<Value, String> {
    let fault = || format!("has to be {}, not `{}`", expected(param), shown(value));
    let typed = typed(param.kind, value).ok_or_else(fault)?;
    let allowed = |choice: &Value| self::typed(param.kind, choice).as_ref() == Some(&typed);
    if param.choices.is_empty() || param.choices.iter().any(allowed) { Ok(typed) } else { Err(fault()) }
}

fn typed(kind: ParamKind, value: &Value) -> Option<Value> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => return None,
    };
    let word = text.trim();
    match kind {
        ParamKind::Text => Some(Value::String(text)),
        ParamKind::Integer => word.parse::<i64>().ok().map(Value::from),
        ParamKind::Number => word.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from),
        ParamKind::Boolean => word.parse::<bool>().ok().map(Value::from),
        ParamKind::Date => date::iso(word).map(|date| Value::String(date.to_string())),
    }
}

/// What `param` takes, in words.
fn expected(param: &Param) -> String {
    if !param.choices.is_empty() {
        let choices: Vec<String> = param.choices.iter().map(|choice| format!("`{}`", shown(choice))).collect();
        return format!("one of {}", choices.join(", "));
    }
    match param.kind {
        ParamKind::Text => "text",
        ParamKind::Integer => "a whole number",
        ParamKind::Number => "a number",
        ParamKind::Boolean => "`true` or `false`",
        ParamKind::Date => "a date like 2026-04-01",
    }
    .to_owned()
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned).chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report() -> Document {
        serde_json::from_value(json!({
            "name": "open-orders", "title": "Open orders", "kind": "template", "template": "a.typ",
            "params": {
                "since": { "type": "date", "default": "{{ run_date - 1 month }}" },
                "by": { "type": "text", "choices": ["district", "builder"], "required": true },
                "yard": { "type": "integer" },
                "rate": { "type": "number" },
                "final": { "type": "boolean" },
            },
        }))
        .expect("a document")
    }

    fn map(value: Value) -> BTreeMap<String, Value> {
        serde_json::from_value(value).expect("a map")
    }

    fn resolved(batch: Value, recipient: Value) -> Result<Value, Vec<ParamFault>> {
        let context = json!({ "business_date": "2026-03-31", "n": 8 });
        let (batch, recipient) = (map(batch), map(recipient));
        let given = Given { batch: &batch, recipient: Some(&recipient) };
        resolve(&report(), given, &Expressions::default(), &context).map(Value::Object)
    }

    #[test]
    fn the_recipient_wins_over_the_batch_and_that_over_the_default() {
        let batch = json!({ "by": "builder", "yard": 7, "rate": "0.5", "final": "true" });
        assert_eq!(
            resolved(batch.clone(), json!({})),
            Ok(json!({ "since": "2026-02-28", "by": "builder", "yard": 7, "rate": 0.5, "final": true }))
        );
        let own = json!({ "yard": "{{ n + 1 }}", "by": "district", "since": "2026-01-01", "other": 1 });
        assert_eq!(
            resolved(batch, own),
            Ok(json!({ "since": "2026-01-01", "by": "district", "yard": 9, "rate": 0.5, "final": true }))
        );
    }

    #[test]
    fn all_faults_are_found_at_once_and_say_what_is_expected() {
        let faults =
            resolved(json!({ "since": "soon", "yard": 1.5, "rate": [], "final": 1, "yrd": 1, "by": "x" }), json!({}));
        let lines: Vec<String> =
            faults.expect_err("all wrong").into_iter().map(|(name, text)| format!("{name} {text}")).collect();
        assert_eq!(
            lines,
            [
                "yrd is no parameter of `open-orders`: it has by, final, rate, since, yard",
                "by has to be one of `district`, `builder`, not `x`",
                "final has to be `true` or `false`, not `1`",
                "rate has to be a number, not `[]`",
                "since has to be a date like 2026-04-01, not `soon`",
                "yard has to be a whole number, not `1.5`",
            ]
        );
        let missing = resolved(json!({ "yard": "{{ nothing }}" }), json!({})).expect_err("`by` is required");
        assert_eq!(
            missing,
            [
                ("by".to_owned(), "is required: give one of `district`, `builder`".to_owned()),
                ("yard".to_owned(), "`nothing` is not defined".to_owned()),
            ]
        );
    }

    #[test]
    fn a_batch_is_checked_without_evaluating_its_expressions() {
        let expressions = Expressions::default();
        let batch = map(json!({ "by": "builder", "yard": "{{ recipient.params.yard }}" }));
        assert_eq!(check(&report(), &batch, &expressions), []);
        let broken = check(&report(), &map(json!({ "by": "x", "yard": "{{ oops" })), &expressions);
        assert_eq!(broken.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["by", "yard"]);
        assert_eq!(check(&report(), &BTreeMap::new(), &expressions).len(), 1);
        let personal = Document { personal: true, ..report() };
        assert_eq!(check(&personal, &BTreeMap::new(), &expressions), [], "a recipient may bring it");
    }

    #[test]
    fn a_declaration_fits_its_own_type() {
        let mut document = report();
        assert_eq!(check_declarations(&document, &Expressions::default()), []);
        let wrong = json!({ "type": "integer", "default": "seven", "choices": [1, "two"] });
        document.params = [("n".to_owned(), serde_json::from_value(wrong).expect("a param"))].into();
        assert_eq!(check_declarations(&document, &Expressions::default()).len(), 2);
    }
}
