//! Numbers at which people answer a fax: twice is enough.
//!
//! Called in the transaction that records what came of an attempt, at once or by later word.

use anyhow::{Context, Result};
use chrono::{DateTime, Duration, Utc};
use sqlx::PgConnection;

use crate::{
    audit::Author,
    catalog::suppression::{self, Address, Kind},
    contact::Contact,
    id::TransmissionId,
    monitor::alarm::{self, Alarm},
    reason::Reason,
};

/// The code by which channels say that a person answered.
const CODE: &str = "human-answered";

/// How many people may be rung up before a number is left alone.
const ENOUGH: i64 = 2;

/// Within how long. Longer leaves numbers alone that were mended meanwhile.
const WITHIN: Duration = Duration::days(30);

/// Notes that an attempt came to `reason`. When people keep answering there, the number is suppressed and monitors are
/// told; whoever lifts that begins to count anew.
pub(in crate::run) async fn note(
    db: &mut PgConnection,
    (transmission, attempt): (TransmissionId, i32),
    reason: &Reason,
    now: DateTime<Utc>,
) -> Result<()> {
    if reason.code != CODE {
        return Ok(());
    }
    let row = sqlx::query!(
        r#"
        with noted as (
            insert into answered (transmission, attempt, channel, contact, at)
            select id, $2, channel, contact, $3 from transmission where id = $1
            on conflict on constraint answered_pkey do nothing
            returning channel, contact
        )
        select channel, contact,
               1 + (select count(*) from answered
                     where answered.channel = noted.channel and answered.contact = noted.contact
                       and answered.at > $4) as "times!"
          from noted
        "#,
        transmission as TransmissionId,
        attempt,
        now,
        now - WITHIN,
    )
    .fetch_optional(&mut *db)
    .await
    .with_context(|| format!("noting who answered transmission {transmission}"))?;
    let Some(row) = row.filter(|row| row.times >= ENOUGH) else { return Ok(()) };
    let Ok(contact) = Contact::parse(&row.channel, &row.contact) else { return Ok(()) };
    let why = format!("{} times a person answered within {} days: {}", row.times, WITHIN.num_days(), reason.text);
    let author = Author { name: "postbook".to_owned(), at: now };
    let address = Address::of(&row.channel, &contact, Kind::Answered, why.as_str());
    suppression::suppress(db, &author, address).await?;
    sqlx::query!("delete from answered where channel = $1 and contact = $2", row.channel, row.contact)
        .execute(&mut *db)
        .await
        .context("beginning to count anew who answers")?;
    let alarm = Alarm {
        kind: alarm::Kind::NumberAnswered,
        key: format!("{} {} {}", row.channel, row.contact, now.timestamp_micros()),
        batch: None,
        text: format!("nothing is sent any more to the {} number {}: {why}", row.channel, row.contact),
        detail: None,
        at: now,
        mailed: false,
    };
    alarm::raise(db, &[alarm], now).await.map(drop)
}

/// Forgets what was too long ago to count.
pub(super) async fn forget(db: &mut PgConnection, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!("delete from answered where at <= $1", now - WITHIN)
        .execute(db)
        .await
        .context("forgetting who answered")?;
    Ok(())
}
