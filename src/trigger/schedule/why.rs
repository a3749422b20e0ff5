//! Why an occurrence did not run, or not just so: a stable code for programs and a sentence for people.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::{
    id::RunId,
    schedule::{Missed, Occurrence},
};

fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The batch is disabled.
pub(super) fn disabled(by: &str, at: DateTime<Utc>) -> Value {
    json!({ "code": "batch-disabled", "text": format!("the batch was switched off by {by} at {}", stamp(at)), "by": by, "at": at })
}

/// The schedule is paused.
pub(super) fn paused(by: &str, at: DateTime<Utc>, note: &str) -> Value {
    let text = format!("the schedule was paused by {by} at {}: {note}", stamp(at));
    json!({ "code": "schedule-paused", "text": text, "by": by, "at": at, "note": note })
}

/// Nobody looked when it was due, and the policy is not to run it.
pub(super) fn missed(policy: Missed, late: Duration) -> Value {
    let minutes = late.as_secs() / 60;
    let text = match policy {
        Missed::RunOnce => format!("found {minutes} minutes late; by the policy run_once a later one ran for it"),
        _ => format!("found {minutes} minutes late; by the policy {policy} it does not run"),
    };
    json!({ "code": "missed", "text": text, "policy": policy.to_string(), "late_seconds": late.as_secs() })
}

/// Its day is free, and the schedule leaves out free days.
pub(super) fn left_out(occurrence: &Occurrence) -> Value {
    let texts: Vec<_> = occurrence.notes.iter().map(|note| note.text.as_str()).collect();
    json!({ "code": "left-out", "text": texts.join("; ") })
}

/// Something ran for this date before.
pub(super) fn once_a_day(run: RunId) -> Value {
    let text = format!("run {run} was about the same date, and the schedule runs once a day");
    json!({ "code": "once-a-day", "text": text, "run": run })
}

/// An earlier run is under way, and the policy is not to start another.
pub(super) fn overlap(run: RunId) -> Value {
    let text = format!("run {run} was still under way; by the policy overlap = skip this one does not run");
    json!({ "code": "overlap", "text": text, "policy": "skip", "run": run })
}

/// An earlier run is under way, or others wait already.
pub(super) fn queued(run: Option<RunId>) -> Value {
    let text = match run {
        Some(run) => format!("waits until run {run} has ended"),
        None => "waits behind others that wait".to_owned(),
    };
    json!({ "code": "queued", "text": text, "policy": "queue", "run": run })
}

/// Something went wrong.
pub(super) fn not_started(error: &str) -> Value {
    json!({ "code": "not-started", "text": format!("the run could not be started: {error}") })
}

/// A note: the same local time came due once more.
pub(super) fn again(due_at: DateTime<Utc>) -> Value {
    let text = format!("came due again at {}; it was decided before, so nothing ran", stamp(due_at));
    json!({ "code": "again", "text": text, "at": due_at })
}

/// A note: it was not run at first.
pub(super) fn before(reason: &Value) -> Value {
    let text = format!("was not run at first: {}", reason["text"].as_str().unwrap_or_default());
    json!({ "code": "before", "text": text, "reason": reason })
}

/// A note: it was run later, by hand.
pub(super) fn backfilled(by: &str, at: DateTime<Utc>) -> Value {
    json!({ "code": "backfill", "text": format!("run afterwards by {by} at {}", stamp(at)), "by": by, "at": at })
}
