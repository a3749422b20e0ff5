//! Asking the far side what became of what it took, and whether it took what nobody knows of.
//!
//! A claim pushes the time of the next question on, so that two nodes do not ask the same; a node that dies with a
//! question costs that pause and nothing else. No transaction is open while the far side thinks.

use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};

use super::{Source, apply_all};
use crate::{
    channel::{About, Answer, Asked, Standing, Word, account::Account},
    id::{RunId, TransmissionId},
    reason::Reason,
    run::{
        Engine,
        awaited::{self, Expected},
        parcel, received,
    },
};

/// Questions of a node at once.
const AT_ONCE: usize = 8;

/// Questions claimed in one go.
const CHUNK: i64 = 64;

/// How long a far side may take to answer. More leaves a claim lying about when a node dies.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pause between questions where the account names none, and the longest one while nobody answers.
const POLL: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10 * 60));

/// A question that is due.
struct Due {
    run: RunId,
    transmission: TransmissionId,
    attempt: i32,
    account: String,
    asked: Asked,
    times: i32,
    unanswered: i32,
    progress: Option<String>,
}

/// Asks what is due, and says how many questions there were.
///
/// # Errors
/// When the database cannot be reached.
pub async fn ask(engine: &Engine) -> Result<usize> {
    let due = claim(engine).await?;
    let count = due.len();
    stream::iter(due)
        .for_each_concurrent(AT_ONCE, async |due| {
            let transmission = due.transmission;
            if let Err(error) = one(engine, due).await {
                let error = format!("{error:#}");
                tracing::warn!(transmission.id = transmission.0, error, "an answer of the far side was lost");
            }
        })
        .await;
    Ok(count)
}

async fn claim(engine: &Engine) -> Result<Vec<Due>> {
    let now = engine.clock.now();
    let accounts: Vec<_> = engine.channels.accounts().map(|account| account.name().to_owned()).collect();
    let rows = sqlx::query!(
        r#"
        with due as (
            select awaited.transmission
              from awaited
             where awaited.ask_at <= $1 and awaited.account = any($3)
             order by awaited.ask_at
             limit $4
               for update skip locked
        )
        update awaited
           set ask_at = $2, asked = awaited.asked + 1
          from due
          join transmission on transmission.id = due.transmission
          join attempt on attempt.transmission = due.transmission
         where awaited.transmission = due.transmission and attempt.number = awaited.attempt
           and transmission.state in ('accepted', 'uncertain')
        returning awaited.run as "run: RunId", awaited.transmission as "transmission: TransmissionId", awaited.attempt,
                  awaited.account, awaited.reference, awaited.asked, awaited.unanswered, awaited.progress,
                  transmission.created_at, transmission.contact, attempt.started_at
        "#,
        now,
        now + 2 * PATIENCE,
        &accounts,
        CHUNK,
    )
    .fetch_all(&engine.db)
    .await
    .context("looking for whom to ask")?;
    Ok(rows
        .into_iter()
        .map(|row| Due {
            run: row.run,
            transmission: row.transmission,
            attempt: row.attempt,
            account: row.account,
            asked: Asked {
                key: parcel::key(row.run, row.transmission, row.created_at),
                reference: row.reference,
                attempt: row.attempt,
                contact: row.contact,
                began_at: row.started_at,
            },
            times: row.asked,
            unanswered: row.unanswered,
            progress: row.progress,
        })
        .collect())
}

async fn one(engine: &Engine, due: Due) -> Result<()> {
    let Some(account) = engine.channels.get(&due.account) else { return Ok(()) };
    let answer = tokio::time::timeout(PATIENCE, account.ask(&due.asked)).await;
    let poll = account.receipts().and_then(|receipts| receipts.poll).unwrap_or(POLL.0);
    let now = engine.clock.now();
    match answer {
        Ok(Ok(answer)) => {
            heard(engine, &due, answer).await?;
            next(engine, &due, (now + poll, None), now).await
        }
        Ok(Err(reason)) => unanswered(engine, (&due, account), (poll, &reason), now).await,
        Err(_) => {
            let text = format!("no answer within {} s", PATIENCE.as_secs());
            let reason = Reason::new(crate::reason::Scope::Attempt, "no-answer", text);
            unanswered(engine, (&due, account), (poll, &reason), now).await
        }
    }
}

/// Takes in what the far side answered. The same progress again is no news.
async fn heard(engine: &Engine, due: &Due, answer: Answer) -> Result<()> {
    let now = engine.clock.now();
    if let Some(reference) = &answer.reference {
        refer(engine, due, reference).await?;
    }
    if matches!(&answer.standing, Standing::Underway(text) if due.progress.as_ref() == Some(text)) {
        return Ok(());
    }
    let word = Word {
        about: About::Attempt(due.asked.key.clone(), due.attempt),
        standing: answer.standing,
        at: None,
        id: Some(format!("poll {} {}", due.attempt, due.times)),
    };
    let received = received::Received {
        source: Source::Poll,
        account: Some(&due.account),
        word,
        suppress: None,
        body: answer.transcript.as_bytes(),
    };
    let mut db = engine.db.acquire().await.context("connecting to keep an answer")?;
    let kept = received::keep(&mut db, &received, now).await?;
    drop(db);
    apply_all(engine, kept.as_slice()).await;
    Ok(())
}

/// Notes what the far side calls it; it may have said something under that name already.
async fn refer(engine: &Engine, due: &Due, reference: &str) -> Result<()> {
    let mut db = engine.db.acquire().await.context("connecting to note what the far side calls it")?;
    awaited::name(&mut db, (due.transmission, due.attempt), reference).await?;
    let named = Expected::new((due.run, due.transmission, due.attempt), &due.asked.key, &due.account);
    let named = Expected { reference: Some(reference.to_owned()), ..named };
    awaited::early(&mut db, &[named], engine.clock.now()).await
}

/// It is asked again at another time, unless it was settled meanwhile.
async fn next(
    engine: &Engine,
    due: &Due,
    (at, fault): (DateTime<Utc>, Option<&str>),
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
        update awaited
           set ask_at = greatest($3::timestamptz, $5), unanswered = case when $4::text is null then 0 else unanswered + 1 end,
               progress = coalesce($4, progress)
         where transmission = $1 and attempt = $2 and ask_at is not null
        "#,
        due.transmission as TransmissionId,
        due.attempt,
        at,
        fault,
        now,
    )
    .execute(&engine.db)
    .await
    .context("putting off a question")?;
    Ok(())
}

/// It could not be asked. The pauses grow.
async fn unanswered(
    engine: &Engine,
    (due, account): (&Due, &Account),
    (poll, reason): (Duration, &Reason),
    now: DateTime<Utc>,
) -> Result<()> {
    let pause = (poll * 2_u32.pow(due.unanswered.clamp(0, 10).unsigned_abs())).min(POLL.1.max(poll));
    if due.unanswered == 0 {
        tracing::warn!(
            run.id = due.run.0,
            transmission.id = due.transmission.0,
            account = account.name(),
            reason = reason.code,
            "the far side cannot be asked what became of it; it is asked again"
        );
    }
    next(engine, due, (now + pause, Some(&format!("cannot be asked: {}", reason.text))), now).await
}
