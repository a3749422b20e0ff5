//! What the cover page of a fax is told.

use serde_json::{Value, json};

use super::{super::frozen::Frozen, Source};
use crate::{
    catalog,
    document::{
        Files,
        fax::{self, Cover},
        plain,
    },
};

/// The cover page of a fax, if it has one. Words without documents are a page of their own whatever the batch says, and
/// documents without words need none.
pub(super) fn of(frozen: &Frozen, source: &Source<'_>) -> Option<(Files, Cover)> {
    let message = source.message;
    let wordless = message.subject.is_empty() && message.text.is_empty() && message.html.is_none();
    let (files, template) = match &frozen.batch.cover {
        catalog::Cover::Template(template) => (frozen.files.clone(), template.clone()),
        catalog::Cover::Wanted(wanted) if source.files.is_empty() || (*wanted && !wordless) => {
            (fax::built_in(), fax::BUILT_IN.to_owned())
        }
        catalog::Cover::Wanted(_) => return None,
    };
    let mut context = frozen.context();
    context["fax"] = told(frozen, source);
    Some((files, Cover { template, context }))
}

fn told(frozen: &Frozen, source: &Source<'_>) -> Value {
    let message = source.message;
    let text = match &message.html {
        Some(html) if message.text.trim().is_empty() => plain::text(html),
        _ => message.text.clone(),
    };
    json!({
        "to": source.recipient,
        "number": source.contact,
        "from": sender(&frozen.user),
        "date": source.created_at.with_timezone(&frozen.batch.zone).format("%-d %B %Y").to_string(),
        "subject": message.subject,
        "text": text,
        "files": source.files.iter().map(|(name, _)| name).collect::<Vec<_>>(),
    })
}

/// The user it runs as, with the company where there is one.
fn sender(user: &Value) -> String {
    let said = |name: &str| user.get(name).and_then(Value::as_str).filter(|said| !said.is_empty());
    let said: Vec<_> = ["title", "company"].into_iter().filter_map(said).collect();
    said.join(", ")
}
