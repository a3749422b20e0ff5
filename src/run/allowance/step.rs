//! The rows of steps that put files: which account each asks for, and whether it has a turn there.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::health;
use crate::id::StepId;

/// Notes that `step` asks for `account`, whose row is locked from then on. It has no turn until it is given one.
pub(super) async fn enter(db: &mut PgConnection, account: &str, step: StepId) -> Result<()> {
    health::enter(db, account).await?;
    health::lock(db, account, true).await?;
    sqlx::query!(
        r#"
        insert into account_errand (step, account, admitted)
        values ($1, $2, false)
        on conflict on constraint account_errand_pkey do update set account = $2, admitted = false
        "#,
        step as StepId,
        account,
    )
    .execute(db)
    .await
    .with_context(|| format!("noting that step {step} asks for the account {account}"))?;
    Ok(())
}

/// Up to `most` steps that wait for `account`, the first one first, locked: those that want a turn, or those that wait
/// for it to work again.
pub(super) async fn waiting(
    db: &mut PgConnection,
    account: &str,
    (turn, most): (bool, i64),
    now: DateTime<Utc>,
) -> Result<Vec<StepId>> {
    sqlx::query_scalar!(
        r#"
        select step.id as "id: StepId"
          from account_errand
          join step on step.id = account_errand.step
          join run on run.id = step.run and (run.paused_at is null or not $3)
         where account_errand.account = $1 and step.state = 'ready' and step.due_at > $2
           and step.reason ->> 'scope' = 'account' and step.reason ->> 'code' <> 'account-minute'
           and (step.reason ->> 'code' = 'account-busy') = $3
         order by step.due_at
         limit $4
           for update of step skip locked
        "#,
        account,
        now,
        turn,
        most,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("looking for steps that wait for the account {account}"))
}

/// Forgets steps that are over.
pub(super) async fn forget(db: &mut PgConnection) -> Result<()> {
    sqlx::query!(
        r#"
        delete from account_errand
         where not exists (select from step where step.id = account_errand.step and step.state in ('ready', 'running'))
        "#,
    )
    .execute(db)
    .await
    .context("forgetting steps that put files")?;
    Ok(())
}
