//! What one attempt takes to its contact: the words and the files, from frozen inputs only.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{
    Engine, allowance,
    frozen::{self, Frozen},
    plan::Recipient,
};
use crate::{
    channel::{File, Message, Parcel, account::Account},
    id::{DocumentRevisionId, RecipientId, RunId, TransmissionId},
    reason::{Reason, Scope},
};

/// A parcel and the account it leaves by; or why it cannot leave.
pub(super) type Loaded<'a> = Result<Ready<'a>, Reason>;

pub(super) struct Ready<'a> {
    pub account: &'a Account,
    pub parcel: Parcel,
    pub frozen: Arc<Frozen>,
}

/// Loads what `transmission` of `run` carries.
pub(super) async fn load<'a>(engine: &'a Engine, run: RunId, transmission: TransmissionId) -> Result<Loaded<'a>> {
    let frozen = frozen::of(engine, run).await?;
    let row = row(engine, transmission).await?;
    if row.suppressed {
        let text = format!("nothing is sent to {} any more; see the suppressions", row.contact);
        return Ok(Err(Reason::new(Scope::Contact, "suppressed", text)));
    }
    let wanted = frozen.batch.accounts.get(&row.channel).map(String::as_str);
    let Some(account) = engine.channels.pick(&row.channel, wanted) else {
        let text = format!("no account for the channel {} is configured here", row.channel);
        return Ok(Err(Reason::new(Scope::Account, "no-account", text)));
    };
    let account = if row.message.is_some() { allowance::for_notice(engine, account).await? } else { account };
    let (files, documents) = files(engine, transmission).await?;
    let message = match &row.message {
        Some(message) => serde_json::from_value(message.clone()).context("reading the words of a notice")?,
        None => match words(engine, &frozen, &row, documents) {
            Ok(message) => message,
            Err(error) => return Ok(Err(Reason::new(Scope::Document, "message", format!("{error:#}")))),
        },
    };
    let parcel = Parcel {
        key: format!("{run}-{transmission}-{:x}", row.created_at.timestamp_micros()),
        attempt: row.attempts + 1,
        recipient: row.recipient_name,
        contact: row.contact,
        message,
        files,
        created_at: row.created_at,
    };
    Ok(Ok(Ready { account, parcel, frozen }))
}

struct Row {
    channel: String,
    contact: String,
    recipient_name: String,
    attempts: i32,
    message: Option<Value>,
    created_at: DateTime<Utc>,
    suppressed: bool,
    recipient: Option<Recipient>,
}

async fn row(engine: &Engine, transmission: TransmissionId) -> Result<Row> {
    let row = sqlx::query!(
        r#"
        select transmission.channel, transmission.contact, transmission.recipient_name, transmission.attempts,
               transmission.message, transmission.created_at,
               exists (select from suppression
                        where suppression.channel = transmission.channel
                          and lower(suppression.contact) = lower(transmission.contact)) as "suppressed!",
               recipient.id as "id?: RecipientId", recipient.position as "position?",
               recipient.contacts as "contacts?", recipient.params as "params?"
          from transmission
          left join recipient on recipient.id = transmission.recipient
         where transmission.id = $1
        "#,
        transmission as TransmissionId,
    )
    .fetch_one(&engine.db)
    .await
    .with_context(|| format!("reading transmission {transmission}"))?;
    let empty = || Value::Object(Map::new());
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
    Ok(Row {
        channel: row.channel,
        contact: row.contact,
        recipient_name: row.recipient_name,
        attempts: row.attempts,
        message: row.message,
        created_at: row.created_at,
        suppressed: row.suppressed,
        recipient,
    })
}

/// The files in their order, and what the message may say of their documents.
async fn files(engine: &Engine, transmission: TransmissionId) -> Result<(Vec<File>, Vec<Value>)> {
    let rows = sqlx::query!(
        r#"
        select artifact.file, artifact.media_type, artifact.digest, item.name,
               item.revision as "revision: DocumentRevisionId"
          from transmission_item
          join item on item.id = transmission_item.item
          join artifact on artifact.id = item.artifact
         where transmission_item.transmission = $1
         order by transmission_item.position
        "#,
        transmission as TransmissionId,
    )
    .fetch_all(&engine.db)
    .await
    .with_context(|| format!("reading the files of transmission {transmission}"))?;
    let mut files = Vec::with_capacity(rows.len());
    let mut documents = Vec::with_capacity(rows.len());
    for row in rows {
        let document = frozen::document(engine, row.revision).await?;
        documents.push(json!({ "name": row.name, "title": document.title, "file": row.file }));
        let bytes = engine.toolbox.store.get(&row.digest).await?;
        files.push(File { name: row.file, media_type: row.media_type, bytes });
    }
    Ok((files, documents))
}

/// The batch's message for this recipient.
fn words(engine: &Engine, frozen: &Frozen, row: &Row, documents: Vec<Value>) -> Result<Message> {
    let mut context = frozen.context();
    context["document"] = documents.first().cloned().unwrap_or(Value::Null);
    context["documents"] = Value::Array(documents);
    if let Some(recipient) = &row.recipient {
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
