//! From what was written to what can be saved, or to everything that is wrong with it.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::{
    Batch, Cover, Draft, DraftEntry, DraftSource, Faults, Keep, Known, Recipient, audience, check, input,
    name::{named, titled},
    validate_document::held,
    validate_trigger,
};
use crate::{
    channel::Message,
    contact::{Contacts, Country, Policy},
    document::{Document, Expressions, Source, param},
    schedule::{Hours, Written},
};

/// Checks a batch against what is there.
///
/// # Errors
/// All that is wrong, with what is in `faults` already.
pub fn batch(mut input: input::Batch, known: &Known, mut faults: Faults) -> Result<Draft, Faults> {
    let name = named(input.name, &mut faults);
    let title = titled(input.title, &name, &mut faults);
    let schedule = schedules(input.schedule, known, &mut faults);
    let country = country(input.country, &mut faults);
    let audience = input.audience.map(|written| audience::check(written, &known.data, &mut faults));
    let rules = Rules { country: country.or(known.country), some: audience.is_none() };
    let recipients = recipients(input.recipients, rules, &mut faults);
    let words = input.message.as_ref().and_then(|message| message.text.as_deref());
    let bare = words.is_some_and(|text| !text.trim().is_empty());
    let entries = entries(input.documents, (known, bare), &mut faults);
    personal_params(&entries, &recipients, known, &mut faults);
    let declared = validate_trigger::declared(&entries, known);
    let event = validate_trigger::events(input.event, &declared, &mut faults);
    let file = validate_trigger::files(input.file, (&declared, known), &mut faults);
    validate_trigger::apart(&file, &mut faults);
    let batch = Batch {
        workflow: workflow(input.workflow, known, &mut faults),
        run_as: run_as(input.run_as, known, &mut faults),
        zone: zone_of(input.zone, &schedule, &mut faults),
        bundle: input.bundle.unwrap_or_default(),
        documents: Vec::new(),
        policy: policy(input.policy.unwrap_or_default(), &mut faults),
        country,
        duplicates: input.duplicates.unwrap_or_default(),
        audience,
        cover: Cover::read(input.message.as_mut().and_then(|message| message.cover.take()), known, &mut faults),
        message: message(input.message, &mut faults),
        accounts: input.accounts,
        hours: hours((input.window.as_deref(), input.quiet.as_deref()), &mut faults),
        too_large: input.too_large,
        without_word: input.without_word,
        keep: Keep::read(input.keep, &mut faults),
        schedule,
        event,
        file,
        name,
        title,
    };
    if entries.is_empty() {
        alone(&batch, &mut faults);
    }
    accounts(&batch, known, &mut faults);
    if input.enabled.unwrap_or(true) {
        for (index, text) in closed(&batch.policy.order, &known.accounts) {
            faults.add(format!("policy/order/{index}"), text);
        }
    }
    faults.or(Draft { batch, entries, recipients, enabled: input.enabled.unwrap_or(true) })
}

fn workflow(workflow: Option<String>, known: &Known, faults: &mut Faults) -> String {
    let names: Vec<_> = known.workflows.iter().map(String::as_str).collect();
    let names = check::or_none(&names);
    let workflow = faults.need("workflow", workflow, &format!("write one of: {names}")).unwrap_or_default();
    if !known.workflows.contains(&workflow) {
        faults.add("workflow", format!("there is no workflow `{workflow}`; write one of: {names}"));
    }
    workflow
}

fn hours((window, quiet): (Option<&str>, Option<&str>), faults: &mut Faults) -> Hours {
    Hours::read(window, quiet).unwrap_or_else(|flaws| {
        flaws.into_iter().for_each(|flaw| faults.add(flaw.field, flaw.text));
        Hours::default()
    })
}

fn run_as(user: Option<String>, known: &Known, faults: &mut Faults) -> String {
    let user = faults.need("run_as", user, "write the name of the user it runs as").unwrap_or_default();
    match known.users.get(&user) {
        Some(true) => {}
        Some(false) => faults.add("run_as", format!("the user `{user}` is disabled; enable it or write another")),
        None => faults.add("run_as", format!("there is no user `{user}`; add it, or write the name of one there is")),
    }
    user
}

/// What is sent; nothing but the message, when that has a text and may go `bare`.
fn entries(entries: Vec<Option<input::Entry>>, (known, bare): (&Known, bool), faults: &mut Faults) -> Vec<DraftEntry> {
    if entries.is_empty() && !bare {
        faults.add(
            "documents",
            "is empty; name at least one document: `[{ \"document\": \"opening-checklist\" }]`, or write a `message` with \
             a `text`, which then goes alone",
        );
    }
    let mut checked = Vec::with_capacity(entries.len());
    for (index, entry) in entries.into_iter().enumerate() {
        let at = format!("documents/{index}");
        match entry {
            None => faults.add(at, "write an object: `{ \"document\": \"opening-checklist\" }`"),
            Some(written) => checked.extend(entry_of(written, &at, known, faults)),
        }
    }
    checked
}

