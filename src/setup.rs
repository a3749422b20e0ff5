//! Setting up users, documents, calendars and batches from files, all of them or none that has a fault.
//!
//! Everything is checked before anything is written, each against what is in the database and what comes along in the
//! same folder. Called by `apply` and by the demo.

use std::{fmt, path::Path};

use anyhow::{Context, Result, anyhow, bail};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    account::{self, User},
    audit::Author,
    catalog::{self, DocumentDraft, Draft, Expect, Faults, Outside, Saved, Shelf, calendar, document},
    monitor::words::counted,
};

/// What a file sets up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    User,
    Document,
    Calendar,
    Batch,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Document => "document",
            Self::Calendar => "calendar",
            Self::Batch => "batch",
        })
    }
}

/// One thing to set up, as it was written.
#[derive(Debug, Clone)]
pub struct Wish {
    pub kind: Kind,
    /// The file it stands in, for messages.
    pub file: String,
    pub value: Value,
}

impl Wish {
    /// Where it stands: its file, and which of those in it.
    fn place(&self) -> String {
        match self.value["name"].as_str() {
            Some(name) => format!("{}: {} {name:.60}", self.file, self.kind),
            None => self.file.clone(),
        }
    }
}

/// Everything checked, in the order in which it is written.
#[derive(Debug, Default)]
pub struct Plan {
    users: Vec<User>,
    documents: Vec<DocumentDraft>,
    calendars: Vec<calendar::Draft>,
    batches: Vec<Draft>,
}

/// What was done about one thing.
#[derive(Debug, Clone)]
pub struct Done {
    pub kind: Kind,
    pub name: String,
    pub saved: Saved,
}

/// Reads all TOML files below `folder`. A file holds one user, document, calendar or batch, told by its folder (`users/`,
/// `documents/`, `calendars/`, `batches/`) or else by its keys, or lists of them (`[[user]]`, `[[document]]`,
/// `[[calendar]]`, `[[batch]]`). An iCalendar file (`calendars/NAME.ics`) is a calendar of its name.
///
/// # Errors
/// When a file cannot be read, is not TOML, or does not tell what it sets up.
pub fn read(folder: &Path) -> Result<Vec<Wish>> {
    let mut wishes = Vec::new();
    walk(folder, &mut wishes)?;
    if wishes.is_empty() {
        bail!("there are no .toml files in {}", folder.display());
    }
    wishes.sort_by(|a, b| (a.kind, &a.file).cmp(&(b.kind, &b.file)));
    Ok(wishes)
}

fn walk(folder: &Path, wishes: &mut Vec<Wish>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            walk(&path, wishes)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            wishes.extend(file(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "ics") {
            wishes.push(icalendar(&path)?);
        }
    }
    Ok(())
}

fn file(path: &Path) -> Result<Vec<Wish>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    let base = path.parent().unwrap_or(Path::new("."));
    wishes(&path.display().to_string(), folder_kind(path), table, &|name| {
        std::fs::read(base.join(name)).with_context(|| format!("{}: reading `{name}`, which it names", path.display()))
    })
}

fn icalendar(path: &Path) -> Result<Wish> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
    let value = json!({ "name": name, "ics": text });
    Ok(Wish { kind: Kind::Calendar, file: path.display().to_string(), value })
}

/// What the text of one file sets up. `bytes` gives the files that its `path` keys name.
///
/// # Errors
/// When the file does not tell what it sets up, or names a file that is not there.
pub fn wishes(
    file: &str,
    kind: Option<Kind>,
    table: toml::Table,
    bytes: &dyn Fn(&str) -> Result<Vec<u8>>,
) -> Result<Vec<Wish>> {
    let value = serde_json::to_value(plain(toml::Value::Table(table))).with_context(|| format!("reading {file}"))?;
    let mut wishes = Vec::new();
    for kind in [Kind::User, Kind::Document, Kind::Calendar, Kind::Batch] {
        if let Some(Value::Array(values)) = value.get(kind.to_string()) {
            wishes.extend(values.iter().map(|value| Wish { kind, file: file.to_owned(), value: value.clone() }));
        }
    }
    if wishes.is_empty() {
        let kind = kind.or_else(|| kind_by_keys(&value)).with_context(|| {
            format!("{file} does not tell what it is; put it into users/, documents/, calendars/ or batches/")
        })?;
        wishes.push(Wish { kind, file: file.to_owned(), value });
    }
    for wish in &mut wishes {
        fill(&mut wish.value, bytes)?;
    }
    Ok(wishes)
}

/// Dates as texts: TOML has dates of its own, JSON has none.
fn plain(value: toml::Value) -> toml::Value {
    match value {
        toml::Value::Datetime(date) => toml::Value::String(date.to_string()),
        toml::Value::Array(values) => values.into_iter().map(plain).collect::<Vec<_>>().into(),
        toml::Value::Table(table) => {
            table.into_iter().map(|(key, value)| (key, plain(value))).collect::<toml::Table>().into()
        }
        other => other,
    }
}

fn folder_kind(path: &Path) -> Option<Kind> {
    match path.parent()?.file_name()?.to_str()? {
        "users" => Some(Kind::User),
        "documents" => Some(Kind::Document),
        "calendars" => Some(Kind::Calendar),
        "batches" => Some(Kind::Batch),
        _ => None,
    }
}

