//! What a notice says: which document did not reach whom, why, and what can be done about it.

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::{
    document::Context,
    id::RunId,
    reason::{Reason, Scope},
};

/// Failures listed in one notice. A longer list is not read; the run's book has them all.
const LISTED: i64 = 50;

/// A user who is told when a run fails.
#[derive(Debug, Clone)]
pub struct Monitor {
    pub name: String,
    pub title: String,
    /// The mailbox, if there is one.
    pub contact: Option<String>,
}

/// Everybody who is flagged as a monitor.
///
/// # Errors
/// When the database cannot be read.
pub async fn monitors(db: &mut PgConnection) -> Result<Vec<Monitor>> {
    sqlx::query_as!(
        Monitor,
        r#"
        select name, title, contacts ->> 'email' as contact
          from "user"
         where monitor and enabled
         order by name
        "#,
    )
    .fetch_all(db)
    .await
    .context("reading the monitors")
}

#[derive(Debug, Serialize)]
struct Failure {
    document: String,
    recipient: String,
    contact: String,
    text: String,
    remedy: &'static str,
}

/// Adds to `context` what the notice about `run` tells: `summary`, `counts`, `reason`, `failures`, `more`.
///
/// # Errors
/// When the database cannot be read.
pub async fn describe(db: &mut PgConnection, run: RunId, context: &mut Context) -> Result<()> {
    let row = sqlx::query!(
        r#"select state, reason, delivered, accepted, failed, skipped, uncertain from run where id = $1"#,
        run as RunId,
    )
    .fetch_one(&mut *db)
    .await
    .with_context(|| format!("reading run {run}"))?;
    let failures = failures(db, run).await?;
    let missing = row.failed + row.uncertain;
    let sent = row.delivered + row.accepted;
    context["counts"] = json!({ "delivered": row.delivered, "accepted": row.accepted, "failed": row.failed,
                                "skipped": row.skipped, "uncertain": row.uncertain });
    context["summary"] = Value::String(summary(row.reason.is_some(), missing, sent));
    context["more"] = json!(missing - i32::try_from(failures.len()).unwrap_or(i32::MAX).min(missing));
    context["reason"] = row.reason.unwrap_or(Value::Null);
    context["failures"] = serde_json::to_value(failures)?;
    Ok(())
}

fn summary(broken: bool, missing: i32, sent: i32) -> String {
    match (broken, sent) {
        (true, _) => "the run could not begin".to_owned(),
        (false, 0) => format!("nothing was sent, {missing} failed"),
        (false, _) => format!("{missing} not sent, {sent} sent"),
    }
}

async fn failures(db: &mut PgConnection, run: RunId) -> Result<Vec<Failure>> {
    let rows = sqlx::query!(
        r#"
        select transmission.recipient_name, transmission.contact, transmission.state, transmission.reason,
               (select string_agg(coalesce(document_revision.definition ->> 'title', item.name), ', '
                                  order by transmission_item.position)
                  from transmission_item
                  join item on item.id = transmission_item.item
                  join document_revision on document_revision.id = item.revision
                 where transmission_item.transmission = transmission.id) as documents
          from transmission
         where transmission.run = $1 and transmission.purpose = 'document'
           and transmission.state in ('failed', 'uncertain')
         order by transmission.id
         limit $2
        "#,
        run as RunId,
        LISTED,
    )
    .fetch_all(db)
    .await
    .with_context(|| format!("reading the failures of run {run}"))?;
    rows.into_iter()
        .map(|row| {
            let reason: Option<Reason> = row.reason.map(serde_json::from_value).transpose()?;
            let uncertain = row.state == "uncertain";
            Ok(Failure {
                document: row.documents.unwrap_or_else(|| "(no document)".to_owned()),
                recipient: row.recipient_name,
                contact: row.contact,
                remedy: remedy(uncertain, reason.as_ref()),
                text: reason.map_or_else(|| "no reason was recorded".to_owned(), |reason| reason.text),
            })
        })
        .collect()
}

/// What a person can do about a failure of this scope.
pub fn remedy(uncertain: bool, reason: Option<&Reason>) -> &'static str {
    match (uncertain, reason.map(|reason| reason.scope)) {
        (true, _) => "ask the recipient whether it came, then settle it as delivered, failed, or to be sent again",
        (_, Some(Scope::Contact)) => "correct the recipient's address in the batch and run it again for them",
        (_, Some(Scope::Document)) => "repair the document or the server it comes from, then retry the run",
        (_, Some(Scope::Account)) => "check the login, credit and sender settings of our account, then retry the run",
        (_, Some(Scope::Attempt) | None) => "retry the run once the far side answers again",
    }
}