fn entry_of(entry: input::Entry, at: &str, known: &Known, faults: &mut Faults) -> Option<DraftEntry> {
    let Some(name) = &entry.document else { return held(entry, at, faults) };
    if entry.file.is_some() || entry.content.is_some() {
        faults.add(at, "names a document and holds one; write either `document`, or `file` and `content`");
    }
    match known.documents.get(name) {
        Some(document) => {
            let found = param::check(document, &entry.params, &Expressions::default());
            check::params(found, &format!("{at}/params"), faults);
            template(document, &format!("{at}/document"), known, faults);
        }
        None if known.batches.contains(name) => faults.add(
            format!("{at}/document"),
            format!("`{name}` is a batch, and a batch cannot be sent by a batch; list its documents instead"),
        ),
        None => faults.add(
            format!("{at}/document"),
            format!("there is no document `{name}`; add it to the catalogue, or hold its file here"),
        ),
    }
    Some(DraftEntry { source: DraftSource::Document(name.clone()), params: entry.params })
}

/// A template lies in the folder of the batch's workflow, so only the batch can tell whether it is there.
fn template(document: &Document, at: &str, known: &Known, faults: &mut Faults) {
    let Source::Template { template } = &document.source else { return };
    if !known.files.is_empty() && !known.files.contains(template) {
        let text = format!(
            "is made from `{template}`, which is not among the files of this workflow; add it there, or use another workflow"
        );
        faults.add(at, text);
    }
}

/// A document made for each recipient may take a required parameter from the batch or from every one of them.
fn personal_params(entries: &[DraftEntry], recipients: &[Recipient], known: &Known, faults: &mut Faults) {
    for (index, entry) in entries.iter().enumerate() {
        let DraftSource::Document(name) = &entry.source else { continue };
        let Some(document) = known.documents.get(name).filter(|document| document.personal) else { continue };
        let needed = document.params.iter().filter(|(_, declared)| declared.required && declared.default.is_none());
        for (param, _) in needed.filter(|(param, _)| !entry.params.contains_key(*param)) {
            if let Some(one) = recipients.iter().find(|one| !one.params.contains_key(param)) {
                let text = format!("is required: give it here, or to every recipient; `{}` has none", one.name);
                faults.add(format!("documents/{index}/params/{param}"), text);
            }
        }
    }
}

/// What the recipients of a batch have to be.
#[derive(Debug, Clone, Copy)]
struct Rules {
    /// Where numbers are that do not say.
    country: Option<Country>,
    /// Whether there has to be one at all.
    some: bool,
}

fn country(written: Option<String>, faults: &mut Faults) -> Option<Country> {
    let read = written.as_deref().map(str::parse::<Country>)?;
    read.map_err(|fault| faults.add("country", fault.to_string())).ok()
}

fn recipients(recipients: Vec<Option<Map<String, Value>>>, rules: Rules, faults: &mut Faults) -> Vec<Recipient> {
    if recipients.is_empty() && rules.some {
        faults.add(
            "recipients",
            "is empty; name at least one: `[{ \"name\": \"Ann\", \"email\": \"ann@example.org\" }]`, or an `audience`",
        );
    }
    let mut checked = Vec::with_capacity(recipients.len());
    for (index, fields) in recipients.into_iter().enumerate() {
        let at = format!("recipients/{index}");
        match fields {
            None => faults.add(at, "write an object: `{ \"name\": \"Ann\", \"email\": \"ann@example.org\" }`"),
            Some(fields) => checked.push(recipient(fields, (&at, rules), faults)),
        }
    }
    checked
}

fn recipient(fields: Map<String, Value>, (at, rules): (&str, Rules), faults: &mut Faults) -> Recipient {
    let mut recipient = Recipient { name: String::new(), contacts: Contacts::new(), params: Default::default() };
    for (key, value) in fields {
        let at = format!("{at}/{key}");
        match (key.as_str(), value) {
            ("name", Value::String(name)) => recipient.name = name,
            ("params", Value::Object(params)) => recipient.params = params.into_iter().collect(),
            // Written but empty is the same as left out.
            (known, Value::Null) if ["name", "params"].contains(&known) || check::CHANNELS.contains(&known) => {}
            ("params", _) => faults.add(at, "write an object: `{ \"yard\": 7 }`"),
            (channel, Value::String(contact)) if check::CHANNELS.contains(&channel) => {
                faults.told(&at, check::contact(channel, &contact, rules.country));
                recipient.contacts.insert(key, contact);
            }
            (known, _) if known == "name" || check::CHANNELS.contains(&known) => faults.add(at, "write a text"),
            _ => faults.add(at, format!("is unknown; write `name`, `params` or one of {}", check::CHANNELS.join(", "))),
        }
    }
    faults.told(&format!("{at}/name"), check::line(&recipient.name));
    if recipient.contacts.is_empty() {
        faults.add(at, "has no contact; write one, such as `\"email\": \"ann@example.org\"`");
    }
    recipient
}

