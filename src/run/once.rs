//! What a batch sends only once: recipients of its audience under a key of their own.
//!
//! The key is kept with each transmission. What was sent under it, or is on its way, in whatever run of the batch, keeps
//! later recipients with the same key from getting it again; what failed or was skipped does not. The memory is as long as
//! runs are kept.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result};
use sqlx::PgConnection;

use super::plan::{Planner, Recipient};
use crate::{
    contact::policy::Candidate,
    id::{RecipientId, RunId},
    reason::{Reason, Scope},
};

/// The key of one recipient, if its batch asks for one.
pub(super) type Key = Result<Option<String>, Reason>;

/// Longer keys do not fit into the book's index.
const LONGEST: usize = 500;

/// The keys of `recipients`.
pub(super) fn keys(planner: &Planner<'_>, recipients: &[(Recipient, Vec<Candidate>)]) -> Vec<Found> {
    recipients.iter().map(|(recipient, _)| Found(key(planner, recipient))).collect()
}

/// A key, or why there is none.
pub(super) struct Found(Key);

impl Found {
    /// The key.
    pub(super) fn key(self) -> Option<String> {
        self.0.ok().flatten()
    }
}

fn key(planner: &Planner<'_>, recipient: &Recipient) -> Key {
    let once = planner.batch.audience.as_ref().and_then(|audience| audience.once.as_deref());
    let Some(once) = once.filter(|_| recipient.position >= planner.listed) else { return Ok(None) };
    let mut context = planner.context.clone();
    context["recipient"] = recipient.context();
    let fault = |text: String| Reason::new(Scope::Contact, "bad-once", format!("its key cannot be told: {text}"));
    let key = planner.expressions.render_text(once, &context).map_err(|error| fault(error.text))?;
    match key.len() {
        0 => Err(fault("it is empty".to_owned())),
        1..=LONGEST => Ok(Some(key)),
        long => Err(fault(format!("it is {long} bytes long, and may be {LONGEST}"))),
    }
}

/// Why each of `recipients` gets nothing, if it is because of its key.
pub(super) async fn taken(
    db: &mut PgConnection,
    planner: &Planner<'_>,
    recipients: &[(Recipient, Vec<Candidate>)],
    keys: &[Found],
) -> Result<Vec<Option<Reason>>> {
    let asked: Vec<_> = keys.iter().filter_map(|found| found.0.as_ref().ok()?.clone()).collect();
    let sent = if asked.is_empty() { HashMap::new() } else { sent(db, planner, &asked).await? };
    let mut seen = HashSet::new();
    let stopped = recipients.iter().zip(keys).map(|((recipient, candidates), found)| match &found.0 {
        Err(reason) => Some(reason.clone()),
        Ok(None) => None,
        Ok(Some(key)) => {
            // What this very recipient has been given before is what is being written again.
            let before = sent.get(key).and_then(|sent| sent.iter().find(|(_, it)| *it != Some(recipient.id)));
            // Who cannot be sent to keeps nobody else from it.
            let here = candidates.iter().any(|one| one.contact.is_ok()) && !seen.insert(key.clone());
            before.map(|(run, _)| *run).or(here.then_some(planner.run)).map(|run| already(key, run, planner.run))
        }
    });
    Ok(stopped.collect())
}

fn already(key: &str, run: RunId, own: RunId) -> Reason {
    let place = if run == own { "to an earlier recipient of this run".to_owned() } else { format!("by run {run}") };
    Reason::new(Scope::Contact, "once", format!("sent once only, and `{key}` was sent {place}"))
}

/// Which run gave what is on its way or sent under each of `keys` to whom.
type Sent = HashMap<String, Vec<(RunId, Option<RecipientId>)>>;

async fn sent(db: &mut PgConnection, planner: &Planner<'_>, keys: &[String]) -> Result<Sent> {
    let rows = sqlx::query!(
        r#"
        select transmission.once as "key!", transmission.run as "run: RunId",
               transmission.recipient as "recipient: RecipientId"
          from transmission
          join run on run.id = transmission.run
         where transmission.once = any($1)
           and transmission.state in ('queued', 'sending', 'accepted', 'delivered', 'uncertain')
           and run.batch = $2
         order by transmission.id
        "#,
        keys,
        planner.batch.name,
    )
    .fetch_all(db)
    .await
    .context("asking what was sent before")?;
    let mut sent = Sent::new();
    for row in rows {
        sent.entry(row.key).or_default().push((row.run, row.recipient));
    }
    Ok(sent)
}

/// Half of the key of the lock under which a batch's keys are asked for and written.
const LOCK: i32 = 0x6f6e_6365;

/// Keeps other runs of the batch from asking for keys until the caller's transaction has written its own.
pub(super) async fn lock(db: &mut PgConnection, planner: &Planner<'_>) -> Result<()> {
    if planner.batch.audience.as_ref().is_none_or(|audience| audience.once.is_none()) {
        return Ok(());
    }
    sqlx::query!("select pg_advisory_xact_lock($1, hashtext($2))", LOCK, planner.batch.name)
        .execute(db)
        .await
        .context("waiting for another run of the batch")?;
    Ok(())
}
