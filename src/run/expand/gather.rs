//! The recipients that an audience gives to a run: asked for once, written a piece at a time, and then kept.
//!
//! Another go may find other rows, so nothing that was half written is used: it is taken away, and the query asked again.
//! Once the run's row has their number, the recipients are complete and stay as they are.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::Value;
use sqlx::PgConnection;

use super::still_ours;
use crate::{
    catalog::{self, audience},
    document::Failure,
    id::RunId,
    reason::{Reason, Scope},
    run::{Engine, claim::Held, frozen::Frozen},
    source::data::{Rows, Values},
};

/// The audience of a run while it is read.
pub(in crate::run) struct Audience {
    rows: Rows,
    /// The place of the next recipient.
    pub next: i32,
}

impl Audience {
    /// Asks for the audience of `frozen`, behind `listed` recipients; nothing when its batch has none.
    ///
    /// # Errors
    /// When the database cannot be asked, or refuses the query.
    pub(in crate::run) async fn ask(engine: &Engine, frozen: &Frozen, listed: i32) -> Result<Option<Self>, Failure> {
        let Some(audience) = &frozen.batch.audience else { return Ok(None) };
        let values = values(engine, frozen, audience)?;
        let rows = engine.data.ask(&audience.data, &audience.query, &values).await?;
        Ok(Some(Self { rows, next: listed }))
    }

    /// The next recipients with the place of the first, or nothing when all were given.
    ///
    /// # Errors
    /// When the database goes away, or gives more than it may.
    pub(in crate::run) async fn next(&mut self) -> Result<Option<(i32, Vec<catalog::Recipient>)>, Failure> {
        let Some(rows) = self.rows.next().await? else { return Ok(None) };
        let first = self.next;
        let recipients: Vec<_> = (first..).zip(rows).map(|(place, row)| audience::recipient(row, place)).collect();
        self.next += i32::try_from(recipients.len()).unwrap_or(i32::MAX);
        Ok(Some((first, recipients)))
    }
}

/// What the query is asked with: parameters of this run win over those of the batch.
fn values(engine: &Engine, frozen: &Frozen, audience: &audience::Audience) -> Result<Values, Failure> {
    let context = frozen.context();
    let mut params: BTreeMap<_, _> = audience.params.iter().collect();
    params.extend(frozen.params.iter().filter(|(name, _)| audience.params.contains_key(*name)));
    let bound = params.into_iter().map(|(name, value)| {
        let value = engine.toolbox.expressions.evaluate(value, &context).map_err(|error| {
            let text = format!("the value of `:{name}` cannot be told: {}", error.text);
            Failure { reason: Reason::new(Scope::Document, "data-param", text), again: false, after: None }
        })?;
        let bound = match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        };
        Ok((name.clone(), bound))
    });
    bound.collect()
}

/// Writes the recipients of the run's audience, unless that was done. False when the claim was lost.
pub(super) async fn gather(
    engine: &Engine,
    claim: &Held,
    frozen: &Frozen,
    listed: i32,
) -> Result<Result<bool, Failure>> {
    if frozen.batch.audience.is_none() || is_complete(engine, claim.run).await? {
        return Ok(Ok(true));
    }
    while let Some(gone) = clear(engine, claim).await? {
        if gone == 0 {
            return write(engine, claim, frozen, listed).await;
        }
    }
    Ok(Ok(false))
}

async fn is_complete(engine: &Engine, run: RunId) -> Result<bool> {
    sqlx::query_scalar!(r#"select audience is not null as "complete!" from run where id = $1"#, run as RunId)
        .fetch_one(&engine.db)
        .await
        .with_context(|| format!("asking whether the audience of run {run} is complete"))
}

/// Takes away what an earlier go left, a piece at a time.
async fn clear(engine: &Engine, claim: &Held) -> Result<Option<u64>> {
    let mut db = engine.db.begin().await.context("beginning to clear an audience")?;
    if !still_ours(&mut db, claim).await? {
        return Ok(None);
    }
    let gone = catalog::recipient::forget(&mut db, claim.run, super::CHUNK).await?;
    db.commit().await.context("clearing an audience")?;
    Ok(Some(gone))
}

async fn write(engine: &Engine, claim: &Held, frozen: &Frozen, listed: i32) -> Result<Result<bool, Failure>> {
    let mut audience = match Audience::ask(engine, frozen, listed).await {
        Ok(Some(audience)) => audience,
        Ok(None) => return Ok(Ok(true)),
        Err(failure) => return Ok(Err(failure)),
    };
    loop {
        let (first, recipients) = match audience.next().await {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            Err(failure) => return Ok(Err(failure)),
        };
        let mut db = engine.db.begin().await.context("beginning a piece of an audience")?;
        if !still_ours(&mut db, claim).await? {
            return Ok(Ok(false));
        }
        catalog::recipient::gather(&mut db, (claim.run, first), &recipients).await?;
        db.commit().await.context("writing a piece of an audience")?;
    }
    let mut db = engine.db.begin().await.context("beginning to complete an audience")?;
    if !still_ours(&mut db, claim).await? {
        return Ok(Ok(false));
    }
    complete(&mut db, claim.run, audience.next - listed).await?;
    db.commit().await.context("completing an audience")?;
    Ok(Ok(true))
}

async fn complete(db: &mut PgConnection, run: RunId, count: i32) -> Result<()> {
    sqlx::query!("update run set audience = $2 where id = $1 and audience is null", run as RunId, count)
        .execute(db)
        .await
        .with_context(|| format!("noting the audience of run {run}"))?;
    Ok(())
}
