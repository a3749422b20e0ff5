//! The same documents to the same contact for two recipients of one run: the first one gets them, the others are skipped.
//!
//! Documents are the same when they are rendered once for both; what is personal never is, and neither are words without
//! documents. Recipients come in their order
//! also when an expansion begins anew, so the same ones are first.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use super::PlannedTransmission;
use crate::{
    catalog::Twice,
    reason::{Reason, Scope},
    run::TransmissionState,
};

/// What the run sends already, half a digest each: a hundred thousand take a few megabytes.
#[derive(Debug, Default)]
pub struct Duplicates(HashSet<[u8; 16]>);

impl Duplicates {
    /// Skips those of one recipient's `transmissions` that an earlier recipient's are the same as.
    pub(super) fn sift(&mut self, policy: Twice, transmissions: &mut [PlannedTransmission]) {
        if policy == Twice::Send {
            return;
        }
        let documents =
            |one: &&mut PlannedTransmission| one.state == TransmissionState::Queued && !one.items.is_empty();
        for one in transmissions.iter_mut().filter(documents) {
            if !self.0.insert(sum(one)) {
                one.state = TransmissionState::Skipped;
                one.reason = Some(reason(&one.contact));
                one.once = None;
            }
        }
    }
}

/// Why what is the same is skipped.
pub(in crate::run) fn reason(contact: &str) -> Reason {
    let text = format!("{contact} gets the same documents in this run already, for another recipient");
    Reason::new(Scope::Contact, "duplicate", text)
}

fn sum(transmission: &PlannedTransmission) -> [u8; 16] {
    let mut sum = Sha256::new();
    let contact = match transmission.channel.as_str() {
        "email" => transmission.contact.to_lowercase(),
        _ => transmission.contact.clone(),
    };
    for part in [&transmission.channel, &contact].into_iter().chain(&transmission.items) {
        sum.update(part.len().to_be_bytes());
        sum.update(part);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&sum.finalize()[..16]);
    half
}
