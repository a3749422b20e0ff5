//! Step 5: the monitors are told what failed.
//!
//! Each notice is a transmission of the run like any other, with its own attempts and its own proof, but it counts
//! neither as sent nor as failed. Its key holds the monitor and how often the run has ended, so that a second go writes
//! nothing new: one notice for each monitor and end. Monitors who are not told by mail get a letter instead, which the
//! sweeper writes.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::{
    Engine, StepState,
    claim::claim,
    frozen::{self, Frozen},
    log,
};
use crate::{
    channel::Message,
    id::{RunId, StepId, TransmissionId},
    monitor::{
        alarm::{self, Alarm},
        alert,
        people::{self, Reachable},
    },
    queue::{self, Hint},
    workflow::{Kind, Node},
};

/// Writes the notices of a run that has ended, unless another worker does. In a storm of failures they are left to the
/// sweeper, who tells them together.
pub(super) async fn notify(engine: &Engine, step: StepId) -> Result<()> {
    let Some(claim) = claim(engine, step).await? else {
        return Ok(());
    };
    let frozen = frozen::of(engine, claim.run).await?;
    let node = frozen.workflow.node(&claim.name).context("the step is not in its workflow")?;
    let message = words(engine, &frozen, node).await?;
    let now = engine.clock.now();
    let mut db = engine.db.begin().await.context("beginning to notify")?;
    if !claim.end(&mut db, StepState::Done, None, now).await? {
        return Ok(());
    }
    let key = closing(&mut db, claim.run).await?;
    let monitor = &engine.settings.monitor;
    let storm = alarm::mailed_since(&mut db, now - monitor.fold).await? >= i64::from(monitor.storm);
    let news = News { kind: alarm::Kind::Failed, key: format!("{} {key}", claim.run), message, mail: !storm };
    let Told { notices, unreachable } = tell(&mut db, &frozen, (&key, &news), now).await?;
    let text = match storm {
        true => "monitors are told together with others that failed".to_owned(),
        false => format!("{notices} monitors told by mail, {unreachable} without an address"),
    };
    log::write(&mut db, claim.run, now, ("notified", text, json!({ "notices": notices }))).await?;
    db.commit().await.context("notifying")
}

/// How often the run has ended, which tells its notices apart.
async fn closing(db: &mut PgConnection, run: RunId) -> Result<String> {
    let closings = sqlx::query_scalar!("select closings from run where id = $1", run as RunId)
        .fetch_one(db)
        .await
        .with_context(|| format!("asking how often run {run} has ended"))?;
    Ok(closings.to_string())
}

/// What monitors are told about a run.
pub(super) struct News {
    pub kind: alarm::Kind,
    /// Makes it unique among its kind.
    pub key: String,
    pub message: Message,
    /// Whether those who are told by mail are told now, by a notice of the run.
    pub mail: bool,
}

/// Who was told.
pub(super) struct Told {
    pub notices: usize,
    /// Monitors without an address.
    pub unreachable: usize,
}

/// Writes a notice to each monitor who is told by mail, in the caller's transaction, once for each `key`; and raises an
/// alarm for the others.
pub(super) async fn tell(
    db: &mut PgConnection,
    frozen: &Frozen,
    (key, news): (&str, &News),
    now: DateTime<Utc>,
) -> Result<Told> {
    let transmit = frozen.step_of(Kind::Transmit).context("a workflow without a step that transmits")?;
    let monitors = people::monitors(db).await?;
    let unreachable = monitors.iter().filter(|monitor| monitor.contact.is_none()).count();
    let mut mailed = people::reachable(&monitors);
    mailed.retain(|monitor| news.mail && monitor.channel == people::MAIL);
    let fresh = notices(db, frozen.run, (key, &news.message, &mailed), now).await?;
    let hints = steps(db, frozen.run, transmit, &fresh, now).await?;
    queue::push(db, &hints).await?;
    let alarm = Alarm {
        kind: news.kind,
        key: news.key.clone(),
        batch: Some(frozen.batch.name.clone()),
        text: format!("{} (run {})", news.message.subject, frozen.run),
        detail: Some(news.message.text.clone()),
        at: now,
        mailed: news.mail,
    };
    alarm::raise(db, &[alarm], now).await?;
    Ok(Told { notices: hints.len(), unreachable })
}

/// The notice's words, from the workflow's own template.
async fn words(engine: &Engine, frozen: &Frozen, node: &Node) -> Result<Message> {
    let notice = node.notice.as_ref().context("a step that notifies has no words")?;
    let template = frozen.files.get(&notice.text).context("the notice's template is not in its workflow")?;
    let mut db = engine.db.acquire().await.context("connecting to write a notice")?;
    let mut context = frozen.context();
    alert::describe(&mut db, frozen.run, &mut context).await?;
    let expressions = &engine.toolbox.expressions;
    Ok(Message {
        subject: expressions.render_text(&notice.subject, &context).context("the subject of a notice")?,
        text: expressions.render_text(&String::from_utf8_lossy(template), &context).context("the text of a notice")?,
        html: None,
    })
}

async fn notices(
    db: &mut PgConnection,
    run: RunId,
    (key, message, monitors): (&str, &Message, &[Reachable]),
    now: DateTime<Utc>,
) -> Result<Vec<TransmissionId>> {
    sqlx::query_scalar!(
        r#"
        insert into transmission (run, purpose, key, recipient_name, channel, contact, state, waiting, message,
                                  created_at, changed_at)
        select $1, 'notice', 'notice:' || $7::text || ':' || name, title, channel, contact, 'queued', 0, $5, $6, $6
          from unnest($2::text[], $3::text[], $4::text[], $8::text[]) as monitor (name, title, contact, channel)
        on conflict on constraint transmission_key_is_unique_in_its_run do nothing
        returning id as "id: TransmissionId"
        "#,
        run as RunId,
        &monitors.iter().map(|monitor| monitor.name.clone()).collect::<Vec<_>>(),
        &monitors.iter().map(|monitor| monitor.title.clone()).collect::<Vec<_>>(),
        &monitors.iter().map(|monitor| monitor.contact.clone()).collect::<Vec<_>>(),
        serde_json::to_value(message)?,
        now,
        key,
        &monitors.iter().map(|monitor| monitor.channel.clone()).collect::<Vec<_>>(),
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("writing the notices of run {run}"))
}

/// One step for each of `transmissions`.
pub(super) async fn steps(
    db: &mut PgConnection,
    run: RunId,
    name: &str,
    transmissions: &[TransmissionId],
    now: DateTime<Utc>,
) -> Result<Vec<Hint>> {
    let steps = sqlx::query_scalar!(
        r#"
        insert into step (run, name, kind, transmission, state, due_at, hinted_at, created_at, changed_at)
        select $1, $2, 'transmit', id, 'ready', $4, $4, $4, $4
          from unnest($3::bigint[]) as fresh (id)
        on conflict (run, name, coalesce(item, 0), coalesce(transmission, 0))
        do update set state = 'ready', due_at = $4, hinted_at = $4, tries = 0, deaths = 0, changed_at = $4
           where step.state in ('done', 'failed', 'skipped')
        returning id as "id: StepId"
        "#,
        run as RunId,
        name,
        &transmissions.iter().map(|id| id.0).collect::<Vec<_>>(),
        now,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("adding steps to run {run}"))?;
    Ok(steps.into_iter().map(|id| Hint { kind: Kind::Transmit, id }).collect())
}
