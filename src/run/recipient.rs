//! Whom the batches of today send to, and how it went the last time. Only reads.
//!
//! One person may be written in many batches: the same name with the same contact is shown once. Two queries make a
//! page, because the book keeps contacts in their canonical form, which only [`Contact::parse`] knows. Called by the
//! doors.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

use super::{Engine, TransmissionState};
use crate::{
    contact::{Contact, Country},
    id::{RunId, TransmissionId},
};

/// One contact of somebody that batches send to.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RecipientContact)]
pub struct Addressee {
    pub name: String,
    pub channel: String,
    pub contact: String,
    /// The batches that send to it, disabled ones included.
    pub batches: Vec<String>,
    /// The last transmission to it that is no longer on its way.
    pub last: Option<Last>,
}

/// What became of a transmission.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = LastTransmission)]
pub struct Last {
    pub transmission: TransmissionId,
    pub run: RunId,
    pub state: TransmissionState,
    /// Since when it is in that state.
    pub at: DateTime<Utc>,
}

/// Which of them are asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// A part of the name, in any case.
    pub name: Option<String>,
    /// A part of the contact, in any case.
    pub contact: Option<String>,
    /// Only those of batches that run as this user, and only what was sent as this user.
    pub run_as: Option<String>,
}

/// The place of one in the list: name, channel and contact.
pub type Place = [String; 3];

/// A page of them in the order of names, after `after`.
///
/// # Errors
/// When the database cannot be read.
pub async fn list(engine: &Engine, wanted: &Wanted, (after, limit): (Option<&Place>, i64)) -> Result<Vec<Addressee>> {
    let db = &engine.db;
    let mut found = listed(db, wanted, (after, limit)).await?;
    for (position, last) in last(engine, &found, wanted.run_as.as_deref()).await? {
        if let Some(addressee) = found.get_mut(position) {
            addressee.last = Some(last);
        }
    }
    Ok(found)
}

async fn listed(db: &PgPool, wanted: &Wanted, (after, limit): (Option<&Place>, i64)) -> Result<Vec<Addressee>> {
    let rows = sqlx::query!(
        r#"
        select recipient.name, contact.channel as "channel!", contact.written as "contact!",
               array_agg(distinct batch.name order by batch.name) as "batches!"
          from batch
          join batch_revision on batch_revision.id = batch.current
          join recipient on recipient.revision = batch.current
         cross join lateral jsonb_each_text(recipient.contacts) as contact (channel, written)
         where batch.deleted_at is null
           and ($1::text is null or batch_revision.run_as = $1)
           and ($2::text is null or position(lower($2) in lower(recipient.name)) > 0)
           and ($3::text is null or position(lower($3) in lower(contact.written)) > 0)
           and ($4::text is null or (recipient.name, contact.channel, contact.written) > ($4, $5, $6))
         group by recipient.name, contact.channel, contact.written
         order by recipient.name, contact.channel, contact.written
         limit $7
        "#,
        wanted.run_as,
        wanted.name,
        wanted.contact,
        after.map(|[name, _, _]| name),
        after.map(|[_, channel, _]| channel),
        after.map(|[_, _, contact]| contact),
        limit,
    )
    .fetch_all(db)
    .await
    .context("listing whom batches send to")?;
    Ok(rows
        .into_iter()
        .map(|row| Addressee {
            name: row.name,
            channel: row.channel,
            contact: row.contact,
            batches: row.batches,
            last: None,
        })
        .collect())
}

/// What was last sent to each of `addressees`, with their places among them.
async fn last(engine: &Engine, addressees: &[Addressee], run_as: Option<&str>) -> Result<Vec<(usize, Last)>> {
    let channels: Vec<_> = addressees.iter().map(|one| one.channel.clone()).collect();
    let country = engine.country;
    let contacts: Vec<_> = addressees.iter().map(|one| canonical(&one.channel, &one.contact, country)).collect();
    let rows = sqlx::query!(
        r#"
        select asked.position as "position!", last.id as "transmission: TransmissionId", last.run as "run: RunId",
               last.state as "state: TransmissionState", last.changed_at
          from unnest($1::text[], $2::text[]) with ordinality as asked (channel, contact, position)
         cross join lateral (
                select transmission.id, transmission.run, transmission.state, transmission.changed_at
                  from transmission
                  join run on run.id = transmission.run
                 where transmission.contact = asked.contact
                   and transmission.channel = asked.channel
                   and transmission.purpose = 'document'
                   and transmission.settled
                   and ($3::text is null or run.run_as = $3)
                 order by transmission.id desc
                 limit 1
               ) as last
        "#,
        &channels,
        &contacts,
        run_as,
    )
    .fetch_all(&engine.db)
    .await
    .context("reading what was last sent to contacts")?;
    rows.into_iter()
        .map(|row| {
            let last = Last { transmission: row.transmission, run: row.run, state: row.state, at: row.changed_at };
            Ok((usize::try_from(row.position - 1)?, last))
        })
        .collect()
}

/// A contact as the book has it; one that cannot be sent to stays as it was written.
fn canonical(channel: &str, contact: &str, country: Option<Country>) -> String {
    Contact::parse_in(channel, contact, country).map_or_else(|_| contact.to_owned(), |parsed| parsed.to_string())
}
