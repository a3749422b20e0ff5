//! What a run would do now, without doing it: who would get what over which channel, who would be skipped and why,
//! and what each document looks like.
//!
//! Works it out with the same planner that `expand` uses, on the current versions of everything, and renders a few
//! documents to see their pages and faults. Nothing is written and nothing is sent.

mod carried;
mod cost;
mod pieces;
mod shown;
mod wait;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use chrono::NaiveDate;
use serde_json::{Map, Value};

pub use self::shown::{NextContact, Preview, PreviewDocument, PreviewTransmission, PreviewWait};
use self::{carried::Carried, pieces::Pieces, wait::Waiting};
use super::{
    Engine, StartError, TransmissionState, current, expand,
    plan::{self, PlannedItem, Planner},
    survey,
};
use crate::{
    document::{self, Document, fax::estimate},
    id::DocumentRevisionId,
    workflow::Files,
};

/// Documents rendered for a preview. More would make people wait who only wanted to look.
const RENDERED: usize = 20;

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
    let waiting = Waiting::look(engine, &frozen, &mut db).await?;
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
        for mut planned in survey::survey(&mut db, &mut planner, piece).await? {
            let waits = waiting.tell(&mut planned)?;
            for item in planned.wanted() {
                if items.len() < RENDERED && seen.insert(item.key.clone()) {
                    items.insert((item.position, item.key.clone()), (item.clone(), planned.recipient.context()));
                }
            }
            for (one, wait) in planned.transmissions.iter().zip(waits) {
                let message = |items: &[String]| cost::message(engine, &frozen, &documents, (&planned, items));
                let wait = preview.add((&planned, one), wait, message);
                if one.state == TransmissionState::Queued {
                    carried.count((&one.channel, wait), one.items.iter().filter(|key| seen.contains(*key)));
                }
            }
            preview.recipients += 1;
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
    preview.sum_up();
    Ok(preview)
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
