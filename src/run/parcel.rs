//! What one attempt takes to its contact: the words and the files, from frozen inputs only.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{
    Engine,
    allowance::{self, Permission, Wait},
    claim::AGREEMENT,
    frozen::{self, Frozen},
    link::{self, Link},
    plan::{Recipient, RecipientColumns},
    rendition::{self, Rendition},
    together::Wish,
};
use crate::{
    catalog::suppression::Kind,
    channel::{File, Form, Message, Parcel, Turn, account::Account},
    document::Context,
    id::{DocumentRevisionId, RecipientId, RunId, StepId, TransmissionId},
    reason::{Reason, Scope},
};

/// A parcel and the account it leaves by; or why it does not leave.
pub(super) type Loaded<'a> = Result<Ready<'a>, Unready<'a>>;

/// Why a parcel does not leave.
pub(super) enum Unready<'a> {
    /// It cannot.
    Never(Reason),
    /// Its account sends again later.
    Until(&'a Account, Wait),
}

pub(super) struct Ready<'a> {
    pub account: &'a Account,
    pub turn: Turn<'a>,
    pub parcel: Parcel,
    pub frozen: Arc<Frozen>,
    /// What goes out instead of the files.
    pub link: Option<Link>,
}

/// The wish to know what a step would transmit.
pub(super) struct Wanted(pub StepId);

/// What the book says about it.
pub(super) struct Found {
    pub run: RunId,
    pub transmission: TransmissionId,
    channel: String,
    contact: String,
    recipient_name: String,
    attempts: i32,
    /// The last attempt that the far side took and did not bring to a good end, or 0.
    taken: i32,
    message: Option<Value>,
    created_at: DateTime<Utc>,
    suppressed: Option<Kind>,
    /// Its files were found too large, with this code.
    too_large: Option<String>,
    recipient: Option<Recipient>,
    /// In their order.
    files: Vec<Carried>,
}

/// One file of a transmission.
struct Carried {
    file: String,
    media_type: String,
    digest: String,
    item: String,
    revision: DocumentRevisionId,
}

impl Wish for Wanted {
    /// Nothing when the step is not there to be done.
    type Answer = Option<Found>;

    async fn grant(engine: &Engine, wishes: &[Self]) -> Result<Vec<Option<Found>>> {
        let steps: Vec<_> = wishes.iter().map(|wanted| wanted.0).collect();
        let mut db = engine.db.acquire().await.context("connecting to load transmissions")?;
        let mut found = rows(&mut db, &steps, Some(engine.clock.now() + AGREEMENT)).await?;
        files(&mut db, &mut found).await?;
        Ok(steps.iter().map(|step| found.remove(step)).collect())
    }
}

/// What `transmission` takes along whatever has become of it; nothing when that is not rendered yet.
pub(super) async fn look(engine: &Engine, (run, transmission): (RunId, TransmissionId)) -> Result<Option<Found>> {
    let mut db = engine.db.acquire().await.context("connecting to look at a transmission")?;
    let step = sqlx::query_scalar!(
        r#"select max(id) as "id: StepId" from step where run = $1 and transmission = $2"#,
        run as RunId,
        transmission as TransmissionId,
    )
    .fetch_one(&mut *db)
    .await
    .with_context(|| format!("looking for the step of transmission {transmission}"))?;
    let Some(step) = step else { return Ok(None) };
    let mut found = rows(&mut db, &[step], None).await?;
    files(&mut db, &mut found).await?;
    Ok(found.remove(&step))
}

