//! What a schedule owes: the occurrences that came due since it was last decided, and what being late, paused or disabled
//! makes of each. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    LATE,
    plan::{Plan, Planned},
    row::Row,
    why,
};
use crate::schedule::Missed;

/// Occurrences of one schedule that are decided in one transaction. More make it longer, fewer make catching up slower.
const MOST: usize = 500;

/// How far it is looked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub now: DateTime<Utc>,
    pub bound: Bound,
}

/// Up to where occurrences are owed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound {
    /// What is due, jitter included.
    Due,
    /// What the rule names up to an instant, because the schedule is another one from then on.
    At(DateTime<Utc>),
}

/// Occurrences that are to be decided, each with the reason why it does not run, if there is one already.
#[derive(Debug)]
pub(super) struct Owed {
    pub taken: Vec<(Planned, Option<Value>)>,
    /// There are more; these were enough for one transaction.
    pub more: bool,
    /// What was due up to here is decided with these.
    pub after_at: DateTime<Utc>,
    pub next: Option<(String, DateTime<Utc>)>,
}

impl Look {
    fn reaches(&self, planned: &Planned) -> bool {
        match self.bound {
            Bound::Due => planned.due_at <= self.now,
            Bound::At(at) => planned.occurrence.at <= at,
        }
    }

    fn late(&self, planned: &Planned) -> Duration {
        (self.now - planned.due_at).to_std().unwrap_or_default()
    }
}

/// What `row` owes. What it leaves out on free days is told with the next one that it does not leave out.
pub(super) fn owed(row: &Row, plan: &Plan, look: &Look) -> Owed {
    let mut ahead = plan.after(row.after_at).peekable();
    let mut due = Vec::new();
    while due.len() < MOST
        && let Some(planned) = ahead.next_if(|planned| look.reaches(planned))
    {
        due.push(planned);
    }
    let next = ahead.peek();
    let more = next.is_some_and(|planned| look.reaches(planned));
    let later = next.is_some_and(|planned| more && held_back(row, planned).is_none() && look.late(planned) > LATE);
    let next = next.map(|planned| (planned.occurrence.key.clone(), planned.due_at));
    let last = due.last().map_or(row.after_at, |planned| planned.occurrence.at);
    let after_at = match look.bound {
        Bound::At(at) if !more => at.max(row.after_at),
        _ => last,
    };
    let mut taken = judged(row, plan.schedule.missed, (due, later), look);
    let left_out = plan.left_out(row.after_at).take_while(|planned| planned.occurrence.at <= after_at);
    taken.extend(left_out.map(|planned| {
        let reason = why::left_out(&planned.occurrence);
        (planned, Some(reason))
    }));
    Owed { taken, more, after_at, next }
}

/// The occurrences with the reasons why they do not run. `later`: another late one follows them.
fn judged(row: &Row, policy: Missed, (due, later): (Vec<Planned>, bool), look: &Look) -> Vec<(Planned, Option<Value>)> {
    let may = |planned: &Planned| held_back(row, planned).is_none() && look.late(planned) > LATE;
    let latest = if later { None } else { due.iter().rposition(may) };
    let mut judged = Vec::with_capacity(due.len());
    for (index, planned) in due.into_iter().enumerate() {
        let late = look.late(&planned);
        let runs = late <= LATE
            || match policy {
                Missed::RunOnce => latest == Some(index),
                Missed::RunAll => true,
                Missed::Skip => false,
                Missed::RunIfLateLessThan(limit) => late < limit,
            };
        let reason = held_back(row, &planned).or_else(|| (!runs).then(|| why::missed(policy, late)));
        judged.push((planned, reason));
    }
    judged
}

/// Why the schedule does not fire, whenever it is looked.
fn held_back(row: &Row, planned: &Planned) -> Option<Value> {
    if let (Some(at), Some(by)) = (row.disabled_at, &row.disabled_by) {
        return Some(why::disabled(by, at));
    }
    match (row.paused_at, &row.paused_by, &row.paused_note) {
        // What was due before it was paused is owed.
        (Some(at), Some(by), Some(note)) if planned.due_at >= at => Some(why::paused(by, at, note)),
        _ => None,
    }
}
