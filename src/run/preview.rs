//! What a run would do now, without doing it: who would get what over which channel, who would be skipped and why,
//! and what each document looks like.
//!
//! Works it out with the same planner that `expand` uses, on the current versions of everything, and renders a few
//! documents to see their pages and faults. Nothing is written and nothing is sent.

mod carried;
mod cost;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use utoipa::ToSchema;

use self::carried::Carried;
use super::{
    Engine, StartError, TransmissionState, current,
    expand::{self, gather::Audience},
    frozen::Frozen,
    plan::{self, Planned, PlannedItem, Planner, Recipient},
    survey,
};
use crate::{
    catalog,
    contact::sms::Parts,
    document::{
        self, Document, Failure,
        fax::{Estimate, estimate},
    },
    id::{DocumentRevisionId, RecipientId},
    reason::Reason,
    workflow::Files,
};

/// Recipients looked at in one piece.
const CHUNK: i64 = 500;

/// Documents rendered for a preview. More would make people wait who only wanted to look.
const RENDERED: usize = 20;

/// Transmissions and skips that are listed one by one; the numbers count all of them.
const LISTED: usize = 100;

/// What a run would do.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    pub batch: String,
    pub business_date: NaiveDate,
    pub run_as: String,
    /// How contacts are chosen, as a sentence.
    pub policy: String,
    pub recipients: usize,
    /// How many transmissions would be queued, by channel.
    pub channels: BTreeMap<String, usize>,
    pub queued: usize,
    pub skipped: usize,
    pub failed: usize,
    /// The first transmissions, one by one.
    pub transmissions: Vec<PreviewTransmission>,
    /// The first that would be skipped or fail, with the reason.
    pub missing: Vec<PreviewTransmission>,
    /// The first documents, rendered.
    pub documents: Vec<PreviewDocument>,
    /// What stands in the way of the whole run.
    pub faults: Vec<String>,
}

/// One transmission that would be written.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PreviewTransmission {
    pub recipient: String,
    pub channel: String,
    pub contact: String,
    pub state: TransmissionState,
    /// The names of the documents it would carry.
    pub documents: Vec<String>,
    pub reason: Option<Reason>,
    /// Where it would turn to if it came to nothing.
    pub then: Vec<NextContact>,
    /// How many pages a fax has and how long it takes, where all its documents were rendered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fax: Option<Estimate>,
    /// How many parts a text message is paid for as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms: Option<Parts>,
    /// The keys of what it carries.
    #[serde(skip)]
    pub(super) items: Vec<String>,
}

/// A contact that is turned to when the one before came to nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NextContact {
    pub channel: String,
    pub contact: String,
}

/// One document as it would be rendered.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PreviewDocument {
    pub name: String,
    pub params: Value,
    pub file: Option<String>,
    pub media_type: Option<String>,
    pub size: Option<usize>,
    pub pages: Option<i32>,
    pub reason: Option<Reason>,
    /// What it comes to as a fax, without a cover page, where some of it goes by fax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fax: Option<Estimate>,
    /// Why it cannot become fax pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_faxed: Option<Reason>,
}

/// Works out what a run of `batch` would do.
///
/// # Errors
/// When there is no such batch, and on faults of the database.
pub async fn preview(
    engine: &Engine,
    batch: &str,
    date: Option<NaiveDate>,
    params: &Map<String, Value>,
) -> Result<Preview, StartError> {
    let mut db = engine.db.acquire().await.context("connecting for a preview")?;
    let current = current::one(&mut db, batch).await?.ok_or_else(|| StartError::UnknownBatch(batch.to_owned()))?;
    drop(db);
    let frozen = current.frozen(engine, date, params.clone()).await?;
    let mut preview = Preview {
        batch: batch.to_owned(),
        business_date: frozen.business_date,
        run_as: frozen.batch.run_as.clone(),
        policy: frozen.batch.policy.sentence(),
        ..Preview::default()
    };
    let mut db = engine.db.acquire().await.context("connecting for a preview")?;
    let documents = match plan::documents(&mut db, &frozen.batch).await {
        Ok(documents) => documents,
        Err(error) => {
            preview.faults.push(format!("{error:#}"));
            return Ok(preview);
        }
    };
    let listed = expand::listed(engine, &frozen).await?;
    let mut planner = Planner::new(engine, &frozen, &documents, listed);
    let mut items = BTreeMap::new();
    let (mut seen, mut carried) = (BTreeSet::new(), Carried::default());
    let mut pieces = Pieces::of(&frozen, listed);
    loop {
        let piece = match pieces.next(engine, &mut db).await? {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            Err(failure) => {
                preview.faults.push(failure.reason.text);
                break;
            }
        };
        for planned in survey::survey(&mut db, &mut planner, piece).await? {
            preview.add(&planned, |items| cost::message(engine, &frozen, &documents, (&planned, items)));
            for item in planned.items {
                if items.len() < RENDERED && seen.insert(item.key.clone()) {
                    items.insert((item.position, item.key.clone()), (item, planned.recipient.context()));
                }
            }
            for one in planned.transmissions.iter().filter(|one| one.state == TransmissionState::Queued) {
                carried.count(&one.channel, one.items.iter().filter(|key| seen.contains(*key)));
            }
        }
    }
    drop(db);
    let resolution = cost::fax(engine, &frozen, &preview);
    let (mut octets, mut faults) = (HashMap::new(), HashMap::new());
    for (item, recipient) in items.into_values() {
        let (key, context) = (item.key.clone(), frozen.context());
        let (mut shown, bytes) = look(engine, (&documents, &frozen.files), item, context, recipient).await?;
        if let (Some(resolution), Some(bytes)) = (resolution, bytes) {
            match cost::octets(engine, (shown.file.as_deref().unwrap_or_default(), &bytes), resolution).await? {
                Ok(pages) => {
                    shown.fax = Some(estimate(&pages));
                    octets.insert(key.clone(), pages);
                }
                Err(failure) => shown.not_faxed = Some(failure.reason),
            }
        }
        faults.insert(key, (shown.reason.clone(), shown.not_faxed.clone()));
        preview.documents.push(shown);
    }
    carried.fail(&mut preview, |channel, key| {
        let (fault, not_faxed) = faults.get(key)?;
        fault.as_ref().or(not_faxed.as_ref().filter(|_| channel == "fax"))
    });
    if resolution.is_some() {
        cost::faxes(&mut preview, &frozen, &octets);
    }
    Ok(preview)
}

