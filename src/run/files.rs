//! The files of a run, and the evidence of a transmission, as archives that are written while they are read.
//!
//! Files come in the order of the batch's documents, each once, however many received it, then those that steps fetched;
//! `manifest.csv` says who.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Context, Result};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use futures::{Stream, StreamExt, stream};
use serde_json::json;
use sqlx::{PgExecutor, PgPool};

use super::{book, pickup, received, rendition};
use crate::{
    document::archive::{Content, Entry, ManifestRow, UniqueNames, archive, manifest_head, manifest_lines},
    document::store::Store,
    id::{ArtifactId, RunId, TransmissionId},
};

/// Lines of a manifest read at once.
const LINES: i64 = 1000;

/// All files of `run` and its `manifest.csv`.
///
/// # Errors
/// When the database cannot be read, or the run does not exist.
pub async fn zip(
    db: &PgPool,
    store: &Store,
    run: RunId,
) -> Result<impl Stream<Item = std::io::Result<Bytes>> + Send + use<>> {
    let zone = zone(db, run).await?;
    let mut names = UniqueNames::default();
    let manifest = names.claim("manifest.csv");
    let files = files(db, run).await?;
    let named: HashMap<_, _> = files.iter().map(|file| (file.id, names.claim(&file.file))).collect();
    let named = Arc::new(named);
    let entries: Vec<Result<Entry>> = files.into_iter().map(|file| entry(&file, &named, zone)).collect();
    let written = db_time(db).await?.with_timezone(&zone).naive_local();
    let manifest = Entry {
        name: manifest,
        modified: written,
        media_type: "text/csv".to_owned(),
        content: Content::Pieces(lines(db.clone(), run, zone, named).boxed()),
    };
    Ok(archive(store.clone(), stream::iter(entries).chain(stream::iter([Ok(manifest)]))))
}

/// When the files of `run` were thrown away because of their age, if that is so and none came since.
///
/// # Errors
/// When the database cannot be read.
pub async fn purged(db: impl PgExecutor<'_>, run: RunId) -> Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        "select max(purged_at) from artifact where run = $1 having count(*) = count(purged_at)",
        run as RunId,
    )
    .fetch_optional(db)
    .await
    .map(Option::flatten)
    .with_context(|| format!("asking whether the files of run {run} are purged"))
}

struct File {
    id: ArtifactId,
    file: String,
    media_type: String,
    digest: String,
    size: i64,
    created_at: DateTime<Utc>,
}

async fn zone(db: &PgPool, run: RunId) -> Result<Tz> {
    let zone = sqlx::query_scalar!(
        r#"
        select batch_revision.definition ->> 'zone' as "zone!"
          from run
          join batch_revision on batch_revision.id = run.revision
         where run.id = $1
        "#,
        run as RunId,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("reading the zone of run {run}"))?;
    zone.parse().with_context(|| format!("the zone of run {run}"))
}

