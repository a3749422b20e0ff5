//! Steps that wait for their account: put off before an attempt, called when it works again.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Admission, step};
use crate::{
    id::{StepId, TransmissionId},
    queue::{self, Hint},
    run::claim::AGREEMENT,
    workflow::Kind,
};

/// Puts off the steps that were not admitted, in the order in which they asked. No attempt is made of it.
pub(super) async fn put_off(
    db: &mut PgConnection,
    (account, admission): (&str, &Admission),
    steps: &[StepId],
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
        with due as (
            select step.id, wanted.due_at
              from step
              join unnest($1::bigint[], $2::timestamptz[]) as wanted (id, due_at) on wanted.id = step.id
             where step.state = 'ready' and step.due_at <= $6
             order by step.id
               for update of step
        ), waiting as (
            update step
               set due_at = due.due_at, hinted_at = $5, reason = $4, changed_at = $5
              from due
             where step.id = due.id
            returning step.transmission, step.due_at
        )
        update transmission
           set next_at = waiting.due_at, reason = $4, account = $3, changed_at = $5
          from waiting
         where transmission.id = waiting.transmission and transmission.state = 'queued'
        "#,
        &steps.iter().map(|id| id.0).collect::<Vec<_>>(),
        &admission.due,
        account,
        serde_json::to_value(&admission.reason)?,
        now,
        now + AGREEMENT,
    )
    .execute(db)
    .await
    .with_context(|| format!("putting off what waits for the account {account}"))?;
    Ok(())
}

/// Calls those who wait for `account` to work again. Those who wait for its limits keep their turns.
pub(super) async fn call(db: &mut PgConnection, account: &str, now: DateTime<Utc>) -> Result<()> {
    let steps = sqlx::query_scalar!(
        r#"
        select step.id as "id: StepId"
          from step
          join transmission on transmission.id = step.transmission
         where step.state = 'ready' and step.due_at > $2
           and step.reason ->> 'scope' = 'account'
           and step.reason ->> 'code' not in ('account-busy', 'account-minute')
           and transmission.account = $1 and transmission.state = 'queued'
           for update of step skip locked
        "#,
        account,
        now,
    )
    .fetch_all(&mut *db)
    .await
    .with_context(|| format!("calling those who wait for the account {account}"))?;
    wake(db, (Kind::Transmit, &steps), now).await?;
    let steps = step::waiting(db, account, (false, i64::MAX), now).await?;
    wake(db, (Kind::Put, &steps), now).await
}

/// Calls the first of those who wait for one of the turns of `account`: one for each turn that is handed on, and as many
/// again while others of its `most` turns are free, because some of those who were called may not have come.
pub(super) async fn call_next(
    db: &mut PgConnection,
    account: &str,
    (turns, most): (i64, i64),
    now: DateTime<Utc>,
) -> Result<()> {
    let steps = step::waiting(db, account, (true, turns), now).await?;
    wake(db, (Kind::Put, &steps), now).await?;
    let turns = turns - i64::try_from(steps.len()).unwrap_or(turns);
    let steps = sqlx::query_scalar!(
        r#"
        select step.id as "id: StepId"
          from step
          join run on run.id = step.run and run.paused_at is null
          join transmission on transmission.id = step.transmission
         where step.state = 'ready' and step.due_at > $2 and step.reason ->> 'code' = 'account-busy'
           and transmission.account = $1 and transmission.state = 'queued'
         order by step.due_at
         limit $3::bigint + least($3, greatest(0, $4::bigint - $3 - (
                   select count(*) from account_turn
                     join transmission on transmission.id = account_turn.transmission
                    where account_turn.account = $1 and transmission.state = 'sending')
                 - (select count(*) from account_errand
                      join step on step.id = account_errand.step and step.state = 'running'
                     where account_errand.account = $1 and account_errand.admitted)))
           for update of step skip locked
        "#,
        account,
        now,
        turns,
        most,
    )
    .fetch_all(&mut *db)
    .await
    .with_context(|| format!("handing on a turn of the account {account}"))?;
    wake(db, (Kind::Transmit, &steps), now).await
}

/// Makes `steps` of this kind, which the caller has locked, due now.
pub(super) async fn wake(db: &mut PgConnection, (kind, steps): (Kind, &[StepId]), now: DateTime<Utc>) -> Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        with woken as (
            update step
               set due_at = $2, hinted_at = $2, changed_at = $2
             where id = any($1)
            returning transmission
        )
        update transmission set next_at = $2 from woken where transmission.id = woken.transmission
        "#,
        steps as &[StepId],
        now,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("waking {} steps that wait for their account", steps.len()))?;
    let hints: Vec<_> = steps.iter().map(|id| Hint { kind, id: *id }).collect();
    queue::push(db, &hints).await
}

/// Whether an attempt at `transmission` failed because of the account before.
pub(super) async fn failed_before(db: &mut PgConnection, transmission: TransmissionId) -> Result<bool> {
    sqlx::query_scalar!(
        r#"
        select exists (select from attempt
                        where transmission = $1 and outcome is not null
                          and reason ->> 'scope' = 'account') as "failed!"
        "#,
        transmission as TransmissionId,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("looking at the attempts at transmission {transmission}"))
}
