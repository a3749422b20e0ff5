//! What a word is about: the attempt of ours that the far side means by our key, or by a name of its own.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    channel::Standing,
    id::{RunId, TransmissionId},
    run::parcel,
};

/// A word as it is kept.
pub(super) struct Kept {
    pub id: i64,
    pub account: Option<String>,
    pub key: Option<String>,
    pub reference: Option<String>,
    /// The attempt that it says it is about.
    pub attempt: Option<i32>,
    pub standing: Standing,
    pub suppress: Option<String>,
    pub at: Option<DateTime<Utc>>,
    pub received_at: DateTime<Utc>,
    pub tries: i32,
}

/// What a word is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Home {
    pub run: RunId,
    pub transmission: TransmissionId,
    pub attempt: i32,
}

impl Kept {
    /// When the far side gave it.
    pub(super) fn when(&self) -> DateTime<Utc> {
        self.at.unwrap_or(self.received_at)
    }
}

/// The word `receipt`, unless it is applied already.
pub(super) async fn read(db: &mut PgConnection, receipt: i64) -> Result<Option<Kept>> {
    let row = sqlx::query!(
        r#"
        select id, account, key, reference, attempt, word, suppress, at, received_at, tries
          from receipt
         where id = $1 and due_at is not null
        "#,
        receipt,
    )
    .fetch_optional(db)
    .await
    .context("reading a word")?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Kept {
        id: row.id,
        account: row.account,
        key: row.key,
        reference: row.reference,
        attempt: row.attempt,
        standing: serde_json::from_value(row.word).context("reading what a word says")?,
        suppress: row.suppress,
        at: row.at,
        received_at: row.received_at,
        tries: row.tries,
    }))
}

/// What the word is about. A word that came by an account is only about what was sent by it; one without is about mail.
pub(super) async fn home(db: &mut PgConnection, kept: &Kept) -> Result<Option<Home>> {
    match (&kept.key, &kept.reference) {
        (Some(key), _) => by_key(db, kept, key).await,
        (None, Some(reference)) => by_reference(db, kept, reference).await,
        (None, None) => Ok(None),
    }
}

/// The attempt is the one that the word says; or the one that ended under the name that the word gives, else the last one
/// that has that name or none, because repeats of what is there already get none; or the last one that had begun when
/// the word was given.
async fn by_key(db: &mut PgConnection, kept: &Kept, key: &str) -> Result<Option<Home>> {
    let Some(transmission) = parcel::keyed(key) else { return Ok(None) };
    let row = sqlx::query!(
        r#"
        select run as "run: RunId", created_at, attempts,
               (select number from attempt
                 where attempt.transmission = $1
                   and case when $4::integer is not null then number = $4
                            when $5::text is not null then coalesce(reference, $5) = $5
                            else started_at <= $3 end
                 order by coalesce(reference = $5 and outcome in ('refused', 'deferred'), false) desc, number desc
                 limit 1) as number
          from transmission
         where id = $1 and attempts > 0
           and case when $2::text is null then channel in ('email', 'pickup') else account = $2 end
        "#,
        transmission as TransmissionId,
        kept.account,
        kept.when(),
        kept.attempt,
        kept.reference,
    )
    .fetch_optional(db)
    .await
    .context("looking for what a word is about")?;
    let row = row.filter(|row| parcel::key(row.run, transmission, row.created_at) == key);
    let exact = kept.attempt.is_some() || kept.reference.is_some();
    Ok(row.and_then(|row| {
        let attempt = row.number.or((!exact).then_some(row.attempts))?;
        Some(Home { run: row.run, transmission, attempt })
    }))
}

/// Far sides use their numbers again after a while; the latest attempt is the one that is meant.
async fn by_reference(db: &mut PgConnection, kept: &Kept, reference: &str) -> Result<Option<Home>> {
    sqlx::query_as!(
        Home,
        r#"
        select transmission.run as "run: RunId", transmission.id as "transmission: TransmissionId",
               attempt.number as attempt
          from attempt
          join transmission on transmission.id = attempt.transmission
         where attempt.reference = $1 and transmission.account is not distinct from $2
         order by attempt.started_at desc
         limit 1
        "#,
        reference,
        kept.account,
    )
    .fetch_optional(db)
    .await
    .context("looking for what a word is about")
}
