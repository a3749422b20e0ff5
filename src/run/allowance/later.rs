//! What later word about an attempt teaches about its account: the same as an outcome at once does.
//!
//! A fax server takes a fax and finds afterwards that it has no line; a service accepts what it then does not send,
//! because our account is closed. The account is paused by that as well, and works again when later word says so. A mail
//! that came back is another server's word about one recipient, and teaches nothing.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    Asker, health,
    learn::{Wait, learn_from},
    lesson::{Lesson, Said},
};
use crate::{
    channel::{Outcome, Standing},
    id::{RunId, TransmissionId},
    reason::Scope,
    run::Engine,
};

/// What was said later of an attempt.
#[derive(Debug)]
pub(in crate::run) struct Told<'a> {
    pub account: &'a str,
    pub run: RunId,
    pub transmission: TransmissionId,
    pub attempt: i32,
    pub outcome: &'a Outcome,
}

/// Locks `account` if `standing` may say something about it: before the run, the steps and the transmissions, as all do
/// who lock those as well.
pub(in crate::run) async fn brace(db: &mut PgConnection, account: &str, standing: &Standing) -> Result<()> {
    let fails = match standing {
        Standing::Failed(reason) | Standing::Deferred { reason, .. } => reason.scope == Scope::Account,
        Standing::Delivered(_) => false,
        Standing::Underway(_) | Standing::Unknown => return Ok(()),
    };
    if fails {
        health::enter(db, account).await?;
    }
    health::lock(db, account, fails).await.map(drop)
}

/// Learns from what was told. If it was the account that failed, the transmission waits, and has used up no try.
pub(in crate::run) async fn hear(
    engine: &Engine,
    db: &mut PgConnection,
    told: &Told<'_>,
    now: DateTime<Utc>,
) -> Result<Option<Wait>> {
    let row = sqlx::query!(
        r#"
        select started_at,
               exists (select from account where name = $3 and probe = $1 and paused_at is not null) as "probe!"
          from attempt
         where transmission = $1 and number = $2
        "#,
        told.transmission as TransmissionId,
        told.attempt,
        told.account,
    )
    .fetch_one(&mut *db)
    .await
    .with_context(|| format!("looking at what was told of transmission {}", told.transmission))?;
    let account = engine.channels.get(told.account);
    let for_anybody = told.outcome.reason().is_some_and(|it| account.is_some_and(|account| account.is_for_anybody(it)));
    let lesson = Lesson {
        account: told.account,
        run: told.run,
        asker: Asker::Transmission(told.transmission),
        began_at: row.started_at,
        probe: row.probe,
        outcome: told.outcome,
        for_anybody,
        said: Said::Later,
    };
    learn_from(engine, db, &lesson, now).await
}
