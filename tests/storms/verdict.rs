//! What the book says of each transmission, beside what the far side has.

use std::{collections::BTreeMap, fmt};

use postbook::run::{TransmissionState, book::Transmission};

use crate::ride::COUNT;

/// How many transmissions are what, and what is wrong with single ones.
#[derive(Debug, Default)]
pub struct Verdict {
    transmissions: usize,
    /// Accepted or delivered, and there.
    arrived: usize,
    /// Left to a person.
    pub held: usize,
    /// Said to be there twice, perhaps.
    pub marked: usize,
    /// There twice or more.
    pub twice: usize,
    /// Said to have arrived, and not there; or neither ended nor held with a reason.
    lost: Vec<String>,
    /// There twice, and the book does not admit it.
    denied: Vec<String>,
    /// Said not to have arrived, with the reason.
    failed: Vec<String>,
    /// The same without a reason, or there.
    untrue: Vec<String>,
    /// There, and not in the book.
    unknown: Vec<String>,
}

impl Verdict {
    /// Holds the book against how often each contact got it.
    pub fn of(book: &[Transmission], arrived: &BTreeMap<String, usize>) -> Self {
        let mut verdict = Self { transmissions: book.len(), ..Self::default() };
        for entry in book {
            verdict.add(entry, arrived.get(&entry.contact).copied().unwrap_or_default());
        }
        let is_booked = |contact: &String| book.iter().any(|entry| entry.contact == *contact);
        verdict.unknown = arrived.keys().filter(|contact| !is_booked(contact)).cloned().collect();
        verdict
    }

    fn add(&mut self, entry: &Transmission, times: usize) {
        use TransmissionState as S;
        let line = || format!("{times} times {entry:?}");
        let held = entry.state == S::Uncertain && entry.reason.is_some();
        match entry.state {
            S::Accepted | S::Delivered if times > 0 => self.arrived += 1,
            S::Uncertain if held => self.held += 1,
            S::Failed if entry.reason.is_some() && (times == 0 || entry.possibly_twice) => self.failed.push(line()),
            S::Failed | S::Skipped | S::Cancelled => self.untrue.push(line()),
            _ => self.lost.push(line()),
        }
        self.marked += usize::from(entry.possibly_twice);
        self.twice += usize::from(times > 1);
        if times > 1 && !entry.possibly_twice && !held {
            self.denied.push(line());
        }
    }

    /// The book tells the truth, and of all but `held`, which are left to a person, it says that they arrived.
    #[track_caller]
    pub fn is_true_of_all_but(&self, held: usize) {
        let wrong = [&self.lost, &self.denied, &self.failed, &self.untrue, &self.unknown];
        assert!(wrong.iter().all(|it| it.is_empty()), "{self:#?}");
        assert_eq!(self.transmissions, COUNT);
        assert!(self.held <= held, "{self}");
        assert_eq!(self.arrived + self.held, COUNT, "{self}");
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transmissions, arrived, held, marked, twice, .. } = self;
        write!(f, "of {transmissions} {arrived} arrived, {held} held; {marked} marked as possibly twice, {twice} are")
    }
}
