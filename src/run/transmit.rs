//! Step 3: one attempt to transmit one transmission.
//!
//! Load, claim, send, commit. The claim and the commit are transactions; the sending is not, because a fax may take
//! minutes. A crash between them leaves the attempt without an outcome, and `rescue` declares it uncertain. Everything
//! that can fail without the far side noticing is done before the claim.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::{
    Engine, Event, StepState, TransmissionState,
    allowance::{self, Admission, Lesson},
    claim::{self, Held},
    parcel::{self, Ready},
    record,
};
use crate::{
    channel::{
        Outcome, Proof, Report, Settle,
        account::{Account, Limits},
    },
    id::{RunId, StepId, TransmissionId},
    reason::{Reason, Scope},
    workflow::Retry,
};

/// Transmits what `step` stands for, unless another worker has it.
pub(super) async fn transmit(engine: &Engine, step: StepId) -> Result<()> {
    let Some((run, transmission, any_paused)) = peek(engine, step).await? else {
        return Ok(());
    };
    let ready = match parcel::load(engine, run, transmission).await? {
        Ok(ready) => ready,
        Err(reason) => return stop(engine, (run, step, transmission), &reason).await,
    };
    let Ready { account, parcel, frozen } = ready;
    let guarded = any_paused || account.limits() != Limits::default();
    let Some(attempt) = claim(engine, step, &Candidate { transmission, account, guarded }).await? else {
        return Ok(());
    };
    let node = frozen.workflow.node(&attempt.claim.name).context("the step is not in its workflow")?;
    let report = account.transmit(&parcel).await;
    keep(engine, &attempt, &report, (&node.retry, account.settle())).await
}

/// How long an outcome is kept while the database cannot take it. A longer outage leaves the attempt uncertain; longer
/// patience holds up a node that is asked to stop.
const KEEP: Duration = Duration::from_secs(10 * 60);

/// The pause before an outcome is written again, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// Records an outcome, again and again while the database is away: what the far side said cannot be asked twice.
async fn keep(engine: &Engine, attempt: &Attempt<'_>, report: &Report, rules: (&Retry, Settle)) -> Result<()> {
    let began = Instant::now();
    let mut pause = PAUSE.0;
    loop {
        match commit(engine, attempt, report, rules).await {
            Err(error) if began.elapsed() < KEEP => {
                let error = format!("{error:#}");
                tracing::warn!(transmission.id = attempt.transmission.0, error, "an outcome waits to be recorded");
            }
            recorded => return recorded,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE.1);
    }
}

/// A transmission that could be sent.
struct Candidate<'a> {
    transmission: TransmissionId,
    account: &'a Account,
    /// Whether the account has to be asked: it has limits, or one that is paused could be it.
    guarded: bool,
}

/// An attempt that this worker makes.
struct Attempt<'a> {
    claim: Held,
    transmission: TransmissionId,
    number: i32,
    account: &'a Account,
    began_at: DateTime<Utc>,
    /// Whether it tries an account that was paused.
    probe: bool,
}

impl<'a> Attempt<'a> {
    /// What it teaches about its account.
    fn lesson(&'a self, report: &'a Report) -> Lesson<'a> {
        let Self { transmission, began_at, probe, .. } = *self;
        Lesson { account: self.account.name(), run: self.claim.run, transmission, began_at, probe, report }
    }
}

/// What `step` would transmit, if it is there to be done, and whether any account is paused.
async fn peek(engine: &Engine, step: StepId) -> Result<Option<(RunId, TransmissionId, bool)>> {
    let row = sqlx::query!(
        r#"
        select step.run as "run: RunId", step.transmission as "transmission: TransmissionId",
               exists (select from account where paused_at is not null) as "any_paused!"
          from step
         where step.id = $1 and step.state = 'ready' and step.due_at <= $2
        "#,
        step as StepId,
        engine.clock.now(),
    )
    .fetch_optional(&engine.db)
    .await
    .with_context(|| format!("looking at step {step}"))?;
    Ok(row.and_then(|row| Some((row.run, row.transmission?, row.any_paused))))
}

