//! What goes wrong is noticed, and monitors are told.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    id::RunId,
    monitor::{
        alarm::{self, Kind, Untold},
        notice::{Notice, notice},
        people::{self, MAIL, Reachable},
        watch,
    },
    run::{
        CauseKind, Engine,
        letter::{Desk, Letter, Paper},
    },
};

/// Raises alarms, and writes the letters about them; one node at a time does, whichever comes first.
///
/// # Errors
/// When the database cannot be read or written.
pub async fn alarm(engine: &Engine) -> Result<()> {
    let config = &engine.settings.monitor;
    let now = engine.clock.now();
    let mut db = engine.db.acquire().await.context("connecting to look for what did not happen")?;
    watch::watch(&mut db, config, now).await?;
    if !alarm::any_untold(&mut db).await? {
        return Ok(());
    }
    drop(db);
    let desk = Desk::open(engine).await?;
    let mut db = engine.db.begin().await.context("beginning to tell alarms")?;
    if !alarm::lock(&mut db).await? {
        return Ok(());
    }
    let mut kinds: BTreeMap<Kind, Vec<Untold>> = BTreeMap::new();
    for alarm in alarm::untold(&mut db, config.fold, now).await? {
        kinds.entry(alarm.kind).or_default().push(alarm);
    }
    let monitors = people::reachable(&people::monitors(&mut db).await?);
    for (kind, alarms) in kinds {
        tell(engine, &desk, &mut db, (kind, &alarms, &monitors), now).await?;
    }
    alarm::forget(&mut db, now).await?;
    db.commit().await.context("telling alarms")
}

/// Tells those who are told by mail what they do not know yet, and all others everything.
async fn tell(
    engine: &Engine,
    desk: &Desk,
    db: &mut PgConnection,
    (kind, alarms, monitors): (Kind, &[Untold], &[Reachable]),
    now: DateTime<Utc>,
) -> Result<()> {
    let (by_mail, otherwise): (Vec<_>, Vec<_>) = monitors.iter().cloned().partition(|it| it.channel == MAIL);
    let all: Vec<_> = alarms.iter().collect();
    let news: Vec<_> = alarms.iter().filter(|alarm| alarm.mailed_at.is_none()).collect();
    let letters = match news.len() == all.len() {
        true => vec![(monitors.to_vec(), all, "")],
        false => vec![(by_mail, news, " by mail"), (otherwise, all, "")],
    };
    let mut run = None;
    for (to, alarms, suffix) in letters {
        let Some(first) = alarms.first().filter(|_| !to.is_empty()) else { continue };
        let words = notice(kind, &alarms, engine.settings.monitor.zone);
        let cause = format!("{} {}{suffix}", kind.name(), first.id);
        run = run.or(send(engine, desk, db, (cause, &to, &words), now).await?);
    }
    let ids: Vec<_> = alarms.iter().map(|alarm| alarm.id).collect();
    if run.is_none() && monitors.is_empty() {
        tracing::warn!(kind = kind.name(), alarms = ids.len(), "nobody can be told; make a user a monitor");
    }
    alarm::told(db, &ids, run, now).await
}

async fn send(
    engine: &Engine,
    desk: &Desk,
    db: &mut PgConnection,
    (cause, to, words): (String, &[Reachable], &Notice),
    now: DateTime<Utc>,
) -> Result<Option<RunId>> {
    let message = desk.message(engine, (words.title.clone(), "notice"), &json!({ "notice": words }))?;
    let zone = engine.settings.monitor.zone;
    let paper = Paper { document: "notice", params: json!({ "notice": words }), to_mails: false };
    let date = now.with_timezone(&zone).date_naive();
    desk.send(db, &Letter { kind: CauseKind::Event, cause, date, to, message, paper }, now).await
}
