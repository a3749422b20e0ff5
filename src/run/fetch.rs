//! A step that brings a file in: it becomes an artifact of the run, for the steps that follow and for the archive.
//!
//! A file that is not there yet is looked for again as the step's `retry` says. Done again, the step takes the file as
//! it is then, in place of the one before.

use anyhow::Result;
use serde_json::json;

use super::{
    Engine,
    errand::{self, Begun, Done, Fetched, absent},
};
use crate::{
    document::{Failure, name},
    id::StepId,
    workflow::Errand,
};

/// Fetches a file, unless another worker does.
pub(super) async fn fetch(engine: &Engine, step: StepId) -> Result<()> {
    let Some(begun) = errand::begin(engine, step).await? else {
        return Ok(());
    };
    let Errand::Fetch { from } = begun.errand()? else {
        anyhow::bail!("a step that fetches does not say what");
    };
    let done = bring(engine, &begun, from).await?;
    begun.end(engine, done).await
}

async fn bring(engine: &Engine, begun: &Begun, from: &str) -> Result<Result<Done, Failure>> {
    let (file, bytes) = match read(engine, begun, from).await {
        Ok(read) => read,
        Err(failure) => return Ok(Err(failure)),
    };
    let digest = engine.toolbox.store.put(&bytes, engine.clock.now()).await?;
    let size = i64::try_from(bytes.len())?;
    let text = format!("{} fetched {file}, {size} bytes", begun.claim.name);
    let data = json!({ "step": begun.claim.name, "file": file, "size": size, "digest": digest });
    let media_type = name::media_type(&file).to_owned();
    Ok(Ok(Done { event: "fetched", text, data, fetched: Some(Fetched { file, media_type, digest, size }) }))
}

async fn read(engine: &Engine, begun: &Begun, from: &str) -> Result<(String, bytes::Bytes), Failure> {
    let from = begun.fill(engine, from, &begun.frozen.context())?;
    let (place, file) = engine.places.of_file(&from)?;
    if place.find(file).await?.is_none() {
        return Err(absent(format!("there is no {from}")));
    }
    let bytes = place.read(file, engine.places.limit()).await?;
    Ok((file.to_owned(), bytes))
}