/// The transmissions of `steps`; those that are due by `now`, or all.
async fn rows(db: &mut PgConnection, steps: &[StepId], now: Option<DateTime<Utc>>) -> Result<HashMap<StepId, Found>> {
    let rows = sqlx::query!(
        r#"
        select step.id as "step: StepId", transmission.run as "run: RunId",
               transmission.id as "transmission: TransmissionId",
               transmission.channel, transmission.contact, transmission.recipient_name, transmission.attempts,
               coalesce((select max(number) from attempt
                          where attempt.transmission = transmission.id and num_nonnulls(reference, proof) > 0
                            and outcome not in ('accepted', 'delivered')), 0)
                   as "taken!",
               transmission.message, transmission.created_at,
               case when not transmission.despite_suppression
                    then suppressed_as(transmission.channel, transmission.contact) end as "suppressed: Kind",
               (select coalesce(transmission.reason ->> 'code', 'too large')
                  from pickup where pickup.transmission = transmission.id) as too_large,
               recipient.id as "id?: RecipientId", recipient.position as "position?",
               recipient.contacts as "contacts?", recipient.params as "params?"
          from step
          join transmission on transmission.id = step.transmission
          left join recipient on recipient.id = transmission.recipient
         where step.id = any($1) and (($2::timestamptz) is null or (step.state = 'ready' and step.due_at <= $2))
        "#,
        steps as &[StepId],
        now as Option<DateTime<Utc>>,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading the transmissions of {} steps", steps.len()))?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in rows {
        let columns = RecipientColumns {
            id: row.id,
            position: row.position,
            name: Some(row.recipient_name.clone()),
            contacts: row.contacts,
            params: row.params,
        };
        let recipient = columns.read()?;
        let one = Found {
            run: row.run,
            transmission: row.transmission,
            channel: row.channel,
            contact: row.contact,
            recipient_name: row.recipient_name,
            attempts: row.attempts,
            taken: row.taken,
            message: row.message,
            created_at: row.created_at,
            suppressed: row.suppressed,
            too_large: row.too_large,
            recipient,
            files: Vec::new(),
        };
        found.insert(row.step, one);
    }
    Ok(found)
}

/// Adds the files to what was found.
async fn files(db: &mut PgConnection, found: &mut HashMap<StepId, Found>) -> Result<()> {
    let ids: Vec<_> = found.values().map(|found| found.transmission.0).collect();
    let rows = sqlx::query!(
        r#"
        select transmission_item.transmission as "transmission: TransmissionId", artifact.file, artifact.media_type,
               artifact.digest, item.name, item.revision as "revision: DocumentRevisionId"
          from transmission_item
          join item on item.id = transmission_item.item
          join artifact on artifact.id = item.artifact
         where transmission_item.transmission = any($1)
         order by transmission_item.transmission, transmission_item.position
        "#,
        &ids,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading the files of {} transmissions", ids.len()))?;
    let mut carried: HashMap<TransmissionId, Vec<Carried>> = HashMap::new();
    for row in rows {
        let (file, media_type, digest) = (row.file, row.media_type, row.digest);
        let one = Carried { file, media_type, digest, item: row.name, revision: row.revision };
        carried.entry(row.transmission).or_default().push(one);
    }
    for found in found.values_mut() {
        found.files = carried.remove(&found.transmission).unwrap_or_default();
    }
    Ok(())
}

/// Packs what was found, with its words and its bytes.
pub(super) async fn pack(engine: &Engine, found: Found) -> Result<Loaded<'_>> {
    let frozen = frozen::of(engine, found.run).await?;
    if let Some(kind) = found.suppressed {
        return Ok(Err(Unready::Never(kind.reason(&found.contact))));
    }
    let Some(account) = frozen.account(engine, &found.channel) else {
        let text = format!("no account for the channel {} is configured here", found.channel);
        return Ok(Err(Unready::Never(Reason::new(Scope::Account, "no-account", text))));
    };
    // Who is to be told of trouble is told whatever the hour.
    if found.message.is_none() {
        let doors = allowance::doors((&frozen.batch, account), found.recipient.as_ref(), &found.contact);
        match allowance::may(&doors, found.transmission.0, engine.clock.now()) {
            Permission::Now => {}
            Permission::Later(wait) => return Ok(Err(Unready::Until(account, wait))),
            Permission::Never(reason) => return Ok(Err(Unready::Never(reason))),
        }
    }
    let account = if found.message.is_some() { allowance::for_notice(engine, account).await? } else { account };
    let message = match message(engine, &frozen, &found).await? {
        Ok(message) => message,
        Err(reason) => return Ok(Err(Unready::Never(reason))),
    };
    let pages = match pages(engine, &frozen, (&found, &message), account.form()).await? {
        Ok(pages) => pages,
        Err(reason) => return Ok(Err(Unready::Never(reason))),
    };
    let turn = account.turn().await;
    let files = match pages {
        Some(pages) => vec![pages.file(engine, found.transmission).await?],
        None => contents(engine, &found.files).await?,
    };
    let parcel = Parcel {
        key: key(found.run, found.transmission, found.created_at),
        attempt: found.attempts + 1,
        series: found.taken + 1,
        recipient: found.recipient_name,
        contact: found.contact,
        message,
        files,
        created_at: found.created_at,
    };
    match link::of(engine, &frozen, account, (&parcel, found.too_large.as_deref())) {
        Ok(link) => Ok(Ok(Ready { account, turn, parcel, frozen, link })),
        Err(reason) => Ok(Err(Unready::Never(reason))),
    }
}