fn kind_by_keys(value: &Value) -> Option<Kind> {
    let has = |key: &str| value.get(key).is_some();
    match () {
        () if has("recipients") || has("workflow") => Some(Kind::Batch),
        () if has("holiday") || has("weekend") || has("ics") => Some(Kind::Calendar),
        () if has("kind") => Some(Kind::Document),
        () if has("role") || has("attributes") || has("contacts") || has("monitor") => Some(Kind::User),
        () => None,
    }
}

/// Replaces `path` by the content of the file it names, here and in the documents a batch holds.
fn fill(value: &mut Value, bytes: &dyn Fn(&str) -> Result<Vec<u8>>) -> Result<()> {
    if let Some(Value::Array(entries)) = value.get_mut("documents") {
        entries.iter_mut().try_for_each(|entry| fill(entry, bytes))?;
    }
    let Some(Value::String(path)) = value.as_object_mut().and_then(|fields| fields.remove("path")) else {
        return Ok(());
    };
    value["content"] = Value::String(BASE64_STANDARD.encode(bytes(&path)?));
    if value.get("file").is_none() {
        let name = Path::new(&path).file_name().map(|name| name.to_string_lossy().into_owned());
        value["file"] = Value::String(name.unwrap_or(path));
    }
    Ok(())
}

/// Checks all wishes against each other and against what is there. `outside` is what the settings bring along.
///
/// # Errors
/// With every fault in any of them, each with its file.
pub async fn plan(shelf: &Shelf, outside: &Outside, wishes: Vec<Wish>) -> Result<Plan> {
    let mut plan = Plan::default();
    let mut told = Vec::new();
    for wish in wishes {
        let place = wish.place();
        if let Err(faults) = plan.add(shelf, outside, wish).await? {
            let faults = faults.into_inner().into_iter();
            told.extend(faults.map(|fault| format!("  {place}: {}: {}", fault.at, fault.text)));
        }
    }
    if told.is_empty() {
        return Ok(plan);
    }
    bail!("nothing was changed, because there are faults:\n{}", told.join("\n"))
}

impl Plan {
    async fn add(&mut self, shelf: &Shelf, outside: &Outside, wish: Wish) -> Result<Result<(), Faults>> {
        let mut faults = Faults::default();
        Ok(match wish.kind {
            Kind::User => {
                let input = catalog::read(wish.value, &mut faults);
                account::check(input, outside.country, faults).map(|user| self.users.push(user))
            }
            Kind::Document => {
                let input = catalog::read(wish.value, &mut faults);
                catalog::validate_document(input, faults).map(|draft| self.documents.push(draft))
            }
            Kind::Calendar => {
                let written = catalog::read(wish.value, &mut faults);
                calendar::check(written, faults).map(|draft| self.calendars.push(draft))
            }
            Kind::Batch => {
                let input = catalog::read(wish.value, &mut faults);
                let mut known = catalog::known(&shelf.db, &input, outside).await?;
                known.users.extend(self.users.iter().map(|user| (user.name.clone(), user.enabled)));
                let documents = self.documents.iter().map(|draft| &draft.document);
                known.documents.extend(documents.map(|document| (document.name.clone(), document.clone())));
                known.calendars.extend(self.calendars.iter().map(|draft| draft.name.clone()));
                known.batches.extend(self.batches.iter().map(|draft| draft.batch.name.clone()));
                catalog::validate::batch(input, &known, faults).map(|draft| self.batches.push(draft))
            }
        })
    }

    /// What is in it, a line each.
    pub fn lines(&self) -> Vec<String> {
        let users = self.users.iter().map(|user| format!("user      {}", user.name));
        let documents = self.documents.iter().map(|draft| format!("document  {}", draft.document.name));
        let batches = self.batches.iter().map(|draft| {
            let (documents, recipients) = (draft.entries.len(), draft.recipients.len());
            let carried = format!("{} to {}", counted(documents, "document"), counted(recipients, "recipient"));
            format!("batch     {}: {carried}", draft.batch.name)
        });
        let calendars = self.calendars.iter().map(|draft| format!("calendar  {}", draft.name));
        users.chain(documents).chain(calendars).chain(batches).collect()
    }

    /// Writes everything.
    ///
    /// # Errors
    /// When the database cannot be written, or something was changed by somebody else meanwhile.
    pub async fn carry_out(self, shelf: &Shelf, author: &Author) -> Result<Vec<Done>> {
        let mut done = Vec::new();
        for user in self.users {
            let name = user.name.clone();
            let saved = account::save(&shelf.db, author, user, Expect::Any).await?;
            done.push(Done { kind: Kind::User, name, saved });
        }
        for draft in self.documents {
            let name = draft.document.name.clone();
            let saved = document::save(shelf, author, draft, Expect::Any).await?;
            done.push(Done { kind: Kind::Document, name, saved });
        }
        for draft in self.calendars {
            let name = draft.name.clone();
            let saved = calendar::save(&shelf.db, author, draft, Expect::Any).await?;
            done.push(Done { kind: Kind::Calendar, name, saved });
        }
        for draft in self.batches {
            let name = draft.batch.name.clone();
            let saved = catalog::save(shelf, author, draft, Expect::Any).await?;
            done.push(Done { kind: Kind::Batch, name, saved });
        }
        Ok(done)
    }
}
