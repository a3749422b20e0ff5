//! Step 3: one attempt to transmit one transmission.
//!
//! Load, open, send, close. Opening and closing the attempt are transactions; the sending is not, because a fax may
//! take minutes. A crash between them leaves the attempt without an outcome, and `rescue` declares it uncertain.
//! Everything that can fail without the far side noticing is done before the attempt is opened.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{
    Engine, Event, StepState, TransmissionState, allowance,
    attempt::{Opened, Opening},
    claim, late, link,
    parcel::{self, Ready, Unready, Wanted},
    record,
    verdict::Closing,
};
use crate::{
    channel::Parcel,
    id::{RunId, StepId, TransmissionId},
    queue::{self, Hint},
    reason::{Reason, Scope},
    workflow::Kind,
};

/// Transmits what `step` stands for, unless another worker has it.
pub(super) async fn transmit(engine: &Engine, step: StepId) -> Result<()> {
    let Some(found) = engine.together.load.ask(engine, Wanted(step)).await? else {
        return Ok(());
    };
    let (run, transmission) = (found.run, found.transmission);
    // What still waits for a connection when the node is asked to stop has not begun.
    let ready = match engine.stopping.run_until_cancelled(parcel::pack(engine, found)).await.transpose()? {
        Some(Ok(ready)) => ready,
        Some(Err(Unready::Never(reason))) => return stop(engine, (run, step, transmission), &reason).await,
        Some(Err(Unready::Until(account, wait))) => {
            return allowance::put_off(engine, (step, account.name()), wait).await;
        }
        None => return leave(engine, step).await,
    };
    let Ready { account, turn, parcel, frozen, link } = ready;
    let parcel = match &link {
        Some(link) => link::offer(engine, (run, transmission), link, parcel).await?,
        None => parcel,
    };
    let (name, limits) = (account.name().to_owned(), account.limits());
    let begun = Instant::now();
    let shares = allowance::shares(account, &parcel.contact);
    let turns = !shares.is_empty();
    let opening = Opening { step, transmission, account: name.clone(), limits, shares };
    let Some(Opened { claim, number, began_at, probe }) = engine.together.open.ask(engine, opening).await? else {
        return Ok(());
    };
    let claim = engine.leases.hold(claim);
    let node = frozen.workflow.node(&claim.name).context("the step is not in its workflow")?;
    let permit = || engine.leases.still_hold(&claim, begun, engine.settings.lease);
    let parcel = Parcel { attempt: number, ..parcel };
    let report = account.transmit_if(&parcel, &permit, turn).await;
    let (report, receipts) = match &link {
        Some(link) => (report.accepted(), Some(link.receipts())),
        None => (report, frozen.receipts(account)),
    };
    let link = link::after(engine, &frozen, account, (&parcel, &report));
    let Parcel { key, .. } = parcel;
    let closing = Closing {
        step,
        lease: claim.lease,
        run,
        tries: claim.tries,
        transmission,
        number,
        key,
        account: name,
        limits,
        turns,
        began_at,
        probe,
        report,
        retry: node.retry,
        settle: account.settle(),
        ask_for: account.ask_for(),
        receipts,
        link,
    };
    keep(engine, closing).await
}

/// Leaves `step` to another node.
async fn leave(engine: &Engine, step: StepId) -> Result<()> {
    let mut db = engine.db.acquire().await.context("connecting to leave a step to others")?;
    queue::push(&mut db, &[Hint { kind: Kind::Transmit, id: step }]).await
}

/// How long an outcome is kept while the database cannot take it. A longer outage leaves the attempt uncertain; longer
/// patience holds up a node that is asked to stop.
const KEEP: Duration = Duration::from_secs(10 * 60);

/// The pause before an outcome is written again, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// Records an outcome, again and again while the database is away: what the far side said cannot be asked twice.
async fn keep(engine: &Engine, closing: Closing) -> Result<()> {
    let began = Instant::now();
    let mut pause = PAUSE.0;
    loop {
        match record_once(engine, &closing).await {
            Err(error) if began.elapsed() < KEEP => {
                let error = format!("{error:#}");
                tracing::warn!(transmission.id = closing.transmission.0, error, "an outcome waits to be recorded");
            }
            recorded => return recorded,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE.1);
    }
}

async fn record_once(engine: &Engine, closing: &Closing) -> Result<()> {
    let ours = engine.together.close.ask(engine, closing.clone()).await?;
    if ours { Ok(()) } else { late::settle(engine, closing).await }
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
    record::fence(&mut db, &BTreeSet::from([run])).await?;
    let claims = claim::take(&mut db, engine, &[step], now).await?;
    let Some(claim) = claims.first() else { return Ok(()) };
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
