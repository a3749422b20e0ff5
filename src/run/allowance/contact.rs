//! Turns at contacts: how many transmissions one number, one mailbox or one domain is sent at once and in a minute, by
//! all accounts, batches and nodes together.
//!
//! A turn is had while its transmission is being sent, and for as long as a word about it holds its run open: until then
//! a fax is ringing there. Whoever has none waits without using up a try, and is called when a turn ends; those who are
//! put off just then, and those whose node died, look again by themselves. Contacts without limits have no rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    time::Duration,
};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Admission, Wanted, health::spread, wait};
use crate::{
    channel::account::{Account, Each, Limits},
    contact::Contact,
    id::{StepId, TransmissionId},
    reason::{Reason, Scope},
    workflow::Kind,
};

/// What those who wait for a turn are told.
pub(super) const BUSY: &str = "contact-busy";

/// How far back one looks for what was begun.
const MINUTE: Duration = Duration::from_secs(60);

/// How long those without a turn wait when nobody calls them, at least; at most twice as long.
const LOOK: Duration = Duration::from_secs(30);

/// What a transmission needs a turn at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::run) struct Share {
    key: String,
    limits: Limits,
}

/// What sending to `contact` by `account` needs turns at.
pub(in crate::run) fn shares(account: &Account, contact: &str) -> Vec<Share> {
    let each = account.each();
    if each == Each::default() {
        return Vec::new();
    }
    let contact = Contact::parse(account.channel(), contact).map_or_else(|_| contact.to_owned(), |it| it.key());
    let mut shares = vec![Share { key: format!("{} {contact}", account.channel()), limits: each.contact }];
    if let Some((_, domain)) = contact.rsplit_once('@') {
        shares.push(Share { key: format!("{} @{domain}", account.channel()), limits: each.domain });
    }
    shares.retain(|share| share.limits != Limits::default());
    shares
}

/// What is going on at one key.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    /// Transmissions that have a turn.
    turns: usize,
    /// Begun within the last minute.
    begun: usize,
    /// When the first of these was.
    oldest: Option<DateTime<Utc>>,
}

impl Used {
    /// When `transmission` may look again, and why it has to, unless it may go.
    fn refusal(
        &self,
        share: &Share,
        transmission: TransmissionId,
        now: DateTime<Utc>,
    ) -> Option<(DateTime<Utc>, Reason)> {
        let full = |most: Option<NonZeroUsize>, used: usize| most.filter(|most| used >= most.get());
        if let Some(most) = full(share.limits.at_once, self.turns) {
            let text = format!("no more than {most} at once are sent to {}", share.key);
            let due = now + LOOK + spread(transmission.0, LOOK);
            return Some((due, Reason::new(Scope::Attempt, BUSY, text)));
        }
        let most = full(share.limits.per_minute, self.begun)?;
        let text = format!("no more than {most} a minute are sent to {}", share.key);
        let due = self.oldest.unwrap_or(now) + MINUTE + spread(transmission.0, MINUTE);
        Some((due, Reason::new(Scope::Attempt, "contact-minute", text)))
    }

    fn note(&mut self, now: DateTime<Utc>) {
        self.turns += 1;
        self.begun += 1;
        self.oldest = self.oldest.or(Some(now));
    }
}

/// What is put off, with the account it would have left by.
pub(in crate::run) type Refused<'a> = (StepId, &'a str, (DateTime<Utc>, Reason));

