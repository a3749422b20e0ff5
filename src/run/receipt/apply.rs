//! One word applied: the decision is made and written while the run that it is about is fenced.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::{
    decide::{Case, Decision, decide},
    find::{self, Home, Kept},
    write::{self, Change, Place},
};
use crate::{
    audit::Author,
    catalog::suppression,
    channel::{Outcome, Proof, Standing},
    id::{RunId, TransmissionId},
    reason::Reason,
    run::{
        Engine, Event, TransmissionState, allowance,
        awaited::{self, Expected},
        followed, frozen, log, parcel, record,
        turned_out::{self, Turn},
        verdict,
    },
    workflow::{Kind, Retry},
};

/// How long a word that is about nothing known is looked at again. Words may come before the book knows what they are
/// about, but not by days.
const KEEP: chrono::Duration = chrono::Duration::days(2);

/// Applies the word `receipt`, unless that is done.
pub(super) async fn apply(engine: &Engine, receipt: i64) -> Result<()> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to apply a word")?;
    let Some(kept) = find::read(&mut db, receipt).await? else { return Ok(()) };
    let Some(home) = find::home(&mut db, &kept).await? else {
        put_off(&mut db, &kept, now).await?;
        return db.commit().await.context("putting off a word");
    };
    record::fence(&mut db, &BTreeSet::from([home.run])).await?;
    if let Some(account) = &kept.account {
        allowance::brace(&mut db, account, &kept.standing).await?;
    }
    let place = write::lock(engine, &mut db, (home.run, home.transmission)).await?;
    if !is_due(&mut db, receipt).await? {
        return Ok(());
    }
    let Some(place) = place else {
        return finish(db, &kept, home, "nothing: its run is being purged").await;
    };
    let decision = decide(&case(&mut db, &kept, home, &place).await?, &kept.standing, kept.when());
    if let (Some(_), Some(reference)) = (&kept.key, &kept.reference)
        && !matches!(decision, Decision::Later | Decision::Nothing(_))
    {
        awaited::name(&mut db, (home.transmission, home.attempt), reference).await?;
    }
    let moves = matches!(decision, Decision::Move(_) | Decision::Again { .. });
    let wait = if moves { learn(engine, &mut db, (&kept, home, &place), now).await? } else { None };
    let effect = match decision {
        _ if let Some(change) = wait => carry_out(&mut db, (home, &place), &change, now).await?,
        Decision::Later => {
            put_off(&mut db, &kept, now).await?;
            return db.commit().await.context("putting off a word");
        }
        Decision::Nothing(why) => format!("nothing: {why}"),
        Decision::Progress(text) => progress(&mut db, home, &text).await?,
        Decision::Twice => twice(&mut db, home).await?,
        Decision::Move(event) => shift(engine, &mut db, (&kept, home, &place), event, now).await?,
        Decision::Again { reason, after } => again(engine, &mut db, (home, &place), (reason, after), now).await?,
    };
    if moves {
        release(&mut db, (&kept, home), now).await?;
    }
    suppress(&mut db, &kept, &place, now).await?;
    finish(db, &kept, home, &effect).await
}

/// Whether the word is still to be applied. Its row stays ours until the end of the transaction. Locked last: whoever
/// closes an attempt has its transmission when it comes to words.
async fn is_due(db: &mut PgConnection, receipt: i64) -> Result<bool> {
    let found = sqlx::query_scalar!("select id from receipt where id = $1 and due_at is not null for update", receipt)
        .fetch_optional(db)
        .await
        .context("locking a word")?;
    Ok(found.is_some())
}

async fn case(db: &mut PgConnection, kept: &Kept, home: Home, place: &Place) -> Result<Case> {
    let row = sqlx::query!(
        r#"
        select exists (select from attempt
                        where transmission = $1 and number = $3 and outcome is null) as "open!",
               exists (select from awaited where transmission = $1 and doubt) as "doubt!",
               exists (select from attempt
                        where transmission = $1 and number = $2 and outcome = 'uncertain') as "unknown!",
               exists (select from transmission as next where next.turned_from = $1) as "turned!",
               (select max(coalesce(at, received_at)) from receipt
                 where transmission = $1 and attempt = $2 and id <> $4
                   and standing in ('delivered', 'deferred', 'failed')) as before
        "#,
        home.transmission as TransmissionId,
        home.attempt,
        place.attempts,
        kept.id,
    )
    .fetch_one(db)
    .await
    .context("reading what is known when a word comes")?;
    let (state, last, about) = (place.state, place.attempts, home.attempt);
    let (open, doubt, unknown, turned) = (row.open, row.doubt, row.unknown, row.turned);
    Ok(Case { state, last, about, open, doubt, unknown, turned, before: row.before })
}

