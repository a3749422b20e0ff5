//! A step that moves a file within its place: into an archive, out of the way.
//!
//! Nothing is overwritten. When the file is gone and the other one is there, it was moved before.

use anyhow::Result;
use serde_json::json;

use super::{
    Engine,
    errand::{self, Begun, Done, absent},
};
use crate::{
    document::Failure,
    id::StepId,
    reason::{Reason, Scope},
    source::place::{Moved, is_plain},
    workflow::Errand,
};

/// Moves a file, unless another worker does.
pub(super) async fn r#move(engine: &Engine, step: StepId) -> Result<()> {
    let Some(begun) = errand::begin(engine, step).await? else {
        return Ok(());
    };
    let Errand::Move { from, to } = begun.errand()? else {
        anyhow::bail!("a step that moves does not say what");
    };
    let done = carry(engine, &begun, (from, to)).await;
    begun.end(engine, done).await
}

async fn carry(engine: &Engine, begun: &Begun, (from, to): (&str, &str)) -> Result<Done, Failure> {
    let context = begun.frozen.context();
    let (from, to) = (begun.fill(engine, from, &context)?, begun.fill(engine, to, &context)?);
    let (place, file) = engine.places.of_file(&from)?;
    if to.starts_with('/') || to.is_empty() || !is_plain(&to) {
        return Err(refused("move-path", format!("`{to}` is no path below the file's own place, such as done/a.csv")));
    }
    match place.rename(file, &to).await? {
        Moved::Done => {}
        Moved::Gone if place.find(&to).await?.is_some() => {}
        Moved::Gone => return Err(absent(format!("there is no {from}"))),
        Moved::Taken => return Err(refused("move-taken", format!("{to} is there already, with other contents"))),
    }
    let text = format!("{} moved {file} to {to}", begun.claim.name);
    let data = json!({ "step": begun.claim.name, "from": from, "to": to });
    Ok(Done { event: "moved", text, data, fetched: None })
}

fn refused(code: &str, text: String) -> Failure {
    Failure { reason: Reason::new(Scope::Document, code, text), again: false, after: None }
}