/// Gives turns to as many of `wanted` as there are: the steps that have theirs, and those that are to be put off.
/// Contacts are locked until the caller's transaction ends, and before any account is.
pub(in crate::run) async fn take_turns<'a>(
    db: &mut PgConnection,
    wanted: &[(Wanted<'a>, &[Share])],
    now: DateTime<Utc>,
) -> Result<(BTreeSet<StepId>, Vec<Refused<'a>>)> {
    let mut admitted: BTreeSet<StepId> = wanted.iter().map(|(it, _)| it.step).collect();
    let mut refused = Vec::new();
    let keys: BTreeSet<&str> = wanted.iter().flat_map(|(_, shares)| shares.iter().map(|it| it.key.as_str())).collect();
    if keys.is_empty() {
        return Ok((admitted, refused));
    }
    lock(db, &keys).await?;
    let mut used = used(db, &keys, now).await?;
    let mut turns = Vec::new();
    for (it, shares) in wanted {
        let mine = |share: &Share| used.get(&share.key).copied().unwrap_or_default();
        let refusal = shares.iter().find_map(|share| mine(share).refusal(share, it.transmission, now));
        for share in *shares {
            turns.push((share.key.clone(), it, refusal.is_none().then_some(now)));
            if refusal.is_none() {
                used.entry(share.key.clone()).or_default().note(now);
            }
        }
        if let Some(wait) = refusal {
            admitted.remove(&it.step);
            refused.push((it.step, it.account, wait));
        }
    }
    note(db, &turns).await?;
    Ok((admitted, refused))
}

/// Puts off what got no turn. No attempt is made of it.
pub(in crate::run) async fn put_off(
    db: &mut PgConnection,
    refused: Vec<Refused<'_>>,
    now: DateTime<Utc>,
) -> Result<()> {
    for (step, account, (due, reason)) in refused {
        let admission = Admission { due: vec![due], reason: Some(reason), ..Admission::all(0) };
        wait::put_off(db, (account, &admission), &[step], now).await?;
    }
    Ok(())
}

/// Takes back the turns of steps that were not begun after all.
pub(in crate::run) async fn give_back(db: &mut PgConnection, steps: &[StepId]) -> Result<()> {
    sqlx::query!("update contact_turn set began_at = null where step = any($1)", steps as &[StepId])
        .execute(db)
        .await
        .context("taking back turns at contacts")?;
    Ok(())
}

/// In one order, as all do who lock several.
async fn lock(db: &mut PgConnection, keys: &BTreeSet<&str>) -> Result<()> {
    for key in keys {
        sqlx::query!("select pg_advisory_xact_lock(hashtextextended($1, 15)) is null as locked", *key)
            .fetch_one(&mut *db)
            .await
            .context("waiting for a contact")?;
    }
    Ok(())
}

async fn used(db: &mut PgConnection, keys: &BTreeSet<&str>, now: DateTime<Utc>) -> Result<BTreeMap<String, Used>> {
    let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
    let rows = sqlx::query!(
        r#"
        with seen as (
            select contact_turn.key, contact_turn.transmission, contact_turn.began_at,
                   transmission.state = 'sending'
                   or (transmission.state in ('accepted', 'uncertain')
                       and exists (select from awaited where awaited.transmission = transmission.id and holds)) as has
              from contact_turn
              join transmission on transmission.id = contact_turn.transmission
             where contact_turn.key = any($1) and contact_turn.began_at is not null
        ), past as (
            delete from contact_turn
             using seen
             where contact_turn.key = seen.key and contact_turn.transmission = seen.transmission
               and not seen.has and not contact_turn.waits and seen.began_at <= $2
        )
        select key, count(*) filter (where has) as "turns!", count(*) filter (where began_at > $2) as "begun!",
               min(began_at) filter (where began_at > $2) as oldest
          from seen
         group by key
        "#,
        &keys,
        now - MINUTE,
    )
    .fetch_all(db)
    .await
    .context("counting what is sent to contacts")?;
    let number = |count: i64| usize::try_from(count).unwrap_or_default();
    let used = |turns, begun, oldest| Used { turns: number(turns), begun: number(begun), oldest };
    Ok(rows.into_iter().map(|row| (row.key, used(row.turns, row.begun, row.oldest))).collect())
}

/// Notes who has a turn and who waits.
async fn note(db: &mut PgConnection, turns: &[(String, &Wanted<'_>, Option<DateTime<Utc>>)]) -> Result<()> {
    sqlx::query!(
        r#"
        insert into contact_turn (key, transmission, step, began_at, waits)
        select distinct on (key, transmission) key, transmission, step, began_at, began_at is null
          from unnest($1::text[], $2::bigint[], $3::bigint[], $4::timestamptz[])
               as turn (key, transmission, step, began_at)
        on conflict on constraint contact_turn_pkey
        do update set began_at = coalesce(excluded.began_at, contact_turn.began_at), step = excluded.step,
                      waits = excluded.waits
        "#,
        &turns.iter().map(|(key, ..)| key.clone()).collect::<Vec<_>>(),
        &turns.iter().map(|(_, it, _)| it.transmission.0).collect::<Vec<_>>(),
        &turns.iter().map(|(_, it, _)| it.step.0).collect::<Vec<_>>(),
        &turns.iter().map(|(.., began_at)| *began_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
    )
    .execute(db)
    .await
    .context("noting who is sent to which contact")?;
    Ok(())
}

/// Calls those who are next at the contacts at which `transmissions` had turns: one for each turn that ended.
pub(in crate::run) async fn call_next(
    db: &mut PgConnection,
    transmissions: &[TransmissionId],
    now: DateTime<Utc>,
) -> Result<()> {
    let steps = sqlx::query_scalar!(
        r#"
        select next.step as "step!: StepId"
          from (select key, count(*) as turns from contact_turn
                 where transmission = any($1) and not waits group by key) as ended
         cross join lateral (
                select step.id as step
                  from contact_turn
                  join step on step.id = contact_turn.step
                 where contact_turn.key = ended.key and contact_turn.waits
                   and step.state = 'ready' and step.due_at > $2 and step.reason ->> 'code' = $3
                 order by step.due_at
                 limit ended.turns
                   for update of step skip locked
               ) as next
        "#,
        transmissions as &[TransmissionId],
        now,
        BUSY,
    )
    .fetch_all(&mut *db)
    .await
    .context("looking for who is next at a contact")?;
    wait::wake(db, (Kind::Transmit, &steps), now).await
}

/// Forgets turns that ended, and waits of what waits no more.
pub(super) async fn forget(db: &mut PgConnection, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        r#"
        delete from contact_turn
         where (began_at is null or began_at <= $1)
           and not exists (select from transmission
                            where transmission.id = contact_turn.transmission
                              and transmission.state in ('queued', 'sending', 'accepted', 'uncertain'))
        "#,
        now - MINUTE,
    )
    .execute(db)
    .await
    .context("forgetting turns at contacts")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(at_once: usize, per_minute: usize) -> Share {
        let limits = Limits { at_once: NonZeroUsize::new(at_once), per_minute: NonZeroUsize::new(per_minute) };
        Share { key: "fax +13125550002".to_owned(), limits }
    }

    #[test]
    fn who_has_no_turn_is_told_when_to_look_again() {
        let now = DateTime::from_timestamp(1000, 0).unwrap();
        let oldest = DateTime::from_timestamp(970, 0);
        let refused = |share: Share, turns, begun| {
            let refusal = Used { turns, begun, oldest }.refusal(&share, TransmissionId(0), now);
            refusal.map(|(due, reason)| (due.timestamp(), reason.code))
        };
        assert_eq!(refused(share(1, 0), 0, 9), None);
        assert_eq!(refused(share(1, 0), 1, 1), Some((1030, BUSY.to_owned())));
        assert_eq!(refused(share(0, 3), 9, 2), None);
        assert_eq!(refused(share(0, 3), 0, 3), Some((1030, "contact-minute".to_owned())));
    }
}
