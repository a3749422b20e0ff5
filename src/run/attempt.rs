//! Attempts in the book: opened before the far side hears of them, closed with what came of it.
//!
//! Both are done for many attempts in one transaction. Closing takes the run's fence, then the steps, the attempts and
//! the transmissions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::{
    Engine, StepState,
    allowance::{self, Share, Wanted},
    awaited::{self, Expected},
    claim::{self, Claim, Leaving, Way},
    link, record,
    together::Wish,
    verdict::{Closing, Verdict},
};
use crate::{
    channel::account::Limits,
    id::{StepId, TransmissionId},
};

/// The wish to attempt a transmission through an account.
pub(super) struct Opening {
    pub step: StepId,
    pub transmission: TransmissionId,
    pub account: String,
    pub limits: Limits,
    /// What it needs turns at besides.
    pub shares: Vec<Share>,
}

/// A claim, and the number of the attempt that was opened with it.
pub(super) struct Opened {
    pub claim: Claim,
    pub number: i32,
    pub began_at: DateTime<Utc>,
    /// Whether it tries an account that was paused.
    pub probe: bool,
}

impl Wish for Opening {
    /// Nothing when the step is not there to be done, or was put off because its account does not admit it. A transmission that is no longer queued ends its step.
    type Answer = Option<Opened>;

    async fn grant(engine: &Engine, wishes: &[Self]) -> Result<Vec<Option<Opened>>> {
        let mut db = engine.db.begin().await.context("beginning attempts")?;
        let now = engine.clock.now();
        let wanted: Vec<_> = wishes.iter().map(|it| (it.wanted(), it.shares.as_slice())).collect();
        let (turns, refused) = allowance::take_turns(&mut db, &wanted, now).await?;
        let wanted: Vec<_> = wanted.into_iter().map(|(it, _)| it).filter(|it| turns.contains(&it.step)).collect();
        let admitted = allowance::admit(&mut db, &wanted, now).await?;
        allowance::put_off_at_contacts(&mut db, refused, now).await?;
        let steps: Vec<_> = admitted.keys().copied().collect();
        let claims = claim::take(&mut db, engine, &steps, now).await?;
        let mut claims: HashMap<_, _> = claims.into_iter().map(|claim| (claim.step, claim)).collect();
        let numbers = open(&mut db, engine, (wishes, &claims), now).await?;
        give_back(&mut db, wishes, &numbers).await?;
        let idle = claims.values().filter(|claim| !numbers.contains_key(&claim.step));
        let idle: Vec<_> =
            idle.map(|claim| claim.leaving(Way::End(StepState::Skipped), None)).collect::<Result<_>>()?;
        if !idle.is_empty() {
            claim::leave(&mut db, &idle, now).await?;
        }
        db.commit().await.context("committing the intent to transmit")?;
        let mut opened = |opening: &Self| {
            let number = *numbers.get(&opening.step)?;
            let probe = *admitted.get(&opening.step)?;
            Some(Opened { claim: claims.remove(&opening.step)?, number, began_at: now, probe })
        };
        Ok(wishes.iter().map(&mut opened).collect())
    }
}

impl Opening {
    fn wanted(&self) -> Wanted<'_> {
        Wanted { step: self.step, transmission: self.transmission, account: &self.account, limits: self.limits }
    }
}

/// Takes back the turns at contacts of what was not begun after all.
async fn give_back(db: &mut PgConnection, wishes: &[Opening], begun: &HashMap<StepId, i32>) -> Result<()> {
    let idle = wishes.iter().filter(|it| !it.shares.is_empty() && !begun.contains_key(&it.step));
    let idle: Vec<_> = idle.map(|it| it.step).collect();
    if idle.is_empty() { Ok(()) } else { allowance::give_back(db, &idle).await }
}

