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
    claim::{self, Held},
    late::{self, Late},
    parcel::{self, Ready},
    record,
};
use crate::{
    channel::{Outcome, Proof, Report, Settle},
    id::{RunId, StepId, TransmissionId},
    reason::{Reason, Scope},
    workflow::Retry,
};

/// Transmits what `step` stands for, unless another worker has it.
pub(super) async fn transmit(engine: &Engine, step: StepId) -> Result<()> {
    let Some((run, transmission)) = peek(engine, step).await? else {
        return Ok(());
    };
    let ready = match parcel::load(engine, run, transmission).await? {
        Ok(ready) => ready,
        Err(reason) => return stop(engine, (run, step, transmission), &reason).await,
    };
    let Ready { account, parcel, frozen } = ready;
    let Some(attempt) = claim(engine, step, (transmission, account.name())).await? else {
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
async fn keep(engine: &Engine, attempt: &Attempt, report: &Report, rules: (&Retry, Settle)) -> Result<()> {
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

/// An attempt that this worker makes.
struct Attempt {
    claim: Held,
    transmission: TransmissionId,
    number: i32,
}

/// What `step` would transmit, if it is there to be done.
async fn peek(engine: &Engine, step: StepId) -> Result<Option<(RunId, TransmissionId)>> {
    let row = sqlx::query!(
        r#"
        select step.run as "run: RunId", step.transmission as "transmission: TransmissionId"
          from step
         where step.id = $1 and step.state = 'ready' and step.due_at <= $2
        "#,
        step as StepId,
        engine.clock.now(),
    )
    .fetch_optional(&engine.db)
    .await
    .with_context(|| format!("looking at step {step}"))?;
    Ok(row.and_then(|row| Some((row.run, row.transmission?))))
}

/// Claims the step and opens the attempt, in one transaction. A transmission that is no longer queued ends its step.
async fn claim(
    engine: &Engine,
    step: StepId,
    (transmission, account): (TransmissionId, &str),
) -> Result<Option<Attempt>> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning an attempt")?;
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
        account,
    )
    .fetch_optional(&mut *db)
    .await
    .with_context(|| format!("opening an attempt at transmission {transmission}"))?;
    if number.is_none() {
        claim.end(&mut db, StepState::Skipped, None, now).await?;
    }
    db.commit().await.context("committing the intent to transmit")?;
    Ok(number.map(|number| Attempt { claim: engine.leases.hold(claim), transmission, number }))
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
async fn commit(engine: &Engine, attempt: &Attempt, report: &Report, rules: (&Retry, Settle)) -> Result<()> {
    let now = engine.clock.now();
    let mut verdict = Verdict::of(&report.outcome, rules, attempt.claim.tries, now);
    let mut db = engine.db.begin().await.context("beginning to record an attempt")?;
    record::fence(&mut db, attempt.claim.run).await?;
    if verdict.next_at.is_some() && record::is_cancelled(&mut db, attempt.claim.run).await? {
        verdict = verdict.without_another()?;
    }
    let ours = match (&verdict.next_at, &verdict.reason) {
        (Some(next_at), Some(reason)) => attempt.claim.defer(&mut db, *next_at, reason, now).await?,
        _ => attempt.claim.end(&mut db, verdict.step, verdict.reason.as_ref(), now).await?,
    };
    if !ours {
        let (run, transmission, number) = (attempt.claim.run, attempt.transmission, attempt.number);
        late::settle(engine, &mut db, Late { run, transmission, number, report }, now).await?;
        return db.commit().await.context("recording a late outcome");
    }
    close(&mut db, attempt, report, &verdict, now).await?;
    settle(&mut db, attempt.transmission, &verdict, now).await?;
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
        Self { state, step, reason, proof, next_at: pause.map(|pause| now + pause), twice: repeated }
    }
}

impl Verdict {
    /// The same in a run that was cancelled meanwhile: there is no next attempt, and what is in doubt stays so.
    fn without_another(self) -> Result<Self> {
        let state = match self.twice {
            true => TransmissionState::Uncertain,
            false => self.state.after(Event::Cancelled).context("what is queued can be cancelled")?,
        };
        Ok(Self { state, next_at: None, twice: false, ..self })
    }
}

fn used_up(reason: Reason, tries: u32) -> Reason {
    Reason { text: format!("given up after {tries} attempts: {}", reason.text), ..reason }
}

/// Writes the outcome to the attempt.
async fn close(
    db: &mut PgConnection,
    attempt: &Attempt,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_arrived_is_not_booked_as_cancelled() {
        let retry = Retry::default();
        let lost = Outcome::Uncertain(Reason::new(Scope::Attempt, "lost", "no answer"));
        let verdict = Verdict::of(&lost, (&retry, Settle::Repeat), 0, DateTime::<Utc>::MIN_UTC);
        assert_eq!((verdict.state, verdict.twice), (TransmissionState::Queued, true));

        let verdict = verdict.without_another().unwrap();
        assert_eq!((verdict.state, verdict.twice, verdict.next_at), (TransmissionState::Uncertain, false, None));
    }
}
