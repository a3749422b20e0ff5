//! What waits for later word: accepted transmissions, and uncertain ones whose far side is asked whether it has them.
//!
//! A row is written in the transaction that closes the attempt and goes with the one that settles it. One that was left
//! behind means nothing: whoever reads rows looks at the transmission as well. Words may come before the attempt is
//! closed; they are kept, and become due again here.

use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{TransmissionState, verdict::Closing};
use crate::{
    channel::{Outcome, Receipts, Settle, Silence},
    id::{RunId, TransmissionId},
};

/// How long after an attempt was lost its far side is asked first. Less finds that it has not noticed yet; more leaves
/// what never arrived lying about.
const SETTLING: Duration = Duration::from_secs(5);

/// One that is to be waited for.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub transmission: TransmissionId,
    pub run: RunId,
    pub attempt: i32,
    pub key: String,
    pub account: String,
    pub reference: Option<String>,
    /// The far side is asked whether it has it at all.
    pub doubt: bool,
    /// Its run stays open meanwhile.
    pub holds: bool,
    pub silence: Silence,
    pub ask_at: Option<DateTime<Utc>>,
    pub deadline_at: DateTime<Utc>,
}

impl Expected {
    /// What is to be waited for after `closing`, which left its transmission in `state`.
    pub(super) fn of(closing: &Closing, state: TransmissionState, now: DateTime<Utc>) -> Option<Self> {
        let closed = || Self {
            reference: closing.report.reference.clone(),
            ..Self::new((closing.run, closing.transmission, closing.number), &closing.key, &closing.account)
        };
        match (&closing.report.outcome, closing.receipts, state) {
            (Outcome::Accepted(_), Some(receipts), TransmissionState::Accepted) => {
                Some(closed().for_receipt(receipts, now))
            }
            (Outcome::Uncertain(_), _, TransmissionState::Uncertain) if closing.settle == Settle::Ask => {
                Some(closed().in_doubt(closing.ask_for, now))
            }
            _ => None,
        }
    }

    /// An attempt by `account`, of which nothing is expected yet.
    pub(super) fn new((run, transmission, attempt): (RunId, TransmissionId, i32), key: &str, account: &str) -> Self {
        Self {
            transmission,
            run,
            attempt,
            key: key.to_owned(),
            account: account.to_owned(),
            reference: None,
            doubt: false,
            holds: false,
            silence: Silence::Uncertain,
            ask_at: None,
            deadline_at: DateTime::UNIX_EPOCH,
        }
    }

    /// The same, of which a receipt is to come.
    pub(super) fn for_receipt(self, receipts: Receipts, now: DateTime<Utc>) -> Self {
        let Receipts { within, poll, holds, silence } = receipts;
        let ask_at = poll.map(|poll| now + poll);
        Self { doubt: false, holds, silence, ask_at, deadline_at: now + within, ..self }
    }

    /// The same, of which nobody knows whether it arrived. After `ask_for` without an answer it is left to a person.
    pub(super) fn in_doubt(self, ask_for: Duration, now: DateTime<Utc>) -> Self {
        let (silence, ask_at) = (Silence::Uncertain, Some(now + SETTLING));
        Self { doubt: true, holds: true, silence, ask_at, deadline_at: now + ask_for, ..self }
    }
}

/// Writes what is waited for from now on; words about it that came too early are due.
pub(super) async fn expect(db: &mut PgConnection, expected: &[Expected], now: DateTime<Utc>) -> Result<()> {
    if expected.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        insert into awaited (transmission, run, attempt, account, reference, doubt, holds, silence, ask_at, deadline_at,
                             since_at)
        select *, $11::timestamptz
          from unnest($1::bigint[], $2::bigint[], $3::integer[], $4::text[], $5::text[], $6::boolean[], $7::boolean[],
                      $8::text[], $9::timestamptz[], $10::timestamptz[])
        on conflict on constraint awaited_pkey do update
           set attempt = excluded.attempt, account = excluded.account,
               reference = coalesce(excluded.reference, case awaited.attempt when excluded.attempt then awaited.reference end),
               doubt = excluded.doubt, holds = excluded.holds, silence = excluded.silence, ask_at = excluded.ask_at,
               deadline_at = excluded.deadline_at, since_at = excluded.since_at, unanswered = 0
        "#,
        &expected.iter().map(|it| it.transmission.0).collect::<Vec<_>>(),
        &expected.iter().map(|it| it.run.0).collect::<Vec<_>>(),
        &expected.iter().map(|it| it.attempt).collect::<Vec<_>>(),
        &expected.iter().map(|it| it.account.clone()).collect::<Vec<_>>(),
        &expected.iter().map(|it| it.reference.clone()).collect::<Vec<_>>() as &[Option<String>],
        &expected.iter().map(|it| it.doubt).collect::<Vec<_>>(),
        &expected.iter().map(|it| it.holds).collect::<Vec<_>>(),
        &expected.iter().map(|it| word(it.silence).to_owned()).collect::<Vec<_>>(),
        &expected.iter().map(|it| it.ask_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &expected.iter().map(|it| it.deadline_at).collect::<Vec<_>>(),
        now,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("expecting word of {} transmissions", expected.len()))?;
    early(db, expected, now).await
}

/// Words that came before it was known what they are about are due.
pub(super) async fn early(db: &mut PgConnection, expected: &[Expected], now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        r#"
        update receipt
           set due_at = $4
         where due_at > $4
           and (key = any($1)
                or (account, reference) in (select * from unnest($2::text[], $3::text[])))
        "#,
        &expected.iter().map(|it| it.key.clone()).collect::<Vec<_>>(),
        &expected.iter().map(|it| it.account.clone()).collect::<Vec<_>>(),
        &expected.iter().map(|it| it.reference.clone()).collect::<Vec<_>>() as &[Option<String>],
        now,
    )
    .execute(db)
    .await
    .context("looking for words that came early")?;
    Ok(())
}

/// Nothing more is expected of `transmission`.
pub(super) async fn forget(db: &mut PgConnection, transmission: TransmissionId) -> Result<()> {
    sqlx::query!("delete from awaited where transmission = $1", transmission as TransmissionId)
        .execute(db)
        .await
        .with_context(|| format!("expecting no more word of transmission {transmission}"))?;
    Ok(())
}

/// The word for it in the book.
fn word(silence: Silence) -> &'static str {
    match silence {
        Silence::Delivered => "delivered",
        Silence::Failed => "failed",
        Silence::Uncertain => "uncertain",
    }
}

/// Notes what the far side calls an attempt.
pub(super) async fn name(
    db: &mut PgConnection,
    (transmission, attempt): (TransmissionId, i32),
    reference: &str,
) -> Result<()> {
    sqlx::query!(
        r#"
        with named as (
            update attempt set reference = $3
             where transmission = $1 and number = $2 and reference is distinct from $3
        )
        update awaited set reference = $3
         where transmission = $1 and attempt = $2 and reference is distinct from $3
        "#,
        transmission as TransmissionId,
        attempt,
        reference,
    )
    .execute(db)
    .await
    .context("noting what the far side calls an attempt")?;
    Ok(())
}
