//! Settling what schedules owe, for whoever holds their batches: occurrences get their rows, runs are started, and the
//! schedules move on, in the caller's transaction.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::{
    decide::{self, Case, Verdict},
    fact::{self, Facts, Other},
    owed::{self, Look},
    plan::{self, Plan},
    row::{Row, named},
    why, write,
};
use crate::{
    id::RunId,
    run::{self, Cause, CauseKind, Start},
    schedule::{Once, Overlap},
};

/// Decides what `rows` owe as far as `look` reaches, and moves them on. True when there was too much for once.
pub(super) async fn settle(db: &mut PgConnection, rows: &mut [Row], look: &Look) -> Result<bool> {
    let plans = plan::all(db, &named(rows)).await?;
    let mut cases = Vec::new();
    let mut more = false;
    for (row, plan) in rows.iter_mut().zip(plans) {
        more |= take(row, plan, look, &mut cases);
    }
    // What may run comes before what may not, so that a paused schedule does not take the place of another one.
    cases.sort_by(|a: &Case, b| {
        let order = |case: &Case| (case.planned.occurrence.at, case.reason.is_some());
        a.batch.cmp(&b.batch).then_with(|| order(a).cmp(&order(b)))
    });
    settle_cases(db, &cases, look.now).await?;
    write::move_on(db, rows).await?;
    Ok(more)
}

/// Takes what `row` owes, and moves it on.
fn take(row: &mut Row, plan: Result<Plan, String>, look: &Look, cases: &mut Vec<Case>) -> bool {
    let plan = match plan {
        Ok(plan) => plan,
        Err(fault) => {
            (row.fault, row.next_key, row.next_at) = (Some(fault), None, None);
            return false;
        }
    };
    let owed = owed::owed(row, &plan, look);
    row.fault = None;
    row.after_at = owed.after_at;
    (row.next_key, row.next_at) = owed.next.unzip();
    cases.extend(owed.taken.into_iter().map(|(planned, reason)| Case {
        batch: row.batch.clone(),
        schedule: row.id,
        planned,
        overlap: plan.schedule.overlap,
        once: plan.schedule.once,
        reason,
    }));
    owed.more
}

/// Decides `cases` in their order and writes what became of them.
async fn settle_cases(db: &mut PgConnection, cases: &[Case], now: DateTime<Utc>) -> Result<()> {
    if cases.is_empty() {
        return Ok(());
    }
    let mut facts = facts(db, cases).await?;
    let mut verdicts = Vec::with_capacity(cases.len());
    let mut before = Vec::with_capacity(cases.len());
    for (index, case) in cases.iter().enumerate() {
        let verdict = decide::decide(index, case, &mut facts);
        let reason = facts.known.get(&case.key()).and_then(|known| known.reason.clone());
        before.push(reason.filter(|_| verdict != Verdict::Again));
        facts.known.insert(case.key(), fact::Known { taken: true, reason: None, run: None });
        verdicts.push(verdict);
    }
    let runs = runs(db, cases, &verdicts, now).await?;
    let mut rows = Vec::with_capacity(cases.len());
    let mut notes = Vec::new();
    for (index, (case, verdict)) in cases.iter().zip(&verdicts).enumerate() {
        match outcome(verdict, &runs, index)? {
            Some((state, reason, run)) => rows.push(write::Decided {
                case,
                state,
                reason,
                run,
                notes: before[index].as_ref().map(why::before).into_iter().collect(),
            }),
            None => notes.push((case.key(), why::again(case.planned.due_at))),
        }
    }
    write::occurrences(db, &rows, now).await?;
    write::notes(db, &notes).await
}

/// A run for each case that has one, or why it could not be started.
type Runs = Vec<Option<Result<RunId, String>>>;

async fn runs(db: &mut PgConnection, cases: &[Case], verdicts: &[Verdict], now: DateTime<Utc>) -> Result<Runs> {
    let chosen: Vec<_> = verdicts.iter().enumerate().filter(|(_, it)| **it == Verdict::Run).map(|(at, _)| at).collect();
    let starts: Vec<_> = chosen.iter().map(|index| start(&cases[*index], None)).collect();
    let mut runs: Runs = vec![None; cases.len()];
    for (index, started) in chosen.into_iter().zip(run::start_all(db, &starts, now).await?) {
        let answer = started.map(|started| started.run).map_err(|error| format!("{error:#}"));
        if let Err(error) = &answer {
            tracing::error!(batch = cases[index].batch, error, "a run that was due could not be started");
        }
        runs[index] = Some(answer);
    }
    Ok(runs)
}

/// The start of the run for an occurrence; its cause names the occurrence's key.
pub(super) fn start(case: &Case, by: Option<String>) -> Start {
    let occurrence = &case.planned.occurrence;
    Start {
        batch: case.batch.clone(),
        cause: Cause { kind: CauseKind::Schedule, key: cause(&occurrence.key), by },
        date: Some(occurrence.business_date),
        params: serde_json::Map::new(),
        hold: false,
    }
}

/// The key of the cause that the occurrence `key` is.
pub(super) fn cause(key: &str) -> String {
    format!("schedule {key}")
}

type Outcome = (&'static str, Option<Value>, Option<RunId>);

/// State, reason and run of a case; `None` when it has a row already.
fn outcome(verdict: &Verdict, runs: &Runs, index: usize) -> Result<Option<Outcome>> {
    let run = |other: &Other| match other {
        Other::Run(run) => Some(*run),
        Other::Started(index) => runs.get(*index)?.as_ref()?.as_ref().ok().copied(),
    };
    let skipped = |run: Option<RunId>, why: fn(RunId) -> Value| match run {
        Some(run) => ("skipped", Some(why(run)), None),
        None => ("missed", Some(why::not_started("the one before it could not be started")), None),
    };
    Ok(Some(match verdict {
        Verdict::Again => return Ok(None),
        Verdict::Run => match runs[index].as_ref().context("a run that was due was not asked for")? {
            Ok(run) => ("ran", None, Some(*run)),
            Err(error) => ("missed", Some(why::not_started(error)), None),
        },
        Verdict::Wait(other) => ("waiting", Some(why::queued(other.as_ref().and_then(run))), None),
        Verdict::Skip(reason) => ("skipped", Some(reason.clone()), None),
        Verdict::OnceADay(other) => skipped(run(other), why::once_a_day),
        Verdict::Overlap(other) => skipped(run(other), why::overlap),
    }))
}

async fn facts(db: &mut PgConnection, cases: &[Case]) -> Result<Facts> {
    let open = || cases.iter().filter(|case| case.reason.is_none());
    let mut days: Vec<_> = open()
        .filter(|case| case.once == Some(Once::Day))
        .map(|case| (case.batch.clone(), case.planned.occurrence.business_date))
        .collect();
    days.sort();
    days.dedup();
    let mut careful: Vec<_> =
        open().filter(|case| case.overlap != Overlap::Allow).map(|case| case.batch.clone()).collect();
    careful.dedup();
    // What others may have started meanwhile is looked for last, once nobody can start any more.
    let of_day = fact::of_day(db, &days).await?;
    Ok(Facts {
        of_day,
        known: fact::known(db, &cases.iter().map(Case::key).collect::<Vec<_>>()).await?,
        under_way: fact::under_way(db, &careful).await?,
        waiting: fact::waiting(db, &careful).await?,
    })
}
