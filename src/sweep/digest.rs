//! The digest goes out, once for each monitor and day.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    monitor::{
        digest::{
            self, Period, collect,
            entries::numbered,
            turn::{self, Turn},
        },
        people,
    },
    run::{
        CauseKind, Engine,
        letter::{Desk, Letter, Paper},
    },
};

/// Writes the digests that are due; one node at a time does, whichever comes first.
///
/// # Errors
/// When the database cannot be read or written.
pub async fn digest(engine: &Engine) -> Result<()> {
    let now = engine.clock.now();
    let mut db = engine.db.acquire().await.context("connecting to see whose digest is due")?;
    if due(engine, &mut db, now).await?.is_empty() {
        return Ok(());
    }
    drop(db);
    let desk = Desk::open(engine).await?;
    let mut db = engine.db.begin().await.context("beginning to write digests")?;
    if !collect::lock(&mut db).await? {
        return Ok(());
    }
    let upto = collect::collect(&mut db, now).await?;
    // Asked again, as another node may have written them meanwhile.
    for turn in due(engine, &mut db, now).await? {
        write(engine, &desk, &mut db, (&turn, upto), now).await?;
    }
    db.commit().await.context("writing digests")
}

async fn due(engine: &Engine, db: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<Turn>> {
    let monitors = people::monitors(db).await?;
    turn::due(db, monitors, &engine.settings.monitor, now).await
}

async fn write(
    engine: &Engine,
    desk: &Desk,
    db: &mut PgConnection,
    (turn, upto): (&Turn, i64),
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(to) = turn.monitor.reachable() else {
        tracing::warn!(monitor = turn.monitor.name, "a monitor has no address and gets no digest");
        return turn::taken(db, turn, (upto, None), now).await;
    };
    let from_at = turn.after.is_none().then_some(turn.from_at);
    let entries = numbered(db, (turn.after.unwrap_or_default(), upto), from_at).await?;
    let period = Period { date: turn.day, zone: turn.zone, from_at: turn.from_at, until_at: now, entries };
    let digest = digest::digest(db, &period).await?;
    let params = json!({ "digest": digest });
    let letter = Letter {
        kind: CauseKind::Schedule,
        cause: format!("digest {} {}", turn.monitor.name, turn.day),
        date: turn.day,
        to: &[to],
        message: desk.message(engine, (digest.subject(), "digest"), &params)?,
        paper: Paper { document: "digest", params, to_mails: engine.settings.monitor.pdf },
    };
    let run = desk.send(db, &letter, now).await?;
    turn::taken(db, turn, (upto, run), now).await
}
