//! Limits: how many are sent at once, and how many in a minute, by all nodes together.
//!
//! Whoever has no turn waits until one ends, which calls the next. Whoever comes when the minute is full gets a place in
//! a line whose places are as far apart as the limit says, so that each comes back about when there is room for it.

use std::{num::NonZeroUsize, time::Duration};

use anyhow::{Context, Result};
use chrono::{DateTime, DurationRound, Utc};
use sqlx::PgConnection;

use super::{Admission, Asker, health::spread, wait};
use crate::{
    channel::account::Limits,
    reason::{Reason, Scope},
};

/// The minute that is looked at, in seconds: admissions are noted by the second, so a minute touches 61 of them.
const MINUTE: u32 = 61;

/// How long those without a turn wait when nobody calls them, at least; at most twice as long. Shorter looks in vain
/// more often, longer leaves turns unused after a node died.
const LOOK: Duration = Duration::from_secs(30);

/// The last place in the line. Further back means that a limit that was raised, or a run that was cancelled, shows later;
/// nearer means that very long lines are looked at more often.
const LINE: Duration = Duration::from_secs(10 * 60);

/// What an account sends at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Used {
    sending: usize,
    /// Begun in the last minute.
    admitted: usize,
}

/// How many more may go at once, and in this minute.
fn free(limits: Limits, used: Used) -> (usize, usize) {
    let left = |most: Option<NonZeroUsize>, used| most.map_or(usize::MAX, |it| it.get().saturating_sub(used));
    (left(limits.at_once, used.sending), left(limits.per_minute, used.admitted))
}

/// The line of those who wait for their minute.
#[derive(Debug, Clone, Copy)]
struct Line {
    /// Its last place so far.
    end: DateTime<Utc>,
    apart: Duration,
    limit: DateTime<Utc>,
}

impl Line {
    /// Begins where there is room again; after those who wait already, if there are any.
    fn new(per_minute: usize, (room_at, end): (DateTime<Utc>, Option<DateTime<Utc>>), now: DateTime<Utc>) -> Self {
        let apart = Duration::from_secs(u64::from(MINUTE)) / u32::try_from(per_minute).unwrap_or(u32::MAX).max(1);
        Self { end: end.map_or(room_at, |end| end.max(room_at)), apart, limit: now + LINE }
    }

    /// The next place.
    fn place(&mut self) -> DateTime<Utc> {
        let place = self.end.min(self.limit);
        self.end = (place + self.apart).min(self.limit);
        place
    }
}

/// Admits as many of `wanted` as the limits leave. The account's row is locked.
pub(super) async fn admit(
    db: &mut PgConnection,
    (account, limits): (&str, Limits),
    wanted: &[Asker],
    now: DateTime<Utc>,
) -> Result<Admission> {
    let second = now.duration_trunc(chrono::Duration::seconds(1)).context("cutting a time to its second")?;
    let seen = seen(db, account, second).await?;
    let (turns, minute) = free(limits, seen.used);
    let admitted = wanted.len().min(turns).min(minute);
    let mut admission = Admission::all(admitted);
    let mut line_at = seen.line_at;
    let waiting = &wanted[admitted..];
    if !waiting.is_empty() && minute <= turns {
        let per_minute = limits.per_minute.map_or(1, NonZeroUsize::get);
        // Nobody came for a minute: those who had a place are gone.
        let end = line_at.filter(|_| seen.used.admitted > 0);
        let mut line = Line::new(per_minute, (seen.oldest.unwrap_or(second) + chrono_seconds(MINUTE), end), now);
        admission.due = waiting.iter().map(|_| line.place()).collect();
        line_at = Some(line.end);
        let text = format!("the account {account} sends no more than {per_minute} a minute");
        admission.reason = Some(Reason::new(Scope::Account, "account-minute", text));
    } else if !waiting.is_empty() {
        admission.due = waiting.iter().map(|it| now + LOOK + spread(it.number(), LOOK)).collect();
        let most = limits.at_once.map_or(1, NonZeroUsize::get);
        let text = format!("the account {account} sends no more than {most} at once");
        admission.reason = Some(Reason::new(Scope::Account, "account-busy", text));
    }
    note(db, (account, limits), (&wanted[..admitted], line_at), second).await?;
    Ok(admission)
}

fn chrono_seconds(seconds: u32) -> chrono::Duration {
    chrono::Duration::seconds(i64::from(seconds))
}

struct Seen {
    used: Used,
    /// The first second of this minute in which something was admitted.
    oldest: Option<DateTime<Utc>>,
    line_at: Option<DateTime<Utc>>,
}

