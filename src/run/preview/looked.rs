//! The documents that are looked at: rendered to see what comes out, and what that means for what carries them.

use std::{collections::HashMap, time::Duration};

use anyhow::Result;
use bytes::Bytes;
use serde_json::Value;

use super::{
    super::{
        Engine,
        frozen::Frozen,
        link,
        plan::{self, PlannedItem},
    },
    cost,
    shown::{Preview, PreviewDocument},
};
use crate::{
    channel::{Form, Resolution, account::Account},
    document::{self, Document, fax::estimate},
    id::DocumentRevisionId,
    reason::Reason,
};

/// How long one document may take. Somebody waits for the preview.
const PATIENCE: Duration = Duration::from_secs(120);

/// What came of the documents that were looked at, by the keys of their items.
pub(super) struct Looked<'a> {
    engine: &'a Engine,
    frozen: &'a Frozen,
    /// How finely faxes go, if any go.
    resolution: Option<Resolution>,
    documents: HashMap<String, One>,
    /// What goes over the line for each page of those that become fax pages.
    octets: HashMap<String, Vec<u32>>,
}

struct One {
    fault: Option<Reason>,
    not_faxed: Option<Reason>,
    bytes: u64,
}

impl<'a> Looked<'a> {
    pub(super) fn new(engine: &'a Engine, frozen: &'a Frozen, resolution: Option<Resolution>) -> Self {
        Self { engine, frozen, resolution, documents: HashMap::new(), octets: HashMap::new() }
    }

    /// Renders one item for this recipient, as it would go out and as a fax.
    pub(super) async fn look(
        &mut self,
        documents: &[(DocumentRevisionId, Document)],
        item: PlannedItem,
        recipient: Value,
    ) -> Result<PreviewDocument> {
        let key = item.key.clone();
        let (mut shown, bytes) = self.render(documents, item, recipient).await?;
        if let (Some(resolution), Some(bytes)) = (self.resolution, bytes) {
            match cost::octets(self.engine, (shown.file.as_deref().unwrap_or_default(), &bytes), resolution).await? {
                Ok(pages) => {
                    shown.fax = Some(estimate(&pages));
                    self.octets.insert(key.clone(), pages);
                }
                Err(failure) => shown.not_faxed = Some(failure.reason),
            }
        }
        let bytes = shown.size.unwrap_or_default() as u64;
        let one = One { fault: shown.reason.clone(), not_faxed: shown.not_faxed.clone(), bytes };
        self.documents.insert(key, one);
        Ok(shown)
    }

    /// Renders one item to see what comes out, and gives its bytes.
    async fn render(
        &self,
        documents: &[(DocumentRevisionId, Document)],
        item: PlannedItem,
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
        let context = plan::document_context(self.frozen.context(), document, item.params, recipient);
        match document::render(&self.engine.toolbox, document, &self.frozen.files, &context, PATIENCE).await? {
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

    /// Why what carries these items by `channel` would not go out, as far as was looked.
    pub(super) fn fault(&self, channel: &str, keys: &[&String]) -> Option<Reason> {
        let carried = self.carried(keys);
        let fault = carried.map(|one| one.fault.as_ref().or(one.not_faxed.as_ref().filter(|_| channel == "fax")));
        fault.flatten().next().cloned().or_else(|| self.by_link(channel, keys)?.err())
    }

    /// Tells of each listed transmission whether a link would go out instead of its files, and how long it takes as a fax.
    pub(super) fn tell(&self, preview: &mut Preview) {
        for one in &mut preview.transmissions {
            let keys: Vec<_> = one.items.iter().collect();
            one.by_link = matches!(self.by_link(&one.channel, &keys), Some(Ok(true)));
        }
        if self.resolution.is_some() {
            cost::faxes(preview, self.frozen, &self.octets);
        }
    }

    /// Whether a link would go out instead of the files; or why they would not go at all.
    fn by_link(&self, channel: &str, keys: &[&String]) -> Option<Result<bool, Reason>> {
        let account = self.frozen.account(self.engine, channel)?;
        Some(link::foresee(self.engine, self.frozen, account, self.bytes(account, keys)))
    }

    /// How many bytes of files the account would be given, at least; what a fax comes to is not known yet.
    fn bytes(&self, account: &Account, keys: &[&String]) -> u64 {
        match account.form() {
            Form::AsIs => self.carried(keys).map(|one| one.bytes).sum(),
            Form::FaxPages(_) => 0,
        }
    }

    fn carried(&self, keys: &[&String]) -> impl Iterator<Item = &One> {
        keys.iter().filter_map(|key| self.documents.get(*key))
    }
}
