//! What the words of each transmission come to: the parts of a text message, or why they would be refused.
//!
//! Asked of the account that would send them, so that what is shown here is what is done there. Words that go with
//! documents may name their files, which are not there yet: only words that go alone are found to fail.

use serde_json::{Value, json};

use super::super::{
    Engine, TransmissionState,
    frozen::Frozen,
    parcel,
    plan::{Planned, PlannedItem, PlannedTransmission, Recipient},
};
use crate::{channel::Parcel, contact::sms::Parts, document::Document, id::DocumentRevisionId, reason::Reason};

/// What is asked about the words of one run.
pub(super) struct Words<'a> {
    pub engine: &'a Engine,
    pub frozen: &'a Frozen,
    pub documents: &'a [(DocumentRevisionId, Document)],
}

impl Words<'_> {
    /// Says of what would be queued for one recipient whether its words would be refused; and of each text message how many
    /// parts it has.
    pub(super) fn tell(&self, planned: &mut Planned) -> Vec<Option<Parts>> {
        let Planned { recipient, items, transmissions } = planned;
        transmissions.iter_mut().map(|one| self.one((recipient, items), one)).collect()
    }

    fn one(&self, to: (&Recipient, &[PlannedItem]), transmission: &mut PlannedTransmission) -> Option<Parts> {
        let alone = transmission.items.is_empty();
        if transmission.state != TransmissionState::Queued || !(alone || transmission.channel == "sms") {
            return None;
        }
        match self.foresee(to, transmission) {
            Ok(parts) => parts,
            // What turns to another contact has not failed yet; whether it arrives there is not followed.
            Err(reason) if alone && transmission.then.is_empty() => {
                transmission.state = TransmissionState::Failed;
                transmission.reason = Some(reason);
                None
            }
            Err(_) => None,
        }
    }

    fn foresee(
        &self,
        (recipient, items): (&Recipient, &[PlannedItem]),
        transmission: &PlannedTransmission,
    ) -> Result<Option<Parts>, Reason> {
        let Some(account) = self.frozen.account(self.engine, &transmission.channel) else { return Ok(None) };
        let carried = items.iter().filter(|item| transmission.items.contains(&item.key));
        let documents = carried.filter_map(|item| self.document(item)).collect();
        let message = parcel::words(self.engine, self.frozen, Some(recipient.context()), documents)?;
        account.foresee(&Parcel {
            key: String::new(),
            attempt: 1,
            series: 1,
            created_at: self.engine.clock.now(),
            recipient: recipient.name.clone(),
            contact: transmission.contact.clone(),
            message,
            files: Vec::new(),
        })
    }

    /// What the message may say of a document that has no file yet.
    fn document(&self, item: &PlannedItem) -> Option<Value> {
        let (_, document) = self.documents.iter().find(|(revision, _)| *revision == item.revision)?;
        Some(json!({ "name": item.name, "title": document.title }))
    }
}
