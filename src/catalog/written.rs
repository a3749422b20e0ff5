//! Back from what is kept to how it is written.

use std::collections::HashMap;

use anyhow::{Context, Result};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::{Batch, EntrySource, Recipient, Shelf, Twice, input};
use crate::{
    document::{Document, Source},
    id::DocumentRevisionId,
};

/// Held documents with their bytes, by key.
pub(super) type Held = HashMap<DocumentRevisionId, (Document, String)>;

/// Reads the bytes of held documents.
pub(super) async fn contents(shelf: &Shelf, held: Vec<(DocumentRevisionId, Document)>) -> Result<Held> {
    let mut contents = Held::with_capacity(held.len());
    for (key, document) in held {
        let Source::Stored { digest, .. } = &document.source else { continue };
        let content = BASE64_STANDARD.encode(shelf.store.get(digest).await?);
        contents.insert(key, (document, content));
    }
    Ok(contents)
}

/// A batch as it is written.
pub(super) fn batch(
    batch: Batch,
    (recipients, enabled): (Vec<Recipient>, bool),
    mut held: Held,
) -> Result<input::Batch> {
    let documents = batch.documents.into_iter().map(|entry| {
        let written = match entry.source {
            EntrySource::Document(name) => input::Entry { document: Some(name), ..input::Entry::default() },
            EntrySource::Held(key) => held_entry(held.remove(&key).context("a held document is gone")?),
        };
        Ok(Some(input::Entry { params: entry.params, ..written }))
    });
    Ok(input::Batch {
        documents: documents.collect::<Result<_>>()?,
        name: Some(batch.name),
        title: Some(batch.title),
        workflow: Some(batch.workflow),
        run_as: Some(batch.run_as),
        enabled: Some(enabled),
        zone: Some(batch.zone.name().to_owned()),
        bundle: Some(batch.bundle),
        recipients: recipients.into_iter().map(|one| Some(recipient(one))).collect(),
        audience: batch.audience.map(Into::into),
        country: batch.country.map(|country| country.to_string()),
        duplicates: (batch.duplicates != Twice::default()).then_some(batch.duplicates),
        policy: Some(input::Policy {
            send: Some(batch.policy.send),
            order: batch.policy.order.into_iter().map(Some).collect(),
        }),
        message: Some(input::Message {
            subject: Some(batch.message.subject),
            text: Some(batch.message.text),
            html: batch.message.html,
            cover: batch.cover.written(),
        }),
        window: batch.hours.window.map(|window| window.to_string()),
        quiet: batch.hours.quiet.map(|window| window.to_string()),
        too_large: batch.too_large,
        without_word: batch.without_word,
        keep: batch.keep.written(),
        accounts: batch.accounts,
        schedule: batch.schedule.into_iter().map(Some).collect(),
        event: batch.event.into_iter().map(|trigger| Some(trigger.into())).collect(),
        file: batch.file.into_iter().map(|trigger| Some(trigger.into())).collect(),
    })
}

fn held_entry((document, content): (Document, String)) -> input::Entry {
    let written = self::document(document);
    input::Entry {
        name: written.name,
        title: written.title,
        file: written.file,
        media_type: written.media_type,
        content: Some(content),
        ..input::Entry::default()
    }
}

fn recipient(recipient: Recipient) -> Map<String, Value> {
    let mut fields = Map::from_iter([("name".to_owned(), Value::String(recipient.name))]);
    fields.extend(recipient.contacts.into_iter().map(|(channel, contact)| (channel, Value::String(contact))));
    if !recipient.params.is_empty() {
        fields.insert("params".to_owned(), Value::Object(recipient.params.into_iter().collect()));
    }
    fields
}

/// A document as it is written; the bytes of a stored one are named by their digest.
pub(super) fn document(document: Document) -> input::Document {
    let written = input::Document {
        name: Some(document.name),
        title: Some(document.title),
        personal: Some(document.personal),
        params: document.params,
        ..input::Document::default()
    };
    match document.source {
        Source::Stored { file, media_type, digest } => input::Document {
            kind: Some(input::Kind::Stored),
            file: Some(file),
            media_type: Some(media_type),
            digest: Some(digest),
            ..written
        },
        Source::Template { template } => {
            input::Document { kind: Some(input::Kind::Template), template: Some(template), ..written }
        }
        Source::Object { media_type } => input::Document { kind: Some(input::Kind::Object), media_type, ..written },
        Source::Remote(remote) => input::Document {
            kind: Some(input::Kind::Remote),
            url: Some(remote.url),
            method: Some(remote.method),
            headers: remote.headers,
            query: remote.query,
            body: remote.body,
            secret: remote.secret,
            media_type: Some(remote.media_type),
            file: remote.file,
            timeout: Some(remote.timeout),
            limit: Some(remote.limit),
            ..written
        },
    }
}