/// The database's time: the manifest is as new as that.
async fn db_time(db: &PgPool) -> Result<DateTime<Utc>> {
    sqlx::query_scalar!(r#"select statement_timestamp() as "now!""#).fetch_one(db).await.context("asking for the time")
}

async fn files(db: &PgPool, run: RunId) -> Result<Vec<File>> {
    sqlx::query_as!(
        File,
        r#"
        select artifact.id as "id: ArtifactId", artifact.file, artifact.media_type, artifact.digest, artifact.size,
               artifact.created_at
          from artifact
          left join item on item.artifact = artifact.id
         where artifact.run = $1 and artifact.purged_at is null
           and (item.id is not null or artifact.step is not null)
         order by item.position nulls last, item.id, artifact.id
        "#,
        run as RunId,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading the files of run {run}"))
}

fn entry(file: &File, names: &HashMap<ArtifactId, String>, zone: Tz) -> Result<Entry> {
    Ok(Entry {
        name: names.get(&file.id).cloned().context("a file without a name")?,
        modified: file.created_at.with_timezone(&zone).naive_local(),
        media_type: file.media_type.clone(),
        content: Content::Blob { digest: file.digest.clone(), size: u64::try_from(file.size)? },
    })
}

/// The manifest, a piece at a time.
fn lines(
    db: PgPool,
    run: RunId,
    zone: Tz,
    names: Arc<HashMap<ArtifactId, String>>,
) -> impl Stream<Item = Result<Bytes>> + Send {
    let head = stream::once(async { manifest_head() });
    let rest = stream::try_unfold((0_i64, 0_i32), move |after| {
        let (db, names) = (db.clone(), names.clone());
        async move {
            let rows = rows(&db, run, after).await?;
            let Some(last) = rows.last().map(|row| (row.transmission.0, row.position)) else {
                return Ok(None);
            };
            let rows: Vec<_> = rows.into_iter().map(|row| row.told(&names, zone)).collect();
            Ok(Some((manifest_lines(&rows)?, last)))
        }
    });
    head.chain(rest)
}

struct Row {
    transmission: TransmissionId,
    position: i32,
    title: Option<String>,
    artifact: Option<ArtifactId>,
    digest: Option<String>,
    recipient: String,
    channel: String,
    contact: String,
    state: String,
    sent_at: Option<DateTime<Utc>>,
}

impl Row {
    fn told(self, names: &HashMap<ArtifactId, String>, zone: Tz) -> ManifestRow {
        ManifestRow {
            document: self.title.unwrap_or_default(),
            file: self.artifact.and_then(|id| names.get(&id).cloned()).unwrap_or_default(),
            recipient: self.recipient,
            channel: self.channel,
            contact: self.contact,
            state: self.state,
            sent_at: self.sent_at.map(|at| at.with_timezone(&zone)),
            digest: self.digest.unwrap_or_default(),
        }
    }
}

async fn rows(db: &PgPool, run: RunId, (transmission, position): (i64, i32)) -> Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        r#"
        select transmission.id as "transmission: TransmissionId",
               coalesce(transmission_item.position, 0) as "position!",
               document_revision.definition ->> 'title' as title,
               artifact.id as "artifact?: ArtifactId", artifact.digest as "digest?",
               transmission.recipient_name as recipient, transmission.channel, transmission.contact,
               transmission.state, transmission.sent_at
          from transmission
          left join transmission_item on transmission_item.transmission = transmission.id
          left join item on item.id = transmission_item.item
          left join document_revision on document_revision.id = item.revision
          left join artifact on artifact.id = item.artifact
         where transmission.run = $1 and transmission.purpose = 'document'
           and (transmission.id, coalesce(transmission_item.position, 0)) > ($2, $3)
         order by transmission.id, coalesce(transmission_item.position, 0)
         limit $4
        "#,
        run as RunId,
        transmission,
        position,
        LINES,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading the manifest of run {run}"))
}

/// What proves a transmission: the bytes, the pages that were faxed, and `evidence.json` with digests, attempts,
/// transcripts, and later words of the far side as they came.
///
/// # Errors
/// When the database cannot be read.
pub async fn evidence(
    db: &PgPool,
    store: &Store,
    transmission: book::Transmission,
) -> Result<impl Stream<Item = std::io::Result<Bytes>> + Send + use<>> {
    let zone = zone(db, transmission.run).await?;
    let attempts = book::attempts(db, transmission.id).await?;
    let receipts = received::receipts(db, transmission.id, true).await?;
    let pickup = pickup::shown(db, transmission.id).await?;
    let transmission = book::Transmission { receipts, ..transmission };
    let mut names = UniqueNames::default();
    let told = names.claim("evidence.json");
    let mut entries = Vec::new();
    for file in carried(db, transmission.id).await? {
        let named = HashMap::from([(file.id, names.claim(&file.file))]);
        entries.push(entry(&file, &named, zone)?);
    }
    if let Some(pages) = rendition::kept(db, transmission.id).await? {
        entries.push(Entry {
            name: names.claim("fax.tiff"),
            modified: pages.created_at.with_timezone(&zone).naive_local(),
            media_type: "image/tiff".to_owned(),
            content: Content::Blob { digest: pages.digest, size: u64::try_from(pages.size)? },
        });
    }
    let text =
        serde_json::to_vec_pretty(&json!({ "transmission": transmission, "attempts": attempts, "pickup": pickup }))?;
    entries.push(Entry {
        name: told,
        modified: db_time(db).await?.with_timezone(&zone).naive_local(),
        media_type: "application/json".to_owned(),
        content: Content::Bytes(text.into()),
    });
    Ok(archive(store.clone(), stream::iter(entries).map(Ok)))
}

async fn carried(db: &PgPool, transmission: TransmissionId) -> Result<Vec<File>> {
    sqlx::query_as!(
        File,
        r#"
        select artifact.id as "id: ArtifactId", artifact.file, artifact.media_type, artifact.digest, artifact.size,
               artifact.created_at
          from transmission_item
          join item on item.id = transmission_item.item
          join artifact on artifact.id = item.artifact
         where transmission_item.transmission = $1 and artifact.purged_at is null
         order by transmission_item.position
        "#,
        transmission as TransmissionId,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading the files of transmission {transmission}"))
}