async fn progress(db: &mut PgConnection, home: Home, text: &str) -> Result<String> {
    sqlx::query!(
        "update awaited set progress = $3 where transmission = $1 and attempt = $2",
        home.transmission as TransmissionId,
        home.attempt,
        text,
    )
    .execute(db)
    .await
    .context("noting progress")?;
    Ok("progress".to_owned())
}

async fn twice(db: &mut PgConnection, home: Home) -> Result<String> {
    sqlx::query!(
        "update transmission set possibly_twice = true where id = $1 and not possibly_twice",
        home.transmission as TransmissionId,
    )
    .execute(db)
    .await
    .context("noting that it may have arrived twice")?;
    Ok("it may have arrived twice".to_owned())
}

/// What an attempt came to by the word, where it says that.
fn outcome(standing: &Standing, account: &str) -> Option<Outcome> {
    Some(match standing.clone() {
        Standing::Delivered(proof) => Outcome::Delivered(proof),
        Standing::Failed(reason) => Outcome::Refused(reason),
        Standing::Deferred { reason, after } => Outcome::Deferred { reason, after },
        Standing::Underway(text) => Outcome::Accepted(Proof { by: account.to_owned(), text }),
        Standing::Unknown => return None,
    })
}

/// What the account's own far side says may be about the account. Then the transmission waits for it, where it still can.
async fn learn(
    engine: &Engine,
    db: &mut PgConnection,
    (kept, home, place): (&Kept, Home, &Place),
    now: DateTime<Utc>,
) -> Result<Option<Change>> {
    let Some(account) = &kept.account else { return Ok(None) };
    let Some(outcome) = outcome(&kept.standing, account) else { return Ok(None) };
    let Home { run, transmission, attempt } = home;
    let told = allowance::Told { account, run, transmission, attempt, outcome: &outcome };
    let Some((until, reason)) = allowance::hear(engine, db, &told, now).await? else { return Ok(None) };
    let state = place.state.after(Event::Deferred).filter(|_| !place.cancelled);
    let outcome = Outcome::Deferred { reason, after: None };
    Ok(state.map(|state| Change { attempt, state, outcome, again: Some(until), counts: false }))
}

/// The state changes by what was said.
async fn shift(
    engine: &Engine,
    db: &mut PgConnection,
    (kept, home, place): (&Kept, Home, &Place),
    event: Event,
    now: DateTime<Utc>,
) -> Result<String> {
    let account = place.account.as_deref().unwrap_or_default();
    let state = place.state.after(event).context("a word cannot lead here")?;
    let Some(outcome) = outcome(&kept.standing, account) else { return Ok("nothing: it says nothing".to_owned()) };
    let change = Change { attempt: home.attempt, state, outcome, again: None, counts: false };
    let effect = carry_out(db, (home, place), &change, now).await?;
    if event == Event::Arrived {
        followed::spare(db, (home.transmission, &place.channel), now).await?;
    }
    if let (TransmissionState::Accepted, Some(way)) = (state, engine.channels.get(account)) {
        let ids = (home.run, home.transmission, home.attempt);
        let key = parcel::key(home.run, home.transmission, place.created_at);
        let mut expected = Expected::new(ids, &key, account);
        expected.reference.clone_from(&kept.reference);
        let expected = match frozen::of(engine, home.run).await?.receipts(way) {
            Some(receipts) => expected.for_receipt(receipts, now),
            None => expected.in_doubt(way.ask_for(), now),
        };
        awaited::expect(db, &[expected], now).await?;
    }
    Ok(effect)
}

/// It is tried again, or has failed when no try is left.
async fn again(
    engine: &Engine,
    db: &mut PgConnection,
    (home, place): (Home, &Place),
    (reason, after): (Reason, Option<Duration>),
    now: DateTime<Utc>,
) -> Result<String> {
    let tries = u32::try_from(place.tries).unwrap_or_default() + 1;
    let pause = match place.cancelled {
        true => None,
        false => retry(engine, home.run).await?.pause(tries, after),
    };
    let (event, reason) = match (pause, place.cancelled) {
        (Some(_), _) => (Event::Deferred, reason),
        (None, true) => (Event::GivenUp, reason),
        (None, false) => (Event::GivenUp, verdict::used_up(reason, tries)),
    };
    let state = place.state.after(event).context("a word cannot lead here")?;
    let outcome = Outcome::Deferred { reason, after };
    let change = Change { attempt: home.attempt, state, outcome, again: pause.map(|pause| now + pause), counts: true };
    carry_out(db, (home, place), &change, now).await
}

