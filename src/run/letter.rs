//! Letters: what Postbook itself has to say to monitors, as runs of a batch of its own.
//!
//! A letter brings its recipients and its words along, so there is nothing to expand: its run begins with rendering,
//! where somebody gets it on paper, or with transmitting. From there on it is a run like any other, with attempts, tries
//! and proof, and its cause makes it unique. Its workflow ends without notice: nobody is told of a letter that is not
//! delivered, but its run says so. Called by the sweeper.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::{CauseKind, Engine, RunState, current, frozen::Frozen, log};
use crate::{
    catalog::EntrySource,
    channel::Message,
    document::{Context, Files},
    id::{DocumentRevisionId, ItemId, RunId, StepId, TransmissionId},
    monitor::people::Reachable,
    queue::{self, Hint},
    workflow::Kind,
};

/// The batch whose runs are letters. Nobody can write a name with a dot in front.
pub const BATCH: &str = ".monitors";

/// What letters are written with: the words of the workflow, in its current version.
pub struct Desk(Frozen);

/// A letter that is ready to go.
#[derive(Debug)]
pub struct Letter<'a> {
    pub kind: CauseKind,
    /// Makes it unique.
    pub cause: String,
    /// The date it is about.
    pub date: NaiveDate,
    pub to: &'a [Reachable],
    pub message: Message,
    pub paper: Paper,
}

/// A letter as a document, for channels that take files, and for those who want it.
#[derive(Debug)]
pub struct Paper {
    /// The document's name.
    pub document: &'static str,
    /// What its template sees as `params`.
    pub params: Value,
    /// Whether it is attached to mails as well.
    pub to_mails: bool,
}

/// Channels whose words are read as they are.
const MAIL: &str = "email";
const TEXT: &str = "sms";

/// How long a page may take that somebody waits for.
const LONGEST: Duration = Duration::from_secs(60);

impl Desk {
    /// Looks the workflow up.
    ///
    /// # Errors
    /// When the database or the store cannot be read.
    pub async fn open(engine: &Engine) -> Result<Self> {
        let mut db = engine.db.acquire().await.context("connecting to write letters")?;
        let current = current::one(&mut db, BATCH).await?.context("the batch of letters is missing")?;
        drop(db);
        Ok(Self(current.frozen(engine, None, Map::new()).await?))
    }

    /// The workflow's files.
    pub fn files(&self) -> &Files {
        &self.0.files
    }

