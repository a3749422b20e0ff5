//! What a run would do now, without doing it: who would get what over which channel, who would be skipped and why,
//! and what each document looks like.
//!
//! Works it out with the same planner that `expand` uses, on the current versions of everything, renders a few documents
//! to see their pages, sizes and faults, and asks each account what it makes of the words. Nothing is written and nothing
//! is sent.

mod carried;
mod cost;
mod looked;
mod pieces;
mod shown;
mod wait;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use chrono::NaiveDate;
use serde_json::{Map, Value};

pub use self::shown::{NextContact, Preview, PreviewDocument, PreviewTransmission, PreviewWait};
use self::{carried::Carried, looked::Looked, pieces::Pieces, wait::Waiting, words::Words};
use super::{
    Engine, StartError, TransmissionState, current, expand,
    plan::{self, Planner},
    survey,
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
    let words = Words { engine, frozen: &frozen, documents: &documents };
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
            let (waits, parts) = (waiting.tell(&mut planned)?, words.tell(&mut planned));
            for item in planned.wanted() {
                if items.len() < RENDERED && seen.insert(item.key.clone()) {
                    items.insert((item.position, item.key.clone()), (item.clone(), planned.recipient.context()));
                }
            }
            for ((one, wait), sms) in planned.transmissions.iter().zip(waits).zip(parts) {
                // What fails when it goes out is not said to wait for that.
                let wait = wait.filter(|_| one.state == TransmissionState::Queued);
                let wait = preview.add((&planned, one), wait, sms);
                if one.state == TransmissionState::Queued {
                    carried.count((&one.channel, wait), one.items.iter().filter(|key| seen.contains(*key)));
                }
            }
            preview.recipients += 1;
        }
    }
    drop(db);
    let mut looked = Looked::new(engine, &frozen, cost::fax(engine, &frozen, &preview));
    for (item, recipient) in items.into_values() {
        preview.documents.push(looked.look(&documents, item, recipient).await?);
    }
    carried.fail(&mut preview, |channel, keys| looked.fault(channel, keys));
    looked.tell(&mut preview);
    preview.sum_up();
    Ok(preview)
}
