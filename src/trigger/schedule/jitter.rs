//! When exactly an occurrence is due within its window: at random, but always the same, so that every node agrees.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

/// When the occurrence of `batch` at `at` is due, at most `window` later. Batches that are due together are spread.
pub(super) fn due(batch: &str, at: DateTime<Utc>, window: Option<Duration>) -> DateTime<Utc> {
    let Some(window) = window else { return at };
    let mut hash = Sha256::new();
    hash.update(batch.as_bytes());
    hash.update(at.timestamp_micros().to_be_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize()[..8]);
    let millis = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
    let later = u64::from_be_bytes(first) % millis.saturating_add(1);
    at.checked_add_signed(TimeDelta::milliseconds(i64::try_from(later).unwrap_or_default())).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_its_window_spreads_batches_and_is_always_the_same() {
        let at = DateTime::from_timestamp(1_775_000_000, 0).unwrap();
        let window = Duration::from_secs(600);
        let dues: Vec<_> = (0..200).map(|n| due(&format!("batch-{n}"), at, Some(window))).collect();
        assert!(dues.iter().all(|due| (at..=at + window).contains(due)));
        let first_half = dues.iter().filter(|due| **due < at + window / 2).count();
        assert!((60..140).contains(&first_half), "{first_half} of 200 in the first half");
        assert_eq!(dues[7], due("batch-7", at, Some(window)));
        assert_eq!(due("batch-7", at, None), at);
    }
}
