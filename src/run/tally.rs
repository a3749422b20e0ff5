//! How much there is to do at present, in numbers for whoever watches over an installation. Only reads, and only
//! what small indexes hold, because it is asked for every few seconds.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::letter;

/// What is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Runs that have not ended, by state; those with none, too.
    pub open_runs: Vec<(String, i64)>,
    /// Steps that could be worked on now.
    pub due_steps: i64,
    /// How long the one that waits longest has been due.
    pub late_seconds: i64,
    /// Transmissions that may or may not have arrived.
    pub uncertain: i64,
    /// Transmissions that hold their runs open until the far side says what became of them.
    pub awaited: i64,
    /// Words of far sides that are not applied.
    pub receipts_due: i64,
    /// What monitors were to be told and did not get.
    pub undelivered_notices: i64,
    /// Monitors without an address on the channel they are told by.
    pub unreachable_monitors: i64,
    /// Accounts that nothing is sent by.
    pub paused_accounts: Vec<String>,
    /// Whether all sending is paused.
    pub sending_paused: bool,
}

/// Counts what is open at `now`.
///
/// # Errors
/// When the database cannot be read.
pub async fn tally(db: &PgPool, now: DateTime<Utc>) -> Result<Tally> {
    let runs = sqlx::query!(
        r#"
        select known.state as "state!", count(run.id) as "count!"
          from unnest(array['held', 'expanding', 'running']) as known (state)
          left join run on run.state = known.state and run.ended_at is null
         group by known.state
         order by known.state
        "#,
    )
    .fetch_all(db)
    .await
    .context("counting open runs")?;
    let open = sqlx::query!(
        r#"
        select count(*) as "due!", min(due_at) as oldest,
               (select count(*) from transmission
                 where troubled and state = 'uncertain') as "uncertain!",
               (select count(*) from awaited where holds) as "awaited!",
               (select count(*) from receipt where due_at is not null) as "receipts_due!",
               exists (select from installation where paused_at is not null) as "sending_paused!",
               (select count(*) from transmission where troubled and purpose = 'notice')
                   + (select coalesce(sum(failed + uncertain), 0) from run where batch = $2) as "undelivered!",
               (select count(*) from "user"
                 where monitor and enabled and contacts ->> monitor_channel is null) as "unreachable!"
          from step
         where ready and due_at <= $1
        "#,
        now,
        letter::BATCH,
    )
    .fetch_one(db)
    .await
    .context("counting what is due")?;
    let paused_accounts = sqlx::query_scalar!("select name from account where paused_at is not null order by name")
        .fetch_all(db)
        .await
        .context("reading which accounts are paused")?;
    Ok(Tally {
        open_runs: runs.into_iter().map(|row| (row.state, row.count)).collect(),
        due_steps: open.due,
        late_seconds: open.oldest.map_or(0, |oldest| (now - oldest).num_seconds()),
        uncertain: open.uncertain,
        awaited: open.awaited,
        receipts_due: open.receipts_due,
        undelivered_notices: open.undelivered,
        unreachable_monitors: open.unreachable,
        paused_accounts,
        sending_paused: open.sending_paused,
    })
}