/// Opens an attempt at each transmission that is claimed and queued; their numbers by step.
async fn open(
    db: &mut PgConnection,
    engine: &Engine,
    (wishes, claims): (&[Opening], &HashMap<StepId, Claim>),
    now: DateTime<Utc>,
) -> Result<HashMap<StepId, i32>> {
    let claimed: Vec<_> = wishes.iter().filter_map(|opening| Some((opening, claims.get(&opening.step)?))).collect();
    let rows = sqlx::query!(
        r#"
        with sending as (
            update transmission
               set state = 'sending', attempts = attempts + 1, next_at = null, changed_at = $5,
                   account = claimed.account
              from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[])
                   as claimed (transmission, step, lease, account)
             where transmission.id = claimed.transmission and transmission.state = 'queued'
            returning transmission.id, transmission.attempts, claimed.step, claimed.lease
        ), opened as (
            insert into attempt (transmission, number, lease, worker, started_at)
            select id, attempts, lease, $6, $5 from sending
        )
        select step as "step!: StepId", attempts as "number!" from sending
        "#,
        &claimed.iter().map(|(opening, _)| opening.transmission.0).collect::<Vec<_>>(),
        &claimed.iter().map(|(opening, _)| opening.step.0).collect::<Vec<_>>(),
        &claimed.iter().map(|(_, claim)| claim.lease).collect::<Vec<_>>(),
        &claimed.iter().map(|(opening, _)| opening.account.clone()).collect::<Vec<_>>(),
        now,
        engine.settings.worker,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("opening {} attempts", claimed.len()))?;
    Ok(rows.into_iter().map(|row| (row.step, row.number)).collect())
}

impl Wish for Closing {
    /// False when the claim was lost: then nothing was written.
    type Answer = bool;

    async fn grant(engine: &Engine, wishes: &[Self]) -> Result<Vec<bool>> {
        let mut db = engine.db.begin().await.context("beginning to record attempts")?;
        let now = engine.clock.now();
        let runs: BTreeSet<_> = wishes.iter().map(|closing| closing.run).collect();
        record::fence(&mut db, &runs).await?;
        let mut closed = judge(engine, &mut db, wishes, now).await?;
        let leavings = closed.iter().map(Closed::leaving).collect::<Result<Vec<_>>>()?;
        let ours = claim::leave(&mut db, &leavings, now).await?;
        closed.retain(|closed| ours.contains(&closed.closing.step));
        close(&mut db, &closed, now).await?;
        settle(&mut db, &closed, now).await?;
        let expected = closed.iter().filter_map(|closed| Expected::of(closed.closing, closed.verdict.state, now));
        awaited::expect(&mut db, &expected.collect::<Vec<_>>(), now).await?;
        let marked = closed.iter().filter(|closed| closed.verdict.next_at.is_some());
        let marked = marked.filter_map(|closed| Some((closed.closing.transmission, closed.closing.link.as_ref()?)));
        link::mark(&mut db, &marked.collect::<Vec<_>>(), now).await?;
        hand_on(&mut db, &closed, now).await?;
        call_next(&mut db, &closed, now).await?;
        let settled = closed.iter().filter(|closed| closed.verdict.next_at.is_none());
        let settled: BTreeSet<_> = settled.map(|closed| closed.closing.run).collect();
        for run in settled {
            record::mark(&mut db, run, now).await?;
        }
        db.commit().await.context("recording attempts")?;
        Ok(wishes.iter().map(|closing| ours.contains(&closing.step)).collect())
    }
}

/// An outcome and what it means.
struct Closed<'a> {
    closing: &'a Closing,
    verdict: Verdict,
}

impl Closed<'_> {
    fn leaving(&self) -> Result<Leaving> {
        let way = match self.verdict.next_at {
            Some(next_at) if self.verdict.counts => Way::Again(next_at),
            Some(next_at) => Way::Wait(next_at),
            None => Way::End(self.verdict.step),
        };
        let reason = self.verdict.reason()?;
        Ok(Leaving { step: self.closing.step, lease: self.closing.lease, way, reason })
    }
}

/// What each outcome means; in a run that was cancelled meanwhile there is no next attempt.
async fn judge<'a>(
    engine: &Engine,
    db: &mut PgConnection,
    wishes: &'a [Closing],
    now: DateTime<Utc>,
) -> Result<Vec<Closed<'a>>> {
    let mut waits = allowance::learn(engine, db, wishes, now).await?;
    let mut closed = Vec::with_capacity(wishes.len());
    for closing in wishes {
        let verdict = match waits.remove(&closing.step) {
            Some(wait) => Verdict::waiting(wait)?,
            None => Verdict::of(closing, now),
        };
        closed.push(Closed { closing, verdict });
    }
    let again = closed.iter().filter(|closed| closed.verdict.next_at.is_some());
    let again: BTreeSet<_> = again.map(|closed| closed.closing.run).collect();
    if again.is_empty() {
        return Ok(closed);
    }
    let cancelled = record::cancelled(db, &again).await?;
    for closed in &mut closed {
        if closed.verdict.next_at.is_some() && cancelled.contains(&closed.closing.run) {
            closed.verdict.stop()?;
        }
    }
    Ok(closed)
}

