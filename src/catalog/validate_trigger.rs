//! The same for what fires a batch: events and files.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use humantime_serde::re::humantime;
use serde_json::Value;

use super::{
    DraftEntry, DraftSource, Faults, Known, check,
    trigger::{EventTrigger, FileTrigger, WrittenEvent, WrittenFile},
};
use crate::{
    document::{Expressions, text::expression},
    source::place::{Address, Pattern, is_plain},
};

/// The longest type of an event.
pub const LONGEST_TYPE: usize = 100;

/// The longest time a file may have to stay as it is.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether `text` can be the type of an event.
pub fn event_type(text: &str) -> Option<String> {
    let fits = (1..=LONGEST_TYPE).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    (!fits).then(|| {
        format!("write letters, digits, dots, hyphens and underscores, at most {LONGEST_TYPE}: `campaign.ended`")
    })
}

/// What the parameters of triggers may be: those that the batch's documents declare.
pub(super) fn declared(entries: &[DraftEntry], known: &Known) -> BTreeSet<String> {
    let documents = entries.iter().filter_map(|entry| match &entry.source {
        DraftSource::Document(name) => known.documents.get(name),
        DraftSource::Held(draft) => Some(&draft.document),
    });
    documents.flat_map(|document| document.params.keys().cloned()).collect()
}

pub(super) fn events(
    written: Vec<Option<WrittenEvent>>,
    declared: &BTreeSet<String>,
    faults: &mut Faults,
) -> Vec<EventTrigger> {
    let mut checked = Vec::with_capacity(written.len());
    for (index, written) in written.into_iter().enumerate() {
        let at = format!("event/{index}");
        let Some(written) = written else {
            faults.add(at, "write an object: `{ \"type\": \"campaign.ended\" }`");
            continue;
        };
        let place = format!("{at}/type");
        let kind = faults.need(&place, written.kind, "write the type of an event, such as `campaign.ended`");
        faults.told(&place, kind.as_deref().and_then(event_type));
        params(&written.params, declared, &at, faults);
        checked.push(EventTrigger { kind: kind.unwrap_or_default(), data: written.data, params: written.params });
    }
    checked
}

pub(super) fn files(
    written: Vec<Option<WrittenFile>>,
    (declared, known): (&BTreeSet<String>, &Known),
    faults: &mut Faults,
) -> Vec<FileTrigger> {
    let mut checked = Vec::with_capacity(written.len());
    for (index, written) in written.into_iter().enumerate() {
        let at = format!("file/{index}");
        let Some(written) = written else {
            faults.add(at, "write an object: `{ \"folder\": \"/srv/in\", \"match\": \"*.csv\" }`");
            continue;
        };
        params(&written.params, declared, &at, faults);
        checked.extend(file(written, known, &at, faults));
    }
    checked
}

fn file(written: WrittenFile, known: &Known, at: &str, faults: &mut Faults) -> Option<FileTrigger> {
    let place = address(&written, at, faults);
    if let Some((place, field)) = &place {
        faults.told(&format!("{at}/{field}"), known.places.refusal(place));
    }
    let pattern = written.pattern.map_or(Ok(Pattern::any()), Pattern::try_from);
    faults.told(&format!("{at}/match"), pattern.as_ref().err().map(ToString::to_string));
    let stable = time(written.stable, Duration::from_secs(10), &format!("{at}/stable"), faults);
    if stable > LONGEST_WAIT {
        faults.add(format!("{at}/stable"), "is more than a day; write a shorter time, such as `10s`");
    }
    let same = time(written.same, Duration::from_secs(24 * 60 * 60), &format!("{at}/same"), faults);
    let archive = folder(written.archive, "archive", at, faults);
    let error = folder(written.error, "error", at, faults);
    let (place, _) = place?;
    Some(FileTrigger { place, pattern: pattern.ok()?, stable, same, archive, error, params: written.params })
}

/// How the text of one kind of place is read.
type Reader = fn(&str) -> Result<Address, String>;

/// The one place that is written, and its field.
fn address(written: &WrittenFile, at: &str, faults: &mut Faults) -> Option<(Address, &'static str)> {
    let read: [(&'static str, Option<&String>, Reader); 3] = [
        ("folder", written.folder.as_ref(), Address::folder),
        ("sftp", written.sftp.as_ref(), Address::sftp),
        ("s3", written.s3.as_ref(), Address::s3),
    ];
    let given: Vec<_> = read.into_iter().filter_map(|(field, text, read)| Some((field, text?, read))).collect();
    let [(field, text, read)] = given[..] else {
        faults.add(at, "write where the files come in: one of `folder`, `sftp` and `s3`");
        return None;
    };
    match read(text) {
        Ok(address) => Some((address, field)),
        Err(text) => {
            faults.add(format!("{at}/{field}"), text);
            None
        }
    }
}

fn time(written: Option<String>, usual: Duration, at: &str, faults: &mut Faults) -> Duration {
    let Some(written) = written else { return usual };
    humantime::parse_duration(written.trim()).unwrap_or_else(|_| {
        faults.add(at, "write a time such as `10s` or `2h`");
        usual
    })
}

/// A folder in the place. It keeps files from being taken again, so it is not the place itself.
fn folder(written: Option<String>, name: &str, at: &str, faults: &mut Faults) -> String {
    let written = written.unwrap_or_else(|| name.to_owned());
    let folder = written.trim_end_matches('/');
    let fits = !folder.is_empty() && !folder.starts_with('/') && is_plain(folder) && !folder.contains("//");
    if !fits || folder.starts_with(".postbook") {
        faults.add(format!("{at}/{name}"), format!("write a folder in the place, such as `{name}`"));
    }
    folder.to_owned()
}

fn params(params: &BTreeMap<String, Value>, declared: &BTreeSet<String>, at: &str, faults: &mut Faults) {
    let expressions = Expressions::default();
    for (name, value) in params {
        let at = format!("{at}/params/{name}");
        if !declared.contains(name) {
            faults.add(at, "is no parameter of any document of this batch; declare it there, or leave it out");
            continue;
        }
        let broken = expression(value).and_then(|source| expressions.check(source).err());
        faults.told(&at, broken.map(|error| format!("is an expression with a fault: {}", error.text)));
    }
}

/// Two triggers of a batch in one place would not know whose a file is, so its names have to differ.
pub(super) fn apart(triggers: &[FileTrigger], faults: &mut Faults) {
    for (index, trigger) in triggers.iter().enumerate() {
        let earlier = &triggers[..index];
        if earlier.iter().any(|it| it.place == trigger.place && it.pattern == trigger.pattern) {
            faults.add(format!("file/{index}"), "is there already; leave it out, or write another place or pattern");
        }
        faults.told(&format!("file/{index}/archive"), check::line(&trigger.archive));
    }
}
