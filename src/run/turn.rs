//! Turning to the next contact of a recipient when one failed, or was not confirmed in time.
//!
//! Done before a run is counted, by whoever counts it: whatever made a transmission fail, its run is marked then. The one
//! that failed is skipped from then on, with the failure and the contact that was turned to as its reason, and the next
//! one is written with its step in the transaction of the count. So a run does not end between the two, and a recipient
//! who is reached in the end is no failure. Under `first_valid` only what was suppressed after it was chosen is turned
//! away from, because that contact is no longer valid.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{
    Engine, Event, TransmissionState,
    frozen::Frozen,
    log, notify,
    plan::{self, Suppressed, duplicate},
    survey,
};
use crate::{
    catalog::Twice,
    contact::{Contact, Contacts, Send, policy::Candidate},
    id::{RunId, TransmissionId},
    queue,
    reason::{Reason, Scope},
    workflow::Kind,
};

/// The code of what was turned away from.
const TURNED: &str = "turned";

/// The code of what was accepted and never confirmed.
const UNCONFIRMED: &str = "no-word";

/// A transmission that came to nothing, with what its recipient has besides.
struct Lost {
    id: TransmissionId,
    key: String,
    channel: String,
    state: TransmissionState,
    reason: Reason,
    contacts: Contacts,
    /// In their order.
    items: Vec<i64>,
}

/// Where one turns to.
struct Next<'a> {
    lost: &'a Lost,
    channel: String,
    contact: Contact,
    /// Whether somebody else's transmission there makes this one superfluous.
    twin: bool,
}

/// Turns to the next contact wherever `frozen`'s policy says so. The caller holds the run.
pub(super) async fn turn(engine: &Engine, db: &mut PgConnection, frozen: &Frozen, now: DateTime<Utc>) -> Result<()> {
    if frozen.batch.policy.send == Send::All {
        return Ok(());
    }
    let lost = lost(db, frozen).await?;
    if lost.is_empty() {
        return Ok(());
    }
    let unfit = plan::unfit(engine, frozen);
    let ways: Vec<_> = lost.iter().map(|one| candidates(engine, frozen, (one, &unfit))).collect();
    let suppressed = survey::suppressed(db, ways.iter().flatten()).await?;
    let mut next: Vec<_> = lost.iter().zip(ways).filter_map(|(lost, ways)| first(lost, ways, &suppressed)).collect();
    if frozen.batch.duplicates == Twice::Skip {
        let mut sent = sent(db, frozen.run, &next).await?;
        for one in next.iter_mut().filter(|one| !one.lost.items.is_empty()) {
            one.twin = !sent.insert((one.channel.clone(), one.contact.to_string(), one.lost.items.clone()));
        }
    }
    write(db, frozen, &next, now).await
}

/// What came to nothing, is rendered where it carries anything, and was not followed by another one yet. What a person sends again stays where it
/// was sent.
async fn lost(db: &mut PgConnection, frozen: &Frozen) -> Result<Vec<Lost>> {
    let rows = sqlx::query!(
        r#"
        select transmission.id as "id: TransmissionId", transmission.key, transmission.channel,
               transmission.state as "state: TransmissionState", transmission.reason as "reason!",
               recipient.contacts, carried.items as "items!"
          from transmission
          join recipient on recipient.id = transmission.recipient
         cross join lateral (
                select coalesce(array_agg(item.id order by transmission_item.position), '{}') as items,
                       coalesce(bool_and(artifact.purged_at is null and artifact.id is not null), true) as rendered
                  from transmission_item
                  join item on item.id = transmission_item.item
                  left join artifact on artifact.id = item.artifact
                 where transmission_item.transmission = transmission.id
               ) as carried
         where transmission.run = $1 and transmission.purpose = 'document' and transmission.resend_of is null
           and ((transmission.state = 'failed' and $2)
                or (transmission.state = 'uncertain' and transmission.reason ->> 'code' = $3 and $2)
                or (transmission.state = 'skipped' and transmission.reason ->> 'code' = 'suppressed'
                    and transmission.changed_at > transmission.created_at))
           and carried.rendered
           and not exists (select from transmission as next where next.turned_from = transmission.id)
         order by transmission.id
        "#,
        frozen.run as RunId,
        frozen.batch.policy.send == Send::Fallback,
        UNCONFIRMED,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("looking for what failed in run {}", frozen.run))?;
    rows.into_iter()
        .map(|row| {
            Ok(Lost {
                id: row.id,
                key: row.key,
                channel: row.channel,
                state: row.state,
                reason: serde_json::from_value(row.reason).context("reading a reason")?,
                contacts: serde_json::from_value(row.contacts).context("reading contacts")?,
                items: row.items,
            })
        })
        .collect()
}