/// Ends the turns whose transmissions are no longer being sent, and counts the others, with those of steps that run.
async fn seen(db: &mut PgConnection, account: &str, second: DateTime<Utc>) -> Result<Seen> {
    let row = sqlx::query!(
        r#"
        with ended as (
            delete from account_turn
             where account = $1
               and not exists (select from transmission
                                where transmission.id = account_turn.transmission and transmission.state = 'sending')
            returning transmission
        ), past as (
            delete from account_second where account = $1 and second <= $2
        )
        select (select count(*) from account_turn where account = $1) - (select count(*) from ended)
               + (select count(*) from account_errand
                    join step on step.id = account_errand.step and step.state = 'running'
                   where account_errand.account = $1 and account_errand.admitted) as "sending!",
               coalesce(sum(admitted), 0) as "admitted!", min(second) as oldest,
               (select line_at from account where name = $1) as line_at
          from account_second
         where account = $1 and second > $2
        "#,
        account,
        second - chrono_seconds(MINUTE),
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("counting what the account {account} sends"))?;
    let used = Used {
        sending: usize::try_from(row.sending).unwrap_or_default(),
        admitted: usize::try_from(row.admitted).unwrap_or(usize::MAX),
    };
    Ok(Seen { used, oldest: row.oldest, line_at: row.line_at })
}

/// Notes what was admitted in this `second`, and how long the line is.
async fn note(
    db: &mut PgConnection,
    (account, limits): (&str, Limits),
    (admitted, line_at): (&[Asker], Option<DateTime<Utc>>),
    second: DateTime<Utc>,
) -> Result<()> {
    let (ids, steps): (Vec<_>, Vec<_>) = admitted.iter().map(|asker| asker.ids()).unzip();
    let ids: Vec<_> = ids.into_iter().flatten().map(|id| id.0).collect();
    let steps: Vec<_> = steps.into_iter().flatten().map(|id| id.0).collect();
    let turns: &[i64] = if limits.at_once.is_some() { &ids } else { &[] };
    let counted = if limits.per_minute.is_some() { admitted.len() } else { 0 };
    sqlx::query!(
        r#"
        with turn as (
            insert into account_turn (transmission, account)
            select distinct id, $1 from unnest($2::bigint[]) as admitted (id)
            on conflict on constraint account_turn_pkey do update set account = excluded.account
        ), stepped as (
            update account_errand set admitted = true where step = any($6)
        ), counted as (
            insert into account_second (account, second, admitted)
            select $1, $3, $4 where $4 > 0
            on conflict on constraint account_second_pkey
            do update set admitted = account_second.admitted + excluded.admitted
        )
        update account set line_at = $5 where name = $1 and line_at is distinct from $5
        "#,
        account,
        turns,
        second,
        i32::try_from(counted).unwrap_or(i32::MAX),
        line_at,
        &steps,
    )
    .execute(db)
    .await
    .with_context(|| format!("noting what the account {account} sends"))?;
    Ok(())
}

/// Hands on the turns that `account` has back from what has just come out, if it has turns at all.
pub(in crate::run) async fn hand_on(
    db: &mut PgConnection,
    (account, limits): (&str, Limits),
    turns: usize,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(most) = limits.at_once else { return Ok(()) };
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::from(i32::MAX));
    wait::call_next(db, account, (number(turns), number(most.get())), now).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn as_many_go_as_both_limits_leave() {
        let limits = |at_once, per_minute| Limits {
            at_once: NonZeroUsize::new(at_once),
            per_minute: NonZeroUsize::new(per_minute),
        };
        let used = |sending, admitted| Used { sending, admitted };
        for (limits, used, expected) in [
            (limits(10, 0), used(0, 0), (10, usize::MAX)),
            (limits(10, 0), used(7, 900), (3, usize::MAX)),
            (limits(10, 0), used(12, 0), (0, usize::MAX)),
            (limits(0, 600), used(99, 590), (usize::MAX, 10)),
            (limits(10, 600), used(9, 600), (1, 0)),
        ] {
            assert_eq!(free(limits, used), expected, "{limits:?} {used:?}");
        }
    }

    #[test]
    fn places_in_the_line_are_as_far_apart_as_the_limit_says() {
        let mut line = Line::new(61, (at(61), None), at(0));
        assert_eq!([line.place(), line.place(), line.place()], [at(61), at(62), at(63)]);
        let mut longer = Line::new(61, (at(61), Some(line.end)), at(2));
        assert_eq!([longer.place(), longer.place()], [at(64), at(65)]);
        let mut stale = Line::new(61, (at(200), Some(at(65))), at(190));
        assert_eq!(stale.place(), at(200));
    }

    #[test]
    fn the_line_does_not_grow_beyond_its_last_place() {
        let mut line = Line::new(1, (at(61), None), at(0));
        let places: Vec<_> = (0..20).map(|_| line.place()).collect();
        assert_eq!(places[19], at(600));
    }
}
