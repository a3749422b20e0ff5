//! Which transmissions carry the documents that were looked at, so that what cannot be rendered is not said to go out.

use std::collections::{BTreeSet, HashMap};

use super::shown::{LISTED, Preview, PreviewTransmission};
use crate::{reason::Reason, run::TransmissionState};

/// How many queued transmissions there are for each channel, set of documents and wait, of those that are looked at.
#[derive(Default)]
pub(super) struct Carried(HashMap<(String, BTreeSet<String>, Option<usize>), usize>);

impl Carried {
    /// Counts one transmission that carries the items with these keys, and is counted by this wait of the preview.
    pub fn count<'a>(&mut self, (channel, wait): (&str, Option<usize>), looked_at: impl Iterator<Item = &'a String>) {
        let keys: BTreeSet<String> = looked_at.cloned().collect();
        if !keys.is_empty() {
            *self.0.entry((channel.to_owned(), keys, wait)).or_default() += 1;
        }
    }

    /// Says of what would not go out that it fails; `fault` gives the reason for a channel and items.
    pub fn fail(&self, preview: &mut Preview, fault: impl Fn(&str, &[&String]) -> Option<Reason>) {
        for ((channel, keys, wait), count) in &self.0 {
            if let Some(reason) = fault(channel, &keys.iter().collect::<Vec<_>>()) {
                preview.queued -= count;
                preview.fails(*count, &reason.code);
                wait.iter().for_each(|wait| preview.waits[*wait].transmissions -= count);
                preview.channels.entry(channel.clone()).and_modify(|queued| *queued -= count);
            }
        }
        preview.channels.retain(|_, queued| *queued > 0);
        let failing = |one: &mut PreviewTransmission| {
            let reason = fault(&one.channel, &one.items.iter().collect::<Vec<_>>());
            let fails = reason.is_some();
            one.reason = reason.or(one.reason.take());
            fails
        };
        let failed = preview.transmissions.extract_if(.., failing);
        let failed = failed.map(|one| PreviewTransmission { state: TransmissionState::Failed, next_at: None, ..one });
        preview.missing.extend(failed.collect::<Vec<_>>());
        preview.missing.truncate(LISTED);
    }
}