fn policy(policy: input::Policy, faults: &mut Faults) -> Policy {
    let mut order = Vec::with_capacity(policy.order.len());
    for (index, channel) in policy.order.into_iter().enumerate() {
        match channel {
            Some(channel) if check::CHANNELS.contains(&channel.as_str()) && !order.contains(&channel) => {
                order.push(channel);
            }
            _ => faults.add(
                format!("policy/order/{index}"),
                format!("write each channel once, out of {}", check::CHANNELS.join(", ")),
            ),
        }
    }
    Policy { send: policy.send.unwrap_or_default(), order }
}

/// What is written with the documents when the batch does not say.
const SUBJECT: &str = "{{ document.title if document else batch.title }}, {{ business_date }}";

/// What is wrong with a message that goes without documents.
fn alone(batch: &Batch, faults: &mut Faults) {
    if batch.cover == Cover::Wanted(false) {
        faults.add("message/cover", "is all that a fax without documents has; leave it in, or name a document");
    }
    let Message { subject, text, html } = &batch.message;
    let parts = [("subject", Some(subject)), ("text", Some(text)), ("html", html.as_ref())];
    for (part, source) in parts.into_iter().filter_map(|(part, source)| Some((part, source?))) {
        let speaks = source != SUBJECT && Expressions::default().reads(source, "document");
        if speaks {
            faults.add(format!("message/{part}"), "speaks of `document`, and the batch names none in `documents`");
        }
    }
}

fn message(message: Option<input::Message>, faults: &mut Faults) -> Message {
    let message = message.unwrap_or_default();
    let subject = message.subject.unwrap_or_else(|| SUBJECT.to_owned());
    faults.told("message/subject", check::line(&subject).or_else(|| check::template(&subject)));
    let text = message.text.unwrap_or_default();
    faults.told("message/text", check::template(&text));
    faults.told("message/html", message.html.as_deref().and_then(check::template));
    Message { subject, text, html: message.html }
}

fn schedules(schedules: Vec<Option<Written>>, known: &Known, faults: &mut Faults) -> Vec<Written> {
    for (index, schedule) in schedules.iter().enumerate() {
        let at = format!("schedule/{index}");
        let Some(schedule) = schedule else {
            faults.add(at, "write an object: `{ \"rule\": \"daily at 06:00\", \"zone\": \"Europe/Amsterdam\" }`");
            continue;
        };
        faults.told(&format!("{at}/rule"), check::line(&schedule.words()).filter(|_| schedule.is_written()));
        for flaw in schedule.read().err().into_iter().flatten() {
            faults.add(format!("{at}/{}", flaw.field), flaw.text);
        }
        if let Some(calendar) = schedule.calendar.as_ref().filter(|calendar| !known.calendars.contains(*calendar)) {
            let text = format!("there is no calendar `{calendar}`; add it, or write the name of one there is");
            faults.add(format!("{at}/calendar"), text);
        }
    }
    schedules.into_iter().flatten().collect()
}

/// Where a schedule has no zone that can be read, that was told already.
fn zone_of(written: Option<String>, schedule: &[Written], faults: &mut Faults) -> Tz {
    let Some(written) = written else {
        return schedule.first().and_then(|schedule| schedule.read().ok()).map_or(Tz::UTC, |schedule| schedule.zone);
    };
    written.parse().unwrap_or_else(|_| {
        faults.add("zone", format!("`{written}` is no zone; write an IANA name such as `Europe/Amsterdam`"));
        Tz::UTC
    })
}

/// What keeps a batch from firing: channels that its policy counts on and that have no account, with their places.
pub(super) fn closed(order: &[String], accounts: &BTreeMap<String, String>) -> Vec<(usize, String)> {
    let closed = order.iter().enumerate().filter(|(_, channel)| !accounts.values().any(|serves| serves == *channel));
    let text = |channel| {
        format!("no account is set up for the channel `{channel}`; add one to the configuration, or leave it out")
    };
    closed.map(|(index, channel)| (index, text(channel))).collect()
}

fn accounts(batch: &Batch, known: &Known, faults: &mut Faults) {
    for (channel, account) in &batch.accounts {
        let fits: Vec<_> =
            known.accounts.iter().filter(|(_, serves)| *serves == channel).map(|(name, _)| name.as_str()).collect();
        if !fits.contains(&account.as_str()) {
            let fault = format!("`{account}` is no account for {channel}; there is: {}", check::or_none(&fits));
            faults.add(format!("accounts/{channel}"), fault);
        }
    }
}
