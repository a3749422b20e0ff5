//! What a run is made of, worked out before anything is written: one recipient at a time, without touching a row.
//!
//! `expand` writes what this says; the preview only counts it. A document is rendered once for all recipients unless
//! it is personal or a recipient brings a parameter of their own; the key of an item says which of these it is.

pub(super) mod duplicate;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use self::duplicate::Duplicates;
use super::{Engine, TransmissionState, frozen::Frozen};
use crate::{
    catalog::{Batch, EntrySource, suppression},
    channel::Carries,
    contact::{Contacts, Country, policy::Candidate},
    document::{
        Context, Document, Expressions,
        param::{self, Given},
    },
    id::{DocumentRevisionId, RecipientId, RunId},
    reason::{Reason, Scope},
};

/// A recipient of a batch, as it is read from its row.
#[derive(Debug, Clone)]
pub struct Recipient {
    pub id: RecipientId,
    pub position: i32,
    pub name: String,
    pub contacts: Contacts,
    pub params: BTreeMap<String, Value>,
}

impl Recipient {
    /// The recipient as expressions see it: name and contacts, and `params`.
    pub fn context(&self) -> Value {
        let mut seen: Map<String, Value> =
            self.contacts.iter().map(|(channel, contact)| (channel.clone(), json!(contact))).collect();
        seen.insert("name".to_owned(), json!(self.name));
        seen.insert("params".to_owned(), json!(self.params));
        Value::Object(seen)
    }
}

/// The columns of a recipient as an outer join gives them: empty where there is none.
#[derive(Debug, Default)]
pub(super) struct RecipientColumns {
    pub id: Option<RecipientId>,
    pub position: Option<i32>,
    pub name: Option<String>,
    pub contacts: Option<Value>,
    pub params: Option<Value>,
}

impl RecipientColumns {
    pub(super) fn read(self) -> Result<Option<Recipient>> {
        let empty = || Value::Object(Map::new());
        let Some(id) = self.id else { return Ok(None) };
        Ok(Some(Recipient {
            id,
            position: self.position.unwrap_or_default(),
            name: self.name.unwrap_or_default(),
            contacts: serde_json::from_value(self.contacts.unwrap_or_else(empty)).context("reading contacts")?,
            params: serde_json::from_value(self.params.unwrap_or_else(empty)).context("reading parameters")?,
        }))
    }
}

/// One thing to render.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedItem {
    /// Unique in the run, and the same whenever this is worked out again.
    pub key: String,
    pub position: i32,
    pub name: String,
    pub revision: DocumentRevisionId,
    pub params: Value,
    /// The one recipient it is rendered for, when it is personal.
    pub recipient: Option<RecipientId>,
    /// Why it cannot be rendered, when that is known beforehand.
    pub reason: Option<Reason>,
}

/// One transmission, with the keys of what it carries.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedTransmission {
    pub key: String,
    pub channel: String,
    pub contact: String,
    pub state: TransmissionState,
    pub reason: Option<Reason>,
    pub items: Vec<String>,
    /// The key under which this is sent once only.
    pub once: Option<String>,
    /// Where one turns to when it comes to nothing: channel and contact, in this order.
    pub then: Vec<(String, String)>,
}

/// What one recipient gets.
#[derive(Debug, Clone)]
pub struct Planned {
    pub recipient: Recipient,
    pub items: Vec<PlannedItem>,
    pub transmissions: Vec<PlannedTransmission>,
}

impl Planned {
    /// What has to be rendered: nothing for those who are skipped altogether.
    pub fn wanted(&self) -> &[PlannedItem] {
        let gets = self.transmissions.iter().any(|one| one.state != TransmissionState::Skipped);
        if gets { &self.items } else { &[] }
    }
}

/// What is needed to work out any recipient of one run.
pub struct Planner<'a> {
    pub run: RunId,
    pub batch: &'a Batch,
    /// What expressions see of the run.
    pub context: Context,
    /// Parameters of this run only.
    pub params: &'a Map<String, Value>,
    /// In the order of the batch's documents.
    pub documents: &'a [(DocumentRevisionId, Document)],
    /// The channels that have an account.
    pub channels: BTreeSet<String>,
    /// Those of them whose account cannot carry what the batch sends, with the reason.
    unfit: BTreeMap<String, Reason>,
    /// Where numbers are that do not say.
    pub country: Option<Country>,
    /// How many recipients the batch lists; those of its audience have the places behind them.
    pub listed: i32,
    pub expressions: &'a Expressions,
    /// What those before get.
    duplicates: Duplicates,
    /// What each document is for those who bring nothing of their own to it, worked out for the first of them.
    common: Vec<Option<PlannedItem>>,
}

