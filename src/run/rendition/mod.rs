//! What a transmission's files become where the way out wants another form than they have: the pages of a fax.
//!
//! Made before an attempt is opened and kept, so that every attempt sends the same bytes and the evidence holds what was
//! sent. What many get alike is made once. Called by who packs parcels and by those who want to see the pages.

mod cover;
mod row;

use anyhow::{Result, bail};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::json;

use super::{Engine, frozen::Frozen};
use crate::{
    channel::{File, Message, Resolution},
    document::{
        Files,
        fax::Cover,
        renderer::{Faxed, Originals},
        store,
    },
    id::TransmissionId,
    reason::Reason,
};

pub(super) use row::{Rendition, delete, forget, kept};

/// What a rendition is made of: nothing but what never changes.
pub(super) struct Source<'a> {
    pub transmission: TransmissionId,
    pub resolution: Resolution,
    /// Name and digest of each file, in their order.
    pub files: Vec<(String, String)>,
    pub message: &'a Message,
    /// Who gets it, and where.
    pub recipient: &'a str,
    pub contact: &'a str,
    pub created_at: DateTime<Utc>,
}

/// The pages of a transmission, made now if they were not before; or why its files cannot become pages.
pub(super) async fn of(engine: &Engine, frozen: &Frozen, source: &Source<'_>) -> Result<Result<Rendition, Reason>> {
    if let Some(kept) = kept(&engine.db, source.transmission).await? {
        return Ok(Ok(kept));
    }
    let cover = cover::of(frozen, source);
    let key = key(source, cover.as_ref());
    let now = engine.clock.now();
    if let Some(alike) = row::alike(&engine.db, &key).await?
        && engine.toolbox.store.touch(&alike.digest, now).await?
    {
        return row::keep(&engine.db, (source.transmission, &key), &alike, now).await.map(Ok);
    }
    let faxed = match make(engine, source, cover).await? {
        Ok(faxed) => faxed,
        Err(reason) => return Ok(Err(reason)),
    };
    let made = Rendition {
        digest: engine.toolbox.store.put(&faxed.tiff, now).await?,
        size: i64::try_from(faxed.tiff.len())?,
        octets: faxed.octets.into_iter().map(i32::try_from).collect::<Result<_, _>>()?,
        created_at: now,
    };
    row::keep(&engine.db, (source.transmission, &key), &made, now).await.map(Ok)
}

impl Rendition {
    /// The file that goes out.
    pub(super) async fn file(&self, engine: &Engine, transmission: TransmissionId) -> Result<File> {
        let bytes = engine.toolbox.store.get(&self.digest).await?;
        Ok(File { name: format!("fax-{transmission}.tiff"), media_type: "image/tiff".to_owned(), bytes })
    }
}

/// Equal for what comes to the same pages.
fn key(source: &Source<'_>, cover: Option<&(Files, Cover)>) -> String {
    let digests: Vec<_> = source.files.iter().map(|(_, digest)| digest).collect();
    let front = cover.map(|(files, cover)| json!([files.digest(), cover]));
    store::digest(json!([source.resolution, digests, front]).to_string().as_bytes())
}

/// A process that somebody killed is no fault of the files: the step is done again.
async fn make(engine: &Engine, source: &Source<'_>, cover: Option<(Files, Cover)>) -> Result<Result<Faxed, Reason>> {
    let mut files: Vec<(String, Bytes)> = Vec::with_capacity(source.files.len());
    for (name, digest) in &source.files {
        files.push((name.clone(), engine.toolbox.store.get(digest).await?));
    }
    let cover = cover.as_ref().map(|(files, cover)| (files, cover.clone()));
    let originals = Originals { resolution: source.resolution, files: &files, cover };
    match engine.toolbox.renderer.fax(originals).await? {
        Ok(faxed) => Ok(Ok(faxed)),
        Err(failure) if failure.again => {
            bail!("the pages of transmission {} were not made: {}", source.transmission, failure.reason.text)
        }
        Err(failure) => Ok(Err(failure.reason)),
    }
}