/// Writes the outcomes to the attempts.
async fn close(db: &mut PgConnection, closed: &[Closed<'_>], now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        r#"
        update attempt
           set ended_at = $7, outcome = closed.outcome, reason = closed.reason, proof = closed.proof,
               transcript = closed.transcript, reference = closed.reference
          from unnest($1::bigint[], $2::integer[], $3::text[], $4::jsonb[], $5::jsonb[], $6::text[], $8::text[])
               as closed (transmission, number, outcome, reason, proof, transcript, reference)
         where attempt.transmission = closed.transmission and attempt.number = closed.number
           and attempt.outcome is null
        "#,
        &closed.iter().map(|closed| closed.closing.transmission.0).collect::<Vec<_>>(),
        &closed.iter().map(|closed| closed.closing.number).collect::<Vec<_>>(),
        &closed.iter().map(|closed| closed.closing.report.outcome.name().to_owned()).collect::<Vec<_>>(),
        &closed.iter().map(|closed| closed.verdict.reason()).collect::<Result<Vec<_>>>()? as &[Option<Value>],
        &closed.iter().map(|closed| closed.verdict.proof()).collect::<Result<Vec<_>>>()? as &[Option<Value>],
        &closed.iter().map(|closed| closed.closing.report.transcript.clone()).collect::<Vec<_>>(),
        now,
        &closed.iter().map(|closed| closed.closing.report.reference.clone()).collect::<Vec<_>>() as &[Option<String>],
    )
    .execute(db)
    .await
    .with_context(|| format!("closing {} attempts", closed.len()))?;
    Ok(())
}

/// Moves the transmissions on.
async fn settle(db: &mut PgConnection, closed: &[Closed<'_>], now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        r#"
        update transmission
           set state = closed.state, reason = closed.reason, proof = closed.proof, next_at = closed.next_at,
               changed_at = $7, sent_at = case when closed.proof is null then sent_at else $7 end,
               possibly_twice = possibly_twice or closed.twice
          from unnest($1::bigint[], $2::text[], $3::jsonb[], $4::jsonb[], $5::timestamptz[], $6::boolean[])
               as closed (transmission, state, reason, proof, next_at, twice)
         where transmission.id = closed.transmission and transmission.state = 'sending'
        "#,
        &closed.iter().map(|closed| closed.closing.transmission.0).collect::<Vec<_>>(),
        &closed.iter().map(|closed| closed.verdict.state.name().to_owned()).collect::<Vec<_>>(),
        &closed.iter().map(|closed| closed.verdict.reason()).collect::<Result<Vec<_>>>()? as &[Option<Value>],
        &closed.iter().map(|closed| closed.verdict.proof()).collect::<Result<Vec<_>>>()? as &[Option<Value>],
        &closed.iter().map(|closed| closed.verdict.next_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &closed.iter().map(|closed| closed.verdict.twice).collect::<Vec<_>>(),
        now,
    )
    .execute(db)
    .await
    .with_context(|| format!("settling {} transmissions", closed.len()))?;
    Ok(())
}

/// Notes what people answered, and hands on turns at contacts.
async fn call_next(db: &mut PgConnection, closed: &[Closed<'_>], now: DateTime<Utc>) -> Result<()> {
    for Closed { closing, .. } in closed {
        if let Some(reason) = closing.report.outcome.reason() {
            allowance::note_answer(db, (closing.transmission, closing.number), reason, now).await?;
        }
    }
    let with_turns = closed.iter().filter(|closed| closed.closing.turns);
    let ended: Vec<_> = with_turns.map(|closed| closed.closing.transmission).collect();
    if ended.is_empty() { Ok(()) } else { allowance::call_next(db, &ended, now).await }
}

/// Hands on the turns of accounts that have so many at once.
async fn hand_on(db: &mut PgConnection, closed: &[Closed<'_>], now: DateTime<Utc>) -> Result<()> {
    let mut turns: BTreeMap<&str, (Limits, usize)> = BTreeMap::new();
    for Closed { closing, .. } in closed.iter().filter(|closed| closed.closing.limits.at_once.is_some()) {
        turns.entry(&closing.account).or_insert((closing.limits, 0)).1 += 1;
    }
    for (account, (limits, ended)) in turns {
        allowance::hand_on(db, (account, limits), ended, now).await?;
    }
    Ok(())
}