/// What is known of one recipient before it is worked out what they get.
#[derive(Debug)]
pub(super) struct Chosen {
    pub candidates: Vec<Candidate>,
    /// The key under which they are sent to once only.
    pub once: Option<String>,
    /// Why they get nothing at all.
    pub stop: Option<Reason>,
}

/// What is suppressed, by channel and contact as [`crate::contact::Contact::key`] has it.
pub type Suppressed = HashMap<(String, String), suppression::Kind>;

impl<'a> Planner<'a> {
    /// The planner of a run with these frozen inputs and documents.
    pub(super) fn new(
        engine: &'a Engine,
        frozen: &'a Frozen,
        documents: &'a [(DocumentRevisionId, Document)],
        listed: i32,
    ) -> Self {
        Self {
            run: frozen.run,
            batch: &frozen.batch,
            context: frozen.context(),
            params: &frozen.params,
            documents,
            channels: engine.channels.channels(),
            unfit: unfit(engine, frozen),
            country: frozen.batch.country.or(engine.country),
            listed,
            expressions: &engine.toolbox.expressions,
            duplicates: Duplicates::default(),
            common: vec![None; documents.len()],
        }
    }

    /// The contacts of `recipient`, parsed.
    pub(super) fn candidates(&self, recipient: &Recipient) -> Vec<Candidate> {
        let mut candidates = self.batch.policy.candidates(&recipient.contacts, &self.channels, self.country);
        for candidate in candidates.iter_mut().filter(|candidate| candidate.contact.is_ok()) {
            if let Some(reason) = self.unfit.get(&candidate.channel) {
                candidate.contact = Err(reason.clone());
            }
        }
        candidates
    }

    /// What `recipient` gets, who follows all that were worked out before.
    pub(super) fn plan(&mut self, recipient: Recipient, chosen: Chosen, suppressed: &Suppressed) -> Planned {
        let Chosen { mut candidates, once, stop } = chosen;
        candidates.iter_mut().for_each(|candidate| suppress(candidate, suppressed));
        let choice = self.batch.policy.choose(candidates);
        let send = choice.send.into_iter().map(|pick| (pick.channel, pick.contact.to_string(), stop.clone()));
        let mut contacts: Vec<_> = send.collect();
        contacts.extend(choice.skipped.into_iter().map(|skip| (skip.channel, skip.contact, Some(skip.reason))));
        // Also for who gets nothing: the book says what they did not get.
        let items = self.items(&recipient);
        let mut transmissions: Vec<_> =
            contacts.into_iter().flat_map(|contact| self.parcels(&recipient, contact, &items)).collect();
        let then: Vec<_> = choice.then.into_iter().map(|pick| (pick.channel, pick.contact.to_string())).collect();
        for queued in transmissions.iter_mut().filter(|one| one.state == TransmissionState::Queued) {
            queued.once.clone_from(&once);
            queued.then.clone_from(&then);
        }
        self.duplicates.sift(self.batch.duplicates, &mut transmissions);
        Planned { recipient, items, transmissions }
    }

    fn items(&mut self, recipient: &Recipient) -> Vec<PlannedItem> {
        (0..self.documents.len())
            .map(|at| {
                let (_, document) = &self.documents[at];
                let given = |name| recipient.params.get(name).is_some_and(|value: &Value| !value.is_null());
                if document.personal || document.params.keys().any(given) {
                    return self.item(at, recipient);
                }
                let common = self.common[at].take().unwrap_or_else(|| self.item(at, recipient));
                self.common[at].insert(common).clone()
            })
            .collect()
    }

    fn item(&self, at: usize, recipient: &Recipient) -> PlannedItem {
        let ((revision, document), entry) = (&self.documents[at], &self.batch.documents[at]);
        let position = i32::try_from(at).unwrap_or(i32::MAX);
        let context = self.context_of(document, recipient);
        let mut batch = entry.params.clone();
        batch.extend(self.params.iter().filter(|(name, _)| document.params.contains_key(*name)).map(own));
        let given = Given { batch: &batch, recipient: Some(&recipient.params) };
        let (params, reason) = match param::resolve(document, given, self.expressions, &context) {
            Ok(params) => (Value::Object(params), None),
            Err(faults) => (Value::Object(Map::new()), Some(unresolved(&document.name, &faults))),
        };
        let own = document.personal.then_some(recipient.id);
        PlannedItem {
            key: item_key(position, &params, own, reason.as_ref()),
            position,
            name: document.name.clone(),
            revision: *revision,
            params,
            recipient: own,
            reason,
        }
    }

    fn context_of(&self, document: &Document, recipient: &Recipient) -> Context {
        let recipient = document.personal.then(|| recipient.context());
        document_context(self.context.clone(), document, Value::Object(Map::new()), recipient)
    }

