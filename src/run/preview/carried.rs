//! Which transmissions carry the documents that were looked at, so that what cannot be rendered is not said to go out.

use std::collections::{BTreeSet, HashMap};

use super::{Preview, PreviewTransmission};
use crate::{reason::Reason, run::TransmissionState};

/// How many queued transmissions there are for each channel and set of documents, of those that are looked at.
#[derive(Default)]
pub(super) struct Carried(HashMap<(String, BTreeSet<String>), usize>);

impl Carried {
    /// Counts one transmission that carries the items with these keys.
    pub fn count<'a>(&mut self, channel: &str, looked_at: impl Iterator<Item = &'a String>) {
        let keys: BTreeSet<String> = looked_at.cloned().collect();
        if !keys.is_empty() {
            *self.0.entry((channel.to_owned(), keys)).or_default() += 1;
        }
    }

    /// Says of what would not go out that it fails; `fault` gives the reason for a channel and an item.
    pub fn fail<'a>(&self, preview: &mut Preview, fault: impl Fn(&str, &str) -> Option<&'a Reason>) {
        for ((channel, keys), count) in &self.0 {
            if keys.iter().any(|key| fault(channel, key).is_some()) {
                preview.queued -= count;
                preview.failed += count;
                preview.channels.entry(channel.clone()).and_modify(|queued| *queued -= count);
            }
        }
        preview.channels.retain(|_, queued| *queued > 0);
        let failing = |one: &mut PreviewTransmission| {
            one.reason = one.items.iter().find_map(|key| fault(&one.channel, key)).cloned();
            one.reason.is_some()
        };
        let failed = preview.transmissions.extract_if(.., failing);
        let failed = failed.map(|one| PreviewTransmission { state: TransmissionState::Failed, ..one });
        preview.missing.extend(failed.collect::<Vec<_>>());
        preview.missing.truncate(super::LISTED);
    }
}