    /// The words under this subject: the workflow's templates of this name, in text and, when it is there, in HTML.
    ///
    /// # Errors
    /// When a template is missing or has a fault.
    pub fn message(&self, engine: &Engine, (subject, name): (String, &str), context: &Context) -> Result<Message> {
        let expressions = &engine.toolbox.expressions;
        let file = |ending: &str| {
            let bytes = self.0.files.get(&format!("templates/{name}.{ending}"));
            bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let text = file("txt").with_context(|| format!("the workflow of letters has no templates/{name}.txt"))?;
        let html = file("html").map(|html| expressions.render_html(&html, context)).transpose();
        Ok(Message {
            subject,
            text: expressions.render_text(&text, context).with_context(|| format!("templates/{name}.txt"))?,
            html: html.with_context(|| format!("templates/{name}.html"))?,
        })
    }

    /// A document of the workflow, as a PDF: its template sees `params`.
    ///
    /// # Errors
    /// When its template has a fault, and on faults of the renderer.
    pub async fn paper(&self, engine: &Engine, (name, date): (&str, NaiveDate), params: &Value) -> Result<Bytes> {
        let context = json!({ "business_date": date, "params": params });
        let template = format!("templates/{name}.typ");
        let renderer = &engine.toolbox.renderer;
        match renderer.render(&template, &self.0.files, &context, LONGEST).await? {
            Ok((bytes, _pages)) => Ok(bytes),
            Err(failure) => bail!("{template}: {}", failure.reason.text),
        }
    }

    /// Sends a letter, in the caller's transaction; nothing when its cause has sent one before.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn send(&self, db: &mut PgConnection, letter: &Letter<'_>, now: DateTime<Utc>) -> Result<Option<RunId>> {
        let Some(run) = self.insert(db, letter, now).await? else { return Ok(None) };
        let is = |to: &&Reachable, channel: &str| to.channel == channel;
        let (texts, others): (Vec<_>, Vec<_>) = letter.to.iter().partition(|to| is(to, TEXT));
        let (words, paper): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|to| is(to, MAIL) && !letter.paper.to_mails);
        let mut hints = Vec::new();
        if !paper.is_empty() {
            let document = self.document(db, letter.paper.document).await?;
            let item = item(db, run, document, letter).await?;
            let carried = transmissions(db, run, (&paper, &letter.message, 1), now).await?;
            link(db, item, &carried).await?;
            hints.push(self.step(db, run, (Kind::Render, Some(item), None), now).await?);
        }
        let mut plain = transmissions(db, run, (&words, &letter.message, 0), now).await?;
        plain.extend(transmissions(db, run, (&texts, &short(&letter.message), 0), now).await?);
        for transmission in plain {
            hints.push(self.step(db, run, (Kind::Transmit, None, Some(transmission)), now).await?);
        }
        hints.push(self.step(db, run, (Kind::Record, None, None), now).await?);
        let text = format!("{} monitors are told", letter.to.len());
        log::write(db, run, now, ("started", text, json!({ "by": null }))).await?;
        queue::push(db, &hints).await?;
        Ok(Some(run))
    }

    async fn insert(&self, db: &mut PgConnection, letter: &Letter<'_>, now: DateTime<Utc>) -> Result<Option<RunId>> {
        sqlx::query_scalar!(
            r#"
            insert into run (batch, revision, workflow_version, cause_kind, cause_key, business_date, run_as, attributes,
                             params, state, created_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, '{}', $9, $10)
            on conflict on constraint run_starts_once_per_cause do nothing
            returning id as "id: RunId"
            "#,
            BATCH,
            self.0.revision.0,
            self.0.files.digest(),
            letter.kind as CauseKind,
            letter.cause,
            letter.date,
            self.0.batch.run_as,
            self.0.user,
            RunState::Running as RunState,
            now,
        )
        .fetch_optional(db)
        .await
        .with_context(|| format!("starting the letter {}", letter.cause))
    }

    /// The revision of the batch's document of this name.
    async fn document(&self, db: &mut PgConnection, name: &str) -> Result<DocumentRevisionId> {
        let held = self.0.batch.documents.iter().filter_map(|entry| match &entry.source {
            EntrySource::Held(revision) => Some(revision.0),
            EntrySource::Document(_) => None,
        });
        sqlx::query_scalar!(
            r#"
            select id as "id: DocumentRevisionId"
              from document_revision
             where id = any($1) and definition ->> 'name' = $2
            "#,
            &held.collect::<Vec<_>>(),
            name,
        )
        .fetch_one(db)
        .await
        .with_context(|| format!("looking for the document {name} of letters"))
    }

    async fn step(
        &self,
        db: &mut PgConnection,
        run: RunId,
        (kind, item, transmission): (Kind, Option<ItemId>, Option<TransmissionId>),
        now: DateTime<Utc>,
    ) -> Result<Hint> {
        let name = self.0.step_of(kind).with_context(|| format!("the workflow of letters has no step `{kind}`"))?;
        let id = sqlx::query_scalar!(
            r#"
            insert into step (run, name, kind, item, transmission, state, due_at, hinted_at, created_at, changed_at)
            values ($1, $2, $3, $4, $5, 'ready', $6, $6, $6, $6)
            returning id as "id: StepId"
            "#,
            run as RunId,
            name,
            kind as Kind,
            item as Option<ItemId>,
            transmission as Option<TransmissionId>,
            now,
        )
        .fetch_one(db)
        .await
        .with_context(|| format!("adding a step to letter {run}"))?;
        Ok(Hint { kind, id })
    }
}

async fn item(db: &mut PgConnection, run: RunId, document: DocumentRevisionId, letter: &Letter<'_>) -> Result<ItemId> {
    sqlx::query_scalar!(
        r#"
        insert into item (run, key, position, name, revision, params)
        values ($1, '0', 0, $2, $3, $4)
        returning id as "id: ItemId"
        "#,
        run as RunId,
        letter.paper.document,
        document as DocumentRevisionId,
        letter.paper.params,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("writing the paper of letter {run}"))
}

/// What a text message says of it: all of a letter would be many parts of one, and be refused.
fn short(message: &Message) -> Message {
    Message { subject: message.subject.clone(), text: message.subject.clone(), html: None }
}

async fn transmissions(
    db: &mut PgConnection,
    run: RunId,
    (to, message, waiting): (&[&Reachable], &Message, i32),
    now: DateTime<Utc>,
) -> Result<Vec<TransmissionId>> {
    sqlx::query_scalar!(
        r#"
        insert into transmission (run, purpose, key, recipient_name, channel, contact, state, waiting, message,
                                  created_at, changed_at)
        select $1, 'document', 'monitor:' || name, title, channel, contact, 'queued', $6, $7, $8, $8
          from unnest($2::text[], $3::text[], $4::text[], $5::text[]) as monitor (name, title, channel, contact)
        returning id as "id: TransmissionId"
        "#,
        run as RunId,
        &to.iter().map(|it| it.name.clone()).collect::<Vec<_>>(),
        &to.iter().map(|it| it.title.clone()).collect::<Vec<_>>(),
        &to.iter().map(|it| it.channel.clone()).collect::<Vec<_>>(),
        &to.iter().map(|it| it.contact.clone()).collect::<Vec<_>>(),
        waiting,
        serde_json::to_value(message)?,
        now,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("addressing letter {run}"))
}

async fn link(db: &mut PgConnection, item: ItemId, transmissions: &[TransmissionId]) -> Result<()> {
    sqlx::query!(
        r#"
        insert into transmission_item (transmission, position, item)
        select id, 0, $2 from unnest($1::bigint[]) as carried (id)
        "#,
        transmissions as &[TransmissionId],
        item as ItemId,
    )
    .execute(db)
    .await
    .context("putting paper into a letter")?;
    Ok(())
}