/// Writes what changes, and what follows from it.
async fn carry_out(
    db: &mut PgConnection,
    (home, place): (Home, &Place),
    change: &Change,
    now: DateTime<Utc>,
) -> Result<String> {
    write::change(db, place, change, now).await?;
    awaited::forget(db, home.transmission).await?;
    follow(db, (home, place), change.state, now).await
}

async fn retry(engine: &Engine, run: RunId) -> Result<Retry> {
    let frozen = frozen::of(engine, run).await?;
    let step = frozen.step_of(Kind::Transmit).and_then(|step| frozen.workflow.node(step));
    Ok(step.context("a workflow without a step that transmits")?.retry)
}

/// What follows for the run.
async fn follow(
    db: &mut PgConnection,
    (home, place): (Home, &Place),
    state: TransmissionState,
    now: DateTime<Utc>,
) -> Result<String> {
    let Home { run, transmission, .. } = home;
    let given_up =
        matches!(place.state, TransmissionState::Failed | TransmissionState::Queued | TransmissionState::Skipped);
    let late = if given_up { " late" } else { "" };
    let effect = format!("{} to {}{late}", place.state.name(), state.name());
    let text = format!("by word of the far side transmission {transmission} goes from {effect}");
    let data = json!({ "transmission": transmission, "attempt": home.attempt, "state": state });
    log::write(db, run, now, ("receipt", text, data)).await?;
    match (state, place.state) {
        (TransmissionState::Failed, _) => {
            turned_out::turned_out(db, (run, transmission), Turn::Failed, now).await?;
        }
        // What was told as failed did arrive, or is on its way again.
        (TransmissionState::Queued, _)
        | (_, TransmissionState::Failed | TransmissionState::Skipped | TransmissionState::Uncertain) => {
            turned_out::open_again(db, run).await?;
        }
        _ => {}
    }
    record::mark(db, run, now).await?;
    Ok(effect)
}

/// Notes what people answered, and hands on the turns at contacts that end with the word.
async fn release(db: &mut PgConnection, (kept, home): (&Kept, Home), now: DateTime<Utc>) -> Result<()> {
    if let Standing::Failed(reason) | Standing::Deferred { reason, .. } = &kept.standing {
        allowance::note_answer(db, (home.transmission, home.attempt), reason, now).await?;
    }
    allowance::call_next(db, &[home.transmission], now).await
}

/// Nothing is sent any more to an address that does not exist.
async fn suppress(db: &mut PgConnection, kept: &Kept, place: &Place, now: DateTime<Utc>) -> Result<()> {
    let Some(why) = &kept.suppress else { return Ok(()) };
    let author = Author { name: "bounce".to_owned(), at: now };
    suppression::bounced(db, &author, (&place.channel, &place.contact), why).await
}

/// It is looked at again, after a while that grows; and given up in the end.
async fn put_off(db: &mut PgConnection, kept: &Kept, now: DateTime<Utc>) -> Result<()> {
    let pause = chrono::Duration::seconds(1_i64 << kept.tries.clamp(0, 10));
    let over = now - kept.received_at > KEEP;
    sqlx::query!(
        r#"
        update receipt
           set tries = tries + 1, due_at = case when $3 then null else $2::timestamptz end,
               effect = case when $3 then 'nothing: it is about nothing that is known here' end
         where id = $1 and due_at is not null
        "#,
        kept.id,
        now + pause,
        over,
    )
    .execute(db)
    .await
    .context("putting off a word")?;
    Ok(())
}

async fn finish(mut db: sqlx::PgTransaction<'_>, kept: &Kept, home: Home, effect: &str) -> Result<()> {
    sqlx::query!(
        "update receipt set transmission = $2, attempt = $3, effect = $4, due_at = null where id = $1",
        kept.id,
        home.transmission as TransmissionId,
        home.attempt,
        effect,
    )
    .execute(&mut *db)
    .await
    .context("noting what a word changed")?;
    db.commit().await.context("applying a word")
}