    /// The transmissions to one contact: one with everything, or one for each document, or one with words alone.
    fn parcels(
        &self,
        recipient: &Recipient,
        (channel, contact, skip): (String, String, Option<Reason>),
        items: &[PlannedItem],
    ) -> Vec<PlannedTransmission> {
        let parcels: Vec<(String, &[PlannedItem])> = if self.batch.bundle || self.documents.is_empty() {
            vec![("all".to_owned(), items)]
        } else {
            (0..self.documents.len()).map(|at| (at.to_string(), items.get(at..=at).unwrap_or_default())).collect()
        };
        parcels
            .into_iter()
            .map(|(part, carried)| {
                let broken = carried.iter().find_map(|item| item.reason.clone());
                let (state, reason) = match (&skip, broken) {
                    (Some(reason), _) => (TransmissionState::Skipped, Some(reason.clone())),
                    (None, Some(reason)) => (TransmissionState::Failed, Some(reason)),
                    (None, None) => (TransmissionState::Queued, None),
                };
                PlannedTransmission {
                    key: format!("{}:{channel}:{part}", recipient.position),
                    channel: channel.clone(),
                    contact: contact.clone(),
                    state,
                    reason,
                    items: carried.iter().map(|item| item.key.clone()).collect(),
                    once: None,
                    then: Vec::new(),
                }
            })
            .collect()
    }
}

/// The channels whose accounts cannot carry what the batch sends.
pub(super) fn unfit(engine: &Engine, frozen: &Frozen) -> BTreeMap<String, Reason> {
    let bare = frozen.batch.documents.is_empty();
    let why = |carries| match carries {
        Carries::Words if !bare => {
            Some(("words-only", "a text message carries words only, and the batch sends documents"))
        }
        Carries::Files if bare => Some(("no-files", "there is nothing to fetch by a link: the batch sends words only")),
        _ => None,
    };
    let channels = engine.channels.channels().into_iter();
    channels
        .filter_map(|channel| {
            let (code, text) = why(frozen.account(engine, &channel)?.carries())?;
            Some((channel, Reason::new(Scope::Document, code, text)))
        })
        .collect()
}

/// What expressions and templates of one document see; the recipient only when it is personal.
pub(super) fn document_context(
    mut context: Context,
    document: &Document,
    params: Value,
    recipient: Option<Value>,
) -> Context {
    context["document"] = json!({ "name": document.name, "title": document.title });
    context["params"] = params;
    if let Some(recipient) = recipient {
        context["recipient"] = recipient;
    }
    context
}

fn own((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// Keeps a contact from being chosen to which nothing is sent any more.
pub(super) fn suppress(candidate: &mut Candidate, suppressed: &Suppressed) {
    let Ok(contact) = &candidate.contact else { return };
    if let Some(kind) = suppressed.get(&(candidate.channel.clone(), contact.key())) {
        candidate.written = contact.to_string();
        candidate.contact = Err(kind.reason(&candidate.written));
    }
}

fn unresolved(document: &str, faults: &[(String, String)]) -> Reason {
    let faults: Vec<_> = faults.iter().map(|(name, text)| format!("{name}: {text}")).collect();
    Reason::new(Scope::Document, "params", format!("the parameters of {document} do not fit: {}", faults.join("; ")))
}

/// Equal for what is rendered alike, so that it is rendered once.
fn item_key(at: i32, params: &Value, recipient: Option<RecipientId>, reason: Option<&Reason>) -> String {
    let told = json!([params, reason]).to_string();
    let sum: String = Sha256::digest(told).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    match recipient {
        Some(recipient) => format!("{at}:{sum}:{recipient}"),
        None => format!("{at}:{sum}"),
    }
}

/// The documents of a batch in its order, each in its current revision. Names that are gone are left to the caller.
///
/// # Errors
/// When the database cannot be read, or a document of the batch is no longer there.
pub async fn documents(db: &mut PgConnection, batch: &Batch) -> Result<Vec<(DocumentRevisionId, Document)>> {
    let mut documents = Vec::with_capacity(batch.documents.len());
    for entry in &batch.documents {
        let (name, held) = match &entry.source {
            EntrySource::Document(name) => (Some(name), None),
            EntrySource::Held(revision) => (None, Some(*revision)),
        };
        let row = sqlx::query!(
            r#"
            select id as "id: DocumentRevisionId", definition
              from document_revision
             where id = coalesce($1, (select current from document where name = $2 and deleted_at is null))
            "#,
            held as Option<DocumentRevisionId>,
            name,
        )
        .fetch_optional(&mut *db)
        .await
        .context("reading the documents of a batch")?
        .with_context(|| format!("the document `{}` is no longer there", name.map_or("held", String::as_str)))?;
        let document = serde_json::from_value(row.definition).context("reading a document")?;
        documents.push((row.id, document));
    }
    Ok(documents)
}
