//! What must hold of a run whose engines died, whatever the moment: the book against the mail server's own record.

use postbook::{
    channel::Settle,
    id::RunId,
    run::{TransmissionState, book::Transmission},
};

use super::site::{Haunted, Site};
use crate::harness::Mail;

/// What a case came to, for the sums.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    pub cases: usize,
    /// Transmissions that wait for a person.
    pub uncertain: usize,
    /// Transmissions of which the book says that they may have arrived twice.
    pub admitted: usize,
    /// Transmissions that did arrive twice.
    pub doubled: usize,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.uncertain += other.uncertain;
        self.admitted += other.admitted;
        self.doubled += other.doubled;
    }
}

/// Compares the rows of a run with what the mail server took, and gives what is wrong with either.
pub async fn judge(site: &Site, haunted: &Haunted) -> (Tally, Vec<String>) {
    let run = haunted.run;
    let mails = site.mail.take();
    let mut wrong = haunted.faults.clone();
    let mut tally = Tally { cases: 1, ..Tally::default() };
    let (documents, notices) = (site.app.transmissions(run).await, site.app.notices(run).await);
    wrong.extend(same("transmissions", documents.len(), 4));
    wrong.extend(same("notices", notices.len(), 1));
    for transmission in documents.iter().chain(&notices) {
        let copies = copies(transmission, &mails);
        wrong.extend(transmission_faults(transmission, copies.len(), site.settle));
        wrong.extend(attempt_faults(site, transmission).await);
        if copies.windows(2).any(|pair| pair[0].message_id != pair[1].message_id) {
            wrong.push(format!("copies to {} have Message-IDs of their own", transmission.contact));
        }
        tally.uncertain += usize::from(transmission.state == TransmissionState::Uncertain);
        tally.admitted += usize::from(transmission.possibly_twice);
        tally.doubled += usize::from(copies.len() > 1);
    }
    wrong.extend(run_faults(site, run, &documents).await);
    wrong.extend(row_faults(site, run).await);
    (tally, wrong)
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Option<String> {
    (found != expected).then(|| format!("{what}: {found:?} instead of {expected:?}"))
}

/// What the mail server has of a transmission.
fn copies<'a>(transmission: &Transmission, mails: &'a [Mail]) -> Vec<&'a Mail> {
    let title = transmission.documents.first().map(|document| document.title.as_str());
    let of_it = |mail: &&Mail| mail.to == transmission.contact && title.is_none_or(|title| mail.subject == title);
    mails.iter().filter(of_it).collect()
}

fn transmission_faults(transmission: &Transmission, copies: usize, settle: Settle) -> Option<String> {
    let fails = transmission.documents.first().is_some_and(|document| document.name == "missing");
    let most = if transmission.possibly_twice { 3 } else { 1 };
    let sound = match transmission.state {
        TransmissionState::Failed => fails && copies == 0,
        TransmissionState::Delivered => !fails && (1..=most).contains(&copies),
        TransmissionState::Uncertain => !fails && copies <= 1 && settle == Settle::Hold,
        _ => false,
    };
    let held = settle == Settle::Repeat || (copies <= 1 && !transmission.possibly_twice);
    (!sound || !held).then(|| {
        format!(
            "transmission to {} is {}, possibly twice {}, and {copies} copies arrived",
            transmission.contact,
            transmission.state.name(),
            transmission.possibly_twice
        )
    })
}

async fn attempt_faults(site: &Site, transmission: &Transmission) -> Option<String> {
    let attempts = site.app.attempts(transmission.id).await;
    let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome.as_deref()).collect();
    let counted = outcomes.len() == usize::try_from(transmission.attempts).unwrap_or_default();
    let last = match transmission.state {
        TransmissionState::Delivered => outcomes.last() == Some(&Some("delivered")),
        TransmissionState::Uncertain => outcomes.last() == Some(&Some("uncertain")),
        _ => outcomes.is_empty(),
    };
    let whole = outcomes.iter().all(Option::is_some);
    (!counted || !last || !whole)
        .then(|| format!("{} after {} attempts: {outcomes:?}", transmission.state.name(), transmission.attempts))
}

async fn run_faults(site: &Site, run: RunId, documents: &[Transmission]) -> Vec<String> {
    let seen = site.app.seen(run).await;
    let of = |state| documents.iter().filter(|it| it.state == state).count() as i32;
    let (delivered, uncertain) = (of(TransmissionState::Delivered), of(TransmissionState::Uncertain));
    let counted = (seen.counts.delivered, seen.counts.failed, seen.counts.uncertain, seen.counts.total());
    let wrong = [
        same("counts", counted, (delivered, 2, uncertain, 4)),
        same("state of the run", seen.state, seen.counts.run_state(false, 0)),
        same("end of the run", seen.ended_at.is_some(), true),
    ];
    wrong.into_iter().flatten().collect()
}

/// Rows that must not be there, with what they are.
const NONE: [(&str, &str); 5] = [
    ("steps that are not over", "select count(*) from step where run = $1 and state in ('ready', 'running')"),
    ("items that came to nothing", "select count(*) from item where run = $1 and artifact is null and reason is null"),
    (
        "artifacts without their bytes",
        "select count(*) from artifact left join blob using (digest)
          where run = $1 and artifact.size is distinct from octet_length(blob.bytes)",
    ),
    (
        "lines missing in the log",
        "select log_length - (select count(*) from log where log.run = run.id) from run where id = $1",
    ),
    ("second ends", "select (closings - 1)::bigint from run where id = $1"),
];

async fn row_faults(site: &Site, run: RunId) -> Vec<String> {
    let mut wrong = Vec::new();
    for (what, query) in NONE {
        let count: i64 = sqlx::query_scalar(query).bind(run.0).fetch_one(&site.app.db).await.expect("a count");
        wrong.extend(same(what, count, 0));
    }
    wrong
}
