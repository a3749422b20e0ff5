//! What one attempt takes to its contact: the words and the files, from frozen inputs only.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::{
    Engine, allowance,
    claim::AGREEMENT,
    frozen::{self, Frozen},
    plan::Recipient,
    together::Wish,
};
use crate::{
    channel::{File, Message, Parcel, Turn, account::Account},
    id::{DocumentRevisionId, RecipientId, RunId, StepId, TransmissionId},
    reason::{Reason, Scope},
};

/// A parcel and the account it leaves by; or why it cannot leave.
pub(super) type Loaded<'a> = Result<Ready<'a>, Reason>;

pub(super) struct Ready<'a> {
    pub account: &'a Account,
    pub turn: Turn<'a>,
    pub parcel: Parcel,
    pub frozen: Arc<Frozen>,
}

/// The wish to know what a step would transmit.
pub(super) struct Wanted(pub StepId);

/// What the book says about it.
pub(super) struct Found {
    pub run: RunId,
    pub transmission: TransmissionId,
    channel: String,
    contact: String,
    recipient_name: String,
    attempts: i32,
    message: Option<Value>,
    created_at: DateTime<Utc>,
    suppressed: bool,
    recipient: Option<Recipient>,
    /// In their order.
    files: Vec<Carried>,
}

/// One file of a transmission.
struct Carried {
    file: String,
    media_type: String,
    digest: String,
    item: String,
    revision: DocumentRevisionId,
}

impl Wish for Wanted {
    /// Nothing when the step is not there to be done.
    type Answer = Option<Found>;

    async fn grant(engine: &Engine, wishes: &[Self]) -> Result<Vec<Option<Found>>> {
        let steps: Vec<_> = wishes.iter().map(|wanted| wanted.0).collect();
        let mut db = engine.db.acquire().await.context("connecting to load transmissions")?;
        let mut found = rows(&mut db, &steps, engine.clock.now() + AGREEMENT).await?;
        files(&mut db, &mut found).await?;
        Ok(steps.iter().map(|step| found.remove(step)).collect())
    }
}