/// The recipients of a run that is not there: those that are listed, then those that the audience gives now.
struct Pieces<'a> {
    frozen: &'a Frozen,
    after: i32,
    listed: i32,
    /// Nothing yet, while there are listed ones.
    audience: Option<Audience>,
}

impl<'a> Pieces<'a> {
    fn of(frozen: &'a Frozen, listed: i32) -> Self {
        Self { frozen, after: -1, listed, audience: None }
    }

    async fn next(
        &mut self,
        engine: &Engine,
        db: &mut PgConnection,
    ) -> Result<Result<Option<Vec<Recipient>>, Failure>> {
        if self.audience.is_none() {
            let place = (self.after, CHUNK);
            let piece = survey::recipients(db, (self.frozen.revision, self.frozen.run), place).await?;
            if let Some(last) = piece.last() {
                self.after = last.position;
                return Ok(Ok(Some(piece)));
            }
        }
        Ok(self.gathered(engine).await)
    }

    async fn gathered(&mut self, engine: &Engine) -> Result<Option<Vec<Recipient>>, Failure> {
        if self.audience.is_none() {
            self.audience = Audience::ask(engine, self.frozen, self.listed).await?;
        }
        let Some(audience) = &mut self.audience else { return Ok(None) };
        let Some((first, given)) = audience.next().await? else { return Ok(None) };
        Ok(Some((first..).zip(given).map(unwritten).collect()))
    }
}

/// A recipient without a row, whose number no row has.
fn unwritten((position, given): (i32, catalog::Recipient)) -> Recipient {
    let id = RecipientId(-1 - i64::from(position));
    Recipient { id, position, name: given.name, contacts: given.contacts, params: given.params }
}

impl Preview {
    /// Counts what one recipient would get; `sms` says what the message becomes that goes with these items.
    fn add(&mut self, planned: &Planned, sms: impl Fn(&[String]) -> Option<Parts>) {
        self.recipients += 1;
        for transmission in &planned.transmissions {
            let mut shown = PreviewTransmission {
                recipient: planned.recipient.name.clone(),
                channel: transmission.channel.clone(),
                contact: transmission.contact.clone(),
                state: transmission.state,
                documents: names(planned, &transmission.items),
                reason: transmission.reason.clone(),
                then: transmission.then.iter().cloned().map(NextContact::from).collect(),
                fax: None,
                sms: None,
                items: transmission.items.clone(),
            };
            let list = match transmission.state {
                TransmissionState::Queued => {
                    self.queued += 1;
                    *self.channels.entry(transmission.channel.clone()).or_default() += 1;
                    &mut self.transmissions
                }
                TransmissionState::Skipped => {
                    self.skipped += 1;
                    &mut self.missing
                }
                _ => {
                    self.failed += 1;
                    &mut self.missing
                }
            };
            if list.len() < LISTED {
                if shown.channel == "sms" && shown.state == TransmissionState::Queued {
                    shown.sms = sms(&shown.items);
                }
                list.push(shown);
            }
        }
    }
}

impl From<(String, String)> for NextContact {
    fn from((channel, contact): (String, String)) -> Self {
        Self { channel, contact }
    }
}

fn names(planned: &Planned, keys: &[String]) -> Vec<String> {
    let of = |key: &String| planned.items.iter().find(|item| item.key == *key).map(|item| item.name.clone());
    keys.iter().filter_map(of).collect()
}

/// How long one document may take. Somebody waits for the preview.
const PATIENCE: Duration = Duration::from_secs(120);

/// Renders one item to see what comes out, and gives its bytes.
async fn look(
    engine: &Engine,
    (documents, files): (&[(DocumentRevisionId, Document)], &Files),
    item: PlannedItem,
    context: document::Context,
    recipient: Value,
) -> Result<(PreviewDocument, Option<Bytes>)> {
    let mut shown = PreviewDocument {
        name: item.name,
        params: item.params.clone(),
        file: None,
        media_type: None,
        size: None,
        pages: None,
        reason: item.reason,
        fax: None,
        not_faxed: None,
    };
    let found = documents.iter().find(|(revision, _)| *revision == item.revision);
    let (Some((_, document)), None) = (found, &shown.reason) else {
        return Ok((shown, None));
    };
    let recipient = item.recipient.map(|_| recipient);
    let context = plan::document_context(context, document, item.params, recipient);
    match document::render(&engine.toolbox, document, files, &context, PATIENCE).await? {
        Ok(rendered) => {
            shown.size = Some(rendered.bytes.len());
            shown.pages = rendered.pages;
            shown.media_type = Some(rendered.media_type);
            shown.file = Some(rendered.file);
            Ok((shown, Some(rendered.bytes)))
        }
        Err(failure) => {
            shown.reason = Some(failure.reason);
            Ok((shown, None))
        }
    }
}