/// Claims the step and opens the attempt, in one transaction. A transmission that is no longer queued ends its step; one
/// that its account does not admit is put off.
async fn claim<'a>(engine: &Engine, step: StepId, candidate: &Candidate<'a>) -> Result<Option<Attempt<'a>>> {
    let Candidate { transmission, account, guarded } = *candidate;
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning an attempt")?;
    let admission = match guarded {
        true => allowance::admit(&mut db, account, &[transmission], now).await?,
        false => Admission::all(1),
    };
    if admission.admitted == 0 {
        allowance::put_off(&mut db, (account.name(), &admission), &[step], now).await?;
        db.commit().await.context("putting off a transmission")?;
        return Ok(None);
    }
    let Some(claim) = claim::take(&mut db, engine, step, now).await? else {
        return Ok(None);
    };
    let number = sqlx::query_scalar!(
        r#"
        with sending as (
            update transmission
               set state = 'sending', attempts = attempts + 1, next_at = null, changed_at = $2, account = $5
             where id = $1 and state = 'queued'
            returning id, attempts
        )
        insert into attempt (transmission, number, lease, worker, started_at)
        select id, attempts, $3, $4, $2 from sending
        returning number
        "#,
        transmission as TransmissionId,
        now,
        claim.lease,
        engine.settings.worker,
        account.name(),
    )
    .fetch_optional(&mut *db)
    .await
    .with_context(|| format!("opening an attempt at transmission {transmission}"))?;
    if number.is_none() {
        claim.end(&mut db, StepState::Skipped, None, now).await?;
    }
    db.commit().await.context("committing the intent to transmit")?;
    let claim = engine.leases.hold(claim);
    Ok(number.map(|number| Attempt { claim, transmission, number, account, began_at: now, probe: admission.probe }))
}

/// Ends a transmission that cannot leave, without an attempt.
async fn stop(
    engine: &Engine,
    (run, step, transmission): (RunId, StepId, TransmissionId),
    reason: &Reason,
) -> Result<()> {
    let now = engine.clock.now();
    let event = if reason.scope == Scope::Contact { Event::Suppressed } else { Event::GivenUp };
    let state = TransmissionState::Queued.after(event).context("what is queued can be stopped")?;
    let mut db = engine.db.begin().await.context("beginning to stop a transmission")?;
    record::fence(&mut db, run).await?;
    let Some(claim) = claim::take(&mut db, engine, step, now).await? else {
        return Ok(());
    };
    claim.end(&mut db, StepState::Skipped, Some(reason), now).await?;
    sqlx::query!(
        "update transmission set state = $2, reason = $3, changed_at = $4 where id = $1 and state = 'queued'",
        transmission as TransmissionId,
        state as TransmissionState,
        serde_json::to_value(reason)?,
        now,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("stopping transmission {transmission}"))?;
    record::mark(&mut db, run, now).await?;
    db.commit().await.context("stopping a transmission")
}

/// Records what came of the attempt, and what follows from it.
async fn commit(engine: &Engine, attempt: &Attempt<'_>, report: &Report, rules: (&Retry, Settle)) -> Result<()> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to record an attempt")?;
    record::fence(&mut db, attempt.claim.run).await?;
    let mut verdict = match allowance::learn(engine, &mut db, &attempt.lesson(report), now).await? {
        Some(wait) => Verdict::put_back(wait)?,
        None => Verdict::of(&report.outcome, rules, attempt.claim.tries, now),
    };
    if verdict.next_at.is_some() && record::is_cancelled(&mut db, attempt.claim.run).await? {
        verdict = verdict.without_another()?;
    }
    let ours = match (&verdict.next_at, &verdict.reason) {
        (Some(next_at), Some(reason)) if verdict.put_back => {
            allowance::put_back(&mut db, &attempt.claim, (*next_at, reason), now).await?
        }
        (Some(next_at), Some(reason)) => attempt.claim.defer(&mut db, *next_at, reason, now).await?,
        _ => attempt.claim.end(&mut db, verdict.step, verdict.reason.as_ref(), now).await?,
    };
    if !ours {
        return Ok(());
    }
    close(&mut db, attempt, report, &verdict, now).await?;
    settle(&mut db, attempt.transmission, &verdict, now).await?;
    allowance::hand_on(&mut db, attempt.account, 1, now).await?;
    if verdict.next_at.is_none() {
        record::mark(&mut db, attempt.claim.run, now).await?;
    }
    db.commit().await.context("recording an attempt")
}

/// What an outcome means for the transmission and its step.
struct Verdict {
    state: TransmissionState,
    step: StepState,
    reason: Option<Reason>,
    proof: Option<Proof>,
    /// When the next attempt is due, if there is to be one.
    next_at: Option<DateTime<Utc>>,
    /// Whether it may arrive twice because of this.
    twice: bool,
    /// Whether it was the account that failed, so that no try is used up.
    put_back: bool,
}