async fn rows(db: &mut PgConnection, steps: &[StepId], now: DateTime<Utc>) -> Result<HashMap<StepId, Found>> {
    let rows = sqlx::query!(
        r#"
        select step.id as "step: StepId", transmission.run as "run: RunId",
               transmission.id as "transmission: TransmissionId",
               transmission.channel, transmission.contact, transmission.recipient_name, transmission.attempts,
               transmission.message, transmission.created_at,
               exists (select from suppression
                        where suppression.channel = transmission.channel
                          and lower(suppression.contact) = lower(transmission.contact)) as "suppressed!",
               recipient.id as "id?: RecipientId", recipient.position as "position?",
               recipient.contacts as "contacts?", recipient.params as "params?"
          from step
          join transmission on transmission.id = step.transmission
          left join recipient on recipient.id = transmission.recipient
         where step.id = any($1) and step.state = 'ready' and step.due_at <= $2
        "#,
        steps as &[StepId],
        now,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading the transmissions of {} steps", steps.len()))?;
    let empty = || Value::Object(Map::new());
    let mut found = HashMap::with_capacity(rows.len());
    for row in rows {
        let recipient = match row.id {
            Some(id) => Some(Recipient {
                id,
                position: row.position.unwrap_or_default(),
                name: row.recipient_name.clone(),
                contacts: serde_json::from_value(row.contacts.unwrap_or_else(empty))?,
                params: serde_json::from_value(row.params.unwrap_or_else(empty))?,
            }),
            None => None,
        };
        let one = Found {
            run: row.run,
            transmission: row.transmission,
            channel: row.channel,
            contact: row.contact,
            recipient_name: row.recipient_name,
            attempts: row.attempts,
            message: row.message,
            created_at: row.created_at,
            suppressed: row.suppressed,
            recipient,
            files: Vec::new(),
        };
        found.insert(row.step, one);
    }
    Ok(found)
}

/// Adds the files to what was found.
async fn files(db: &mut PgConnection, found: &mut HashMap<StepId, Found>) -> Result<()> {
    let ids: Vec<_> = found.values().map(|found| found.transmission.0).collect();
    let rows = sqlx::query!(
        r#"
        select transmission_item.transmission as "transmission: TransmissionId", artifact.file, artifact.media_type,
               artifact.digest, item.name, item.revision as "revision: DocumentRevisionId"
          from transmission_item
          join item on item.id = transmission_item.item
          join artifact on artifact.id = item.artifact
         where transmission_item.transmission = any($1)
         order by transmission_item.transmission, transmission_item.position
        "#,
        &ids,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading the files of {} transmissions", ids.len()))?;
    let mut carried: HashMap<TransmissionId, Vec<Carried>> = HashMap::new();
    for row in rows {
        let (file, media_type, digest) = (row.file, row.media_type, row.digest);
        let one = Carried { file, media_type, digest, item: row.name, revision: row.revision };
        carried.entry(row.transmission).or_default().push(one);
    }
    for found in found.values_mut() {
        found.files = carried.remove(&found.transmission).unwrap_or_default();
    }
    Ok(())
}

/// Packs what was found, with its words and its bytes.
pub(super) async fn pack(engine: &Engine, found: Found) -> Result<Loaded<'_>> {
    let frozen = frozen::of(engine, found.run).await?;
    if found.suppressed {
        let text = format!("nothing is sent to {} any more; see the suppressions", found.contact);
        return Ok(Err(Reason::new(Scope::Contact, "suppressed", text)));
    }
    let wanted = frozen.batch.accounts.get(&found.channel).map(String::as_str);
    let Some(account) = engine.channels.pick(&found.channel, wanted) else {
        let text = format!("no account for the channel {} is configured here", found.channel);
        return Ok(Err(Reason::new(Scope::Account, "no-account", text)));
    };
    let account = if found.message.is_some() { allowance::for_notice(engine, account).await? } else { account };
    let turn = account.turn().await;
    let (files, documents) = contents(engine, &found.files).await?;
    let message = match &found.message {
        Some(message) => serde_json::from_value(message.clone()).context("reading the words of a notice")?,
        None => match words(engine, &frozen, &found, documents) {
            Ok(message) => message,
            Err(error) => return Ok(Err(Reason::new(Scope::Document, "message", format!("{error:#}")))),
        },
    };
    let parcel = Parcel {
        key: format!("{}-{}-{:x}", found.run, found.transmission, found.created_at.timestamp_micros()),
        attempt: found.attempts + 1,
        recipient: found.recipient_name,
        contact: found.contact,
        message,
        files,
        created_at: found.created_at,
    };
    Ok(Ok(Ready { account, turn, parcel, frozen }))
}

/// The files with their bytes, and what the message may say of their documents.
async fn contents(engine: &Engine, carried: &[Carried]) -> Result<(Vec<File>, Vec<Value>)> {
    let mut files = Vec::with_capacity(carried.len());
    let mut documents = Vec::with_capacity(carried.len());
    for Carried { file, media_type, digest, item, revision } in carried {
        let document = frozen::document(engine, *revision).await?;
        documents.push(json!({ "name": item, "title": document.title, "file": file }));
        let bytes = engine.toolbox.store.get(digest).await?;
        files.push(File { name: file.clone(), media_type: media_type.clone(), bytes });
    }
    Ok((files, documents))
}

/// The batch's message for this recipient.
fn words(engine: &Engine, frozen: &Frozen, found: &Found, documents: Vec<Value>) -> Result<Message> {
    let mut context = frozen.context();
    context["document"] = documents.first().cloned().unwrap_or(Value::Null);
    context["documents"] = Value::Array(documents);
    if let Some(recipient) = &found.recipient {
        context["recipient"] = recipient.context();
    }
    let message = &frozen.batch.message;
    let expressions = &engine.toolbox.expressions;
    Ok(Message {
        subject: expressions.render_text(&message.subject, &context).context("the subject")?,
        text: expressions.render_text(&message.text, &context).context("the text")?,
        html: match &message.html {
            Some(html) => Some(expressions.render_html(html, &context).context("the HTML text")?),
            None => None,
        },
    })
}
