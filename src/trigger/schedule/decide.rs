//! What becomes of each occurrence that is owed. Pure.

use serde_json::Value;

use super::{
    fact::{Facts, Other},
    plan::Planned,
};
use crate::schedule::{Once, Overlap};

/// An occurrence of a batch that is to be decided.
#[derive(Debug)]
pub(super) struct Case {
    pub batch: String,
    /// The schedule's number.
    pub schedule: i64,
    pub planned: Planned,
    pub overlap: Overlap,
    pub once: Option<Once>,
    /// Why it does not run, if that is clear already.
    pub reason: Option<Value>,
}

/// What becomes of it.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    Run,
    /// Until the run that is under way has ended; `None` when it is only behind others that wait.
    Wait(Option<Other>),
    Skip(Value),
    /// Something ran for its date.
    OnceADay(Other),
    Overlap(Other),
    /// It has a row that says what became of it.
    Again,
}

impl Case {
    pub fn key(&self) -> (String, String) {
        (self.batch.clone(), self.planned.occurrence.key.clone())
    }
}

/// Decides the case with the number `index`, and adds what follows from it to the facts.
pub(super) fn decide(index: usize, case: &Case, facts: &mut Facts) -> Verdict {
    let known = facts.known.get(&case.key());
    if known.is_some_and(|known| known.taken || case.reason.is_some()) {
        return Verdict::Again;
    }
    if let Some(reason) = &case.reason {
        return Verdict::Skip(reason.clone());
    }
    let day = (case.batch.clone(), case.planned.occurrence.business_date);
    if case.once == Some(Once::Day)
        && let Some(other) = facts.of_day.get(&day)
    {
        return Verdict::OnceADay(*other);
    }
    let under_way = facts.under_way.get(&case.batch).copied();
    match (case.overlap, under_way) {
        (Overlap::Skip, Some(other)) => return Verdict::Overlap(other),
        (Overlap::Queue, other) if other.is_some() || facts.waiting.contains(&case.batch) => {
            facts.waiting.insert(case.batch.clone());
            return Verdict::Wait(other);
        }
        _ => {}
    }
    facts.under_way.insert(case.batch.clone(), Other::Started(index));
    facts.of_day.insert(day, Other::Started(index));
    Verdict::Run
}