impl Verdict {
    fn of(outcome: &Outcome, (retry, settle): (&Retry, Settle), tries: i32, now: DateTime<Utc>) -> Self {
        let tries = u32::try_from(tries).unwrap_or_default() + 1;
        let repeated = matches!(outcome, Outcome::Uncertain(_)) && settle == Settle::Repeat;
        let pause = match outcome {
            Outcome::Deferred { after, .. } => retry.pause(tries, *after),
            Outcome::Uncertain(_) if repeated => retry.pause(tries, None),
            _ => None,
        };
        let event = match (outcome, pause) {
            (Outcome::Deferred { .. }, None) => Event::GivenUp,
            (outcome, _) => Event::from(outcome),
        };
        let (reason, proof) = match outcome.clone() {
            Outcome::Accepted(proof) | Outcome::Delivered(proof) => (None, Some(proof)),
            Outcome::Deferred { reason, .. } if pause.is_none() => (Some(used_up(reason, tries)), None),
            Outcome::Deferred { reason, .. } | Outcome::Refused(reason) | Outcome::Uncertain(reason) => {
                (Some(reason), None)
            }
        };
        // An attempt leaves `sending`, from where every outcome leads somewhere.
        let mut state = TransmissionState::Sending.after(event).unwrap_or(TransmissionState::Uncertain);
        if repeated && pause.is_some() {
            state = state.after(Event::Repeated).unwrap_or(state);
        }
        let step = if state == TransmissionState::Failed { StepState::Failed } else { StepState::Done };
        Self { state, step, reason, proof, next_at: pause.map(|pause| now + pause), twice: repeated, put_back: false }
    }

    /// What it means when the account failed: the transmission waits for it.
    fn put_back((until, reason): (DateTime<Utc>, Reason)) -> Result<Self> {
        let state = TransmissionState::Sending.after(Event::Deferred).context("what is sent can be put back")?;
        let (step, next_at) = (StepState::Done, Some(until));
        Ok(Self { state, step, reason: Some(reason), proof: None, next_at, twice: false, put_back: true })
    }

    /// The same in a run that was cancelled meanwhile: there is no next attempt.
    fn without_another(self) -> Result<Self> {
        let state = self.state.after(Event::Cancelled).context("what is queued can be cancelled")?;
        Ok(Self { state, next_at: None, ..self })
    }
}

fn used_up(reason: Reason, tries: u32) -> Reason {
    Reason { text: format!("given up after {tries} attempts: {}", reason.text), ..reason }
}

/// Writes the outcome to the attempt.
async fn close(
    db: &mut PgConnection,
    attempt: &Attempt<'_>,
    report: &Report,
    verdict: &Verdict,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
        update attempt
           set ended_at = $3, outcome = $4, reason = $5, proof = $6, transcript = $7
         where transmission = $1 and number = $2 and outcome is null
        "#,
        attempt.transmission as TransmissionId,
        attempt.number,
        now,
        report.outcome.name(),
        json(verdict.reason.as_ref())?,
        json(verdict.proof.as_ref())?,
        report.transcript,
    )
    .execute(db)
    .await
    .with_context(|| format!("closing attempt {} at transmission {}", attempt.number, attempt.transmission))?;
    Ok(())
}

/// Moves the transmission on.
async fn settle(
    db: &mut PgConnection,
    transmission: TransmissionId,
    verdict: &Verdict,
    now: DateTime<Utc>,
) -> Result<()> {
    let sent = verdict.proof.is_some();
    sqlx::query!(
        r#"
        update transmission
           set state = $2, reason = $3, proof = $4, next_at = $5, changed_at = $6,
               sent_at = case when $7 then $6 else sent_at end, possibly_twice = possibly_twice or $8
         where id = $1 and state = 'sending'
        "#,
        transmission as TransmissionId,
        verdict.state as TransmissionState,
        json(verdict.reason.as_ref())?,
        json(verdict.proof.as_ref())?,
        verdict.next_at,
        now,
        sent,
        verdict.twice,
    )
    .execute(db)
    .await
    .with_context(|| format!("settling transmission {transmission}"))?;
    Ok(())
}

fn json<T: serde::Serialize>(value: Option<&T>) -> Result<Option<Value>> {
    Ok(value.map(serde_json::to_value).transpose()?)
}
