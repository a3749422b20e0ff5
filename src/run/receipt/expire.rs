//! Deadlines: no word came in time. What that means is said by the account: for mail, that it arrived; for a fax, that
//! somebody has to look. What is in doubt and cannot be asked about is left to a person.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::write::{self, Change, Place};
use crate::{
    channel::{Outcome, Proof},
    id::{RunId, TransmissionId},
    reason::{Reason, Scope},
    run::{
        Engine, Event, TransmissionState, log, record,
        turned_out::{self, Turn},
    },
};

/// Deadlines taken up in one go.
const CHUNK: i64 = 200;

/// A deadline that has passed.
struct Late {
    run: RunId,
    transmission: TransmissionId,
    attempt: i32,
    account: String,
    doubt: bool,
    silence: String,
    progress: Option<String>,
    since_at: DateTime<Utc>,
}

/// Settles what was waited for until now in vain, and says how many there were.
///
/// # Errors
/// When the database cannot be reached.
pub async fn expire(engine: &Engine) -> Result<usize> {
    let late = sqlx::query_as!(
        Late,
        r#"
        select run as "run: RunId", transmission as "transmission: TransmissionId", attempt, account, doubt, silence,
               progress, since_at
          from awaited
         where deadline_at <= $1
         order by deadline_at
         limit $2
        "#,
        engine.clock.now(),
        CHUNK,
    )
    .fetch_all(&engine.db)
    .await
    .context("looking for deadlines")?;
    let count = late.len();
    for late in late {
        let id = late.transmission;
        settle(engine, late).await.with_context(|| format!("settling transmission {id} without word"))?;
    }
    Ok(count)
}

async fn settle(engine: &Engine, late: Late) -> Result<()> {
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to settle without word")?;
    record::fence(&mut db, &BTreeSet::from([late.run])).await?;
    let place = write::lock(engine, &mut db, (late.run, late.transmission)).await?;
    if !take(&mut db, &late, now).await? {
        return Ok(());
    }
    if let Some(place) = place.filter(|place| place.attempts == late.attempt) {
        match place.state {
            TransmissionState::Accepted => silent(&mut db, &late, &place, now).await?,
            TransmissionState::Uncertain => hold(&mut db, &late, now).await?,
            _ => {}
        }
    }
    db.commit().await.context("settling without word")
}

/// Takes the row, unless somebody else has, or its deadline is another one by now.
async fn take(db: &mut PgConnection, late: &Late, now: DateTime<Utc>) -> Result<bool> {
    let taken = sqlx::query!(
        "delete from awaited where transmission = $1 and attempt = $2 and doubt = $3 and deadline_at <= $4",
        late.transmission as TransmissionId,
        late.attempt,
        late.doubt,
        now,
    )
    .execute(db)
    .await
    .context("taking up a deadline")?;
    Ok(taken.rows_affected() == 1)
}

/// What was accepted, and then nothing more was heard.
async fn silent(db: &mut PgConnection, late: &Late, place: &Place, now: DateTime<Utc>) -> Result<()> {
    let waited = words(now - late.since_at);
    let reason = || {
        let last = late.progress.as_ref().map_or_else(String::new, |progress| format!("; the last was: {progress}"));
        let text = format!("{} took it and gave no final word within {waited}{last}", late.account);
        Reason::new(Scope::Attempt, "no-word", text)
    };
    let (event, outcome) = match late.silence.as_str() {
        "delivered" => {
            let text = format!("it was accepted and did not come back within {waited}");
            (Event::Delivered, Outcome::Delivered(Proof { by: late.account.clone(), text }))
        }
        // That nobody fetched files is certain; what else was accepted may have arrived all the same.
        "failed" if is_fetched(db, late.transmission).await? => (Event::GivenUp, Outcome::Refused(reason())),
        "failed" => (Event::GivenUp, Outcome::Uncertain(reason())),
        _ => (Event::Lost, Outcome::Uncertain(reason())),
    };
    let state = place.state.after(event).context("what was accepted can be settled without word")?;
    write::change(db, place, &Change { attempt: late.attempt, state, outcome, again: None, counts: false }, now)
        .await?;
    if state != TransmissionState::Delivered {
        turned_out::turned_out(db, (late.run, late.transmission), Turn::Unconfirmed, now).await?;
    }
    record::mark(db, late.run, now).await
}

/// Whether a link went out for it.
async fn is_fetched(db: &mut PgConnection, transmission: TransmissionId) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from pickup where transmission = $1) as "exists!""#,
        transmission as TransmissionId,
    )
    .fetch_one(db)
    .await
    .context("asking whether files were to be fetched")
}

/// What is in doubt stays so, until a person settles it.
async fn hold(db: &mut PgConnection, late: &Late, now: DateTime<Utc>) -> Result<()> {
    let last = late.progress.as_deref().unwrap_or("it gave no answer that settles it");
    let waited = words(now - late.since_at);
    let text =
        format!("; {} was asked for {waited} what became of it: {last}. Somebody has to settle it", late.account);
    sqlx::query!(
        r#"
        update transmission
           set reason = jsonb_set(reason, '{text}', to_jsonb((reason ->> 'text') || $2::text)), changed_at = $3
         where id = $1 and state = 'uncertain'
        "#,
        late.transmission as TransmissionId,
        text,
        now,
    )
    .execute(&mut *db)
    .await
    .context("leaving a doubt to a person")?;
    let text = format!("transmission {} is left to a person to settle", late.transmission);
    log::write(db, late.run, now, ("held", text, json!({ "transmission": late.transmission }))).await?;
    turned_out::turned_out(db, (late.run, late.transmission), Turn::Unconfirmed, now).await?;
    record::mark(db, late.run, now).await
}

fn words(waited: chrono::Duration) -> String {
    match waited.num_minutes() {
        minutes @ 0..120 => format!("{minutes} minutes"),
        minutes @ 120..2880 => format!("{} hours", minutes / 60),
        minutes => format!("{} days", minutes / 1440),
    }
}