/// What the far side knows a transmission by, at every attempt: it names the row, and nobody guesses the rest.
pub(super) fn key(run: RunId, transmission: TransmissionId, created_at: DateTime<Utc>) -> String {
    format!("{run}-{transmission}-{:x}", created_at.timestamp_micros())
}

/// The transmission that `key` names, if it is one of ours; whether it is that one's key is seen when it is made again.
pub(super) fn keyed(key: &str) -> Option<TransmissionId> {
    key.split('-').nth(1)?.parse().ok()
}

/// The words of a notice, or the batch's for this recipient; or why there are none.
async fn message(engine: &Engine, frozen: &Frozen, found: &Found) -> Result<Result<Message, Reason>> {
    if let Some(message) = &found.message {
        return serde_json::from_value(message.clone()).map(Ok).context("reading the words of a notice");
    }
    let documents = documents(engine, &found.files).await?;
    let recipient = found.recipient.as_ref().map(Recipient::context);
    Ok(words(engine, frozen, recipient, documents))
}

/// The pages that the files become, where the account wants pages; or why they cannot.
async fn pages(
    engine: &Engine,
    frozen: &Frozen,
    (found, message): (&Found, &Message),
    form: Form,
) -> Result<Result<Option<Rendition>, Reason>> {
    let Form::FaxPages(resolution) = form else { return Ok(Ok(None)) };
    let source = rendition::Source {
        transmission: found.transmission,
        resolution,
        files: found.files.iter().map(|carried| (carried.file.clone(), carried.digest.clone())).collect(),
        message,
        recipient: &found.recipient_name,
        contact: &found.contact,
        created_at: found.created_at,
    };
    Ok(rendition::of(engine, frozen, &source).await?.map(Some))
}

/// The pages that go out, if pages do; or why the files cannot become any.
pub(super) async fn pages_of(
    engine: &Engine,
    frozen: &Frozen,
    found: &Found,
) -> Result<Result<Option<Rendition>, Reason>> {
    let Some(account) = frozen.account(engine, &found.channel) else { return Ok(Ok(None)) };
    match message(engine, frozen, found).await? {
        Ok(message) => pages(engine, frozen, (found, &message), account.form()).await,
        Err(reason) => Ok(Err(reason)),
    }
}

/// The files with their bytes.
async fn contents(engine: &Engine, carried: &[Carried]) -> Result<Vec<File>> {
    let mut files = Vec::with_capacity(carried.len());
    for Carried { file, media_type, digest, .. } in carried {
        let bytes = engine.toolbox.store.get(digest).await?;
        files.push(File { name: file.clone(), media_type: media_type.clone(), bytes });
    }
    Ok(files)
}

/// What the message may say of the documents.
async fn documents(engine: &Engine, carried: &[Carried]) -> Result<Vec<Value>> {
    let mut documents = Vec::with_capacity(carried.len());
    for Carried { file, item, revision, .. } in carried {
        let document = frozen::document(engine, *revision).await?;
        documents.push(json!({ "name": item, "title": document.title, "file": file }));
    }
    Ok(documents)
}

/// The batch's message for this recipient; or why there is none.
pub(super) fn words(
    engine: &Engine,
    frozen: &Frozen,
    recipient: Option<Value>,
    documents: Vec<Value>,
) -> Result<Message, Reason> {
    let mut context = frozen.context();
    context["document"] = documents.first().cloned().unwrap_or(Value::Null);
    context["documents"] = Value::Array(documents);
    if let Some(recipient) = recipient {
        context["recipient"] = recipient;
    }
    written(engine, frozen, &context).map_err(|error| Reason::new(Scope::Document, "message", format!("{error:#}")))
}

fn written(engine: &Engine, frozen: &Frozen, context: &Context) -> Result<Message> {
    let message = &frozen.batch.message;
    let expressions = &engine.toolbox.expressions;
    Ok(Message {
        subject: expressions.render_text(&message.subject, context).context("the subject")?,
        text: expressions.render_text(&message.text, context).context("the text")?,
        html: match &message.html {
            Some(html) => Some(expressions.render_html(html, context).context("the HTML text")?),
            None => None,
        },
    })
}
