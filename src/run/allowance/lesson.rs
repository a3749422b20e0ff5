//! What came of an attempt, as far as its account may have a part in it.

use chrono::{DateTime, Utc};

use super::Asker;
use crate::{channel::Outcome, id::RunId, run::verdict::Closing};

/// An outcome to learn from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lesson<'a> {
    pub account: &'a str,
    pub run: RunId,
    pub asker: Asker,
    pub began_at: DateTime<Utc>,
    /// Whether it was to try an account that was paused.
    pub probe: bool,
    pub outcome: &'a Outcome,
    /// Whether it would have come to this for anybody.
    pub for_anybody: bool,
    pub said: Said,
}

/// When the far side said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// At once, and there is more to come: what was accepted may fail because of the account.
    First,
    /// At once, and that was all.
    All,
    /// Later.
    Later,
}

impl<'a> From<&'a Closing> for Lesson<'a> {
    fn from(closing: &'a Closing) -> Self {
        let more = closing.receipts.is_some() && matches!(closing.report.outcome, Outcome::Accepted(_));
        Self {
            account: &closing.account,
            run: closing.run,
            asker: Asker::Transmission(closing.transmission),
            began_at: closing.began_at,
            probe: closing.probe,
            outcome: &closing.report.outcome,
            for_anybody: closing.report.for_anybody,
            said: if more { Said::First } else { Said::All },
        }
    }
}