/// The contacts behind the one that failed, on channels that carry what is sent.
fn candidates(engine: &Engine, frozen: &Frozen, (lost, unfit): (&Lost, &BTreeMap<String, Reason>)) -> Vec<Candidate> {
    let channels = engine.channels.channels();
    let country = frozen.batch.country.or(engine.country);
    let all = frozen.batch.policy.candidates(&lost.contacts, &channels, country);
    let behind = all.into_iter().skip_while(|one| one.channel != lost.channel).skip(1);
    behind.filter(|one| !unfit.contains_key(&one.channel)).collect()
}

fn first<'a>(lost: &'a Lost, mut ways: Vec<Candidate>, suppressed: &Suppressed) -> Option<Next<'a>> {
    ways.iter_mut().for_each(|one| plan::suppress(one, suppressed));
    let found = ways.into_iter().find_map(|one| Some((one.channel, one.contact.ok()?)));
    found.map(|(channel, contact)| Next { lost, channel, contact, twin: false })
}

/// What the run sends to the same contacts: channel, contact and items.
async fn sent(db: &mut PgConnection, run: RunId, next: &[Next<'_>]) -> Result<HashSet<(String, String, Vec<i64>)>> {
    let rows = sqlx::query!(
        r#"
        select transmission.channel, transmission.contact,
               array_agg(transmission_item.item order by transmission_item.position) as "items!"
          from transmission
          join transmission_item on transmission_item.transmission = transmission.id
         where transmission.run = $1 and transmission.purpose = 'document'
           and transmission.state in ('queued', 'sending', 'accepted', 'delivered', 'uncertain')
           and (transmission.channel, transmission.contact) in (select * from unnest($2::text[], $3::text[]))
         group by transmission.id
        "#,
        run as RunId,
        &next.iter().map(|one| one.channel.clone()).collect::<Vec<_>>(),
        &next.iter().map(|one| one.contact.to_string()).collect::<Vec<_>>(),
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("asking what run {run} sends to the same contacts"))?;
    Ok(rows.into_iter().map(|row| (row.channel, row.contact, row.items)).collect())
}

/// Writes what follows, what it carries and its steps, and why the ones before are skipped.
async fn write(db: &mut PgConnection, frozen: &Frozen, next: &[Next<'_>], now: DateTime<Utc>) -> Result<()> {
    let written = insert(db, frozen.run, next, now).await?;
    if written.is_empty() {
        return Ok(());
    }
    carry(db, &written).await?;
    let before: BTreeSet<_> = written.iter().map(|(_, before, _)| *before).collect();
    let turned: Vec<_> = next.iter().filter(|one| before.contains(&one.lost.id)).collect();
    skip(db, &turned, now).await?;
    let queued: Vec<_> = written.iter().filter(|(.., queued)| *queued).map(|(id, ..)| *id).collect();
    let transmit = frozen.step_of(Kind::Transmit).context("a workflow without a step that transmits")?;
    let hints = notify::steps(db, frozen.run, transmit, &queued, now).await?;
    queue::push(db, &hints).await?;
    let text = match written.len() {
        1 => "1 transmission turned to the next contact".to_owned(),
        count => format!("{count} transmissions turned to the next contact"),
    };
    log::write(db, frozen.run, now, (TURNED, text, json!({ "transmissions": queued }))).await
}

/// Gives what was written, what it follows, and whether it is to be sent.
async fn insert(
    db: &mut PgConnection,
    run: RunId,
    next: &[Next<'_>],
    now: DateTime<Utc>,
) -> Result<Vec<(TransmissionId, TransmissionId, bool)>> {
    let reasons = next.iter().map(|one| match one.twin {
        true => serde_json::to_value(duplicate::reason(&one.contact.to_string())).map(Some),
        false => Ok(None),
    });
    let rows = sqlx::query!(
        r#"
        insert into transmission (run, purpose, key, recipient, recipient_name, channel, contact, state, waiting, reason,
                                  once, possibly_twice, turned_from, created_at, changed_at)
        select lost.run, lost.purpose, next.key, lost.recipient, lost.recipient_name, next.channel, next.contact,
               case when next.reason is null then 'queued' else 'skipped' end, 0, next.reason,
               lost.once,
               lost.state = 'uncertain'
                or exists (select from attempt where attempt.transmission = lost.id
                                                 and attempt.outcome in ('uncertain', 'accepted', 'delivered')),
               lost.id, $6, $6
          from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::jsonb[])
               as next (lost, key, channel, contact, reason)
          join transmission as lost on lost.id = next.lost
         order by lost.id
        on conflict on constraint transmission_key_is_unique_in_its_run do nothing
        returning id as "id: TransmissionId", turned_from as "before!: TransmissionId", state = 'queued' as "queued!"
        "#,
        &next.iter().map(|one| one.lost.id.0).collect::<Vec<_>>(),
        &next.iter().map(Next::key).collect::<Vec<_>>(),
        &next.iter().map(|one| one.channel.clone()).collect::<Vec<_>>(),
        &next.iter().map(|one| one.contact.to_string()).collect::<Vec<_>>(),
        &reasons.collect::<Result<Vec<_>, _>>()? as &[Option<Value>],
        now,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("turning to the next contacts in run {run}"))?;
    Ok(rows.into_iter().map(|row| (row.id, row.before, row.queued)).collect())
}

impl Next<'_> {
    /// The key it would have had if it had been the first.
    fn key(&self) -> String {
        let part = self.lost.key.rsplit(':').next().unwrap_or_default();
        let place = self.lost.key.split(':').next().unwrap_or_default();
        format!("{place}:{}:{part}", self.channel)
    }

    /// Why the one before is skipped.
    fn reason(&self) -> Reason {
        let Lost { channel, reason, .. } = self.lost;
        let text = format!("by {channel}: {}; turned to {} {}", reason.text, self.channel, self.contact);
        Reason::new(Scope::Contact, TURNED, text)
    }
}

/// What follows carries the same.
async fn carry(db: &mut PgConnection, written: &[(TransmissionId, TransmissionId, bool)]) -> Result<()> {
    sqlx::query!(
        r#"
        insert into transmission_item (transmission, position, item)
        select next.id, transmission_item.position, transmission_item.item
          from unnest($1::bigint[], $2::bigint[]) as next (id, lost)
          join transmission_item on transmission_item.transmission = next.lost
        "#,
        &written.iter().map(|(id, ..)| id.0).collect::<Vec<_>>(),
        &written.iter().map(|(_, before, _)| before.0).collect::<Vec<_>>(),
    )
    .execute(db)
    .await
    .context("carrying the same to the next contacts")?;
    Ok(())
}

/// Skips what failed. What is uncertain stays so, and what was suppressed is skipped already.
async fn skip(db: &mut PgConnection, turned: &[&Next<'_>], now: DateTime<Utc>) -> Result<()> {
    let failed = turned.iter().filter_map(|one| Some((one, one.lost.state.after(Event::Turned)?)));
    let failed: Vec<_> = failed.collect();
    let reasons = failed.iter().map(|(one, _)| serde_json::to_value(one.reason()));
    sqlx::query!(
        r#"
        update transmission
           set state = turned.state, reason = turned.reason, changed_at = $4
          from unnest($1::bigint[], $2::text[], $3::jsonb[]) as turned (id, state, reason)
         where transmission.id = turned.id and transmission.state = 'failed'
        "#,
        &failed.iter().map(|(one, _)| one.lost.id.0).collect::<Vec<_>>(),
        &failed.iter().map(|(_, state)| state.name().to_owned()).collect::<Vec<_>>(),
        &reasons.collect::<Result<Vec<_>, _>>()?,
        now,
    )
    .execute(&mut *db)
    .await
    .context("skipping what was turned away from")?;
    Ok(())
}
