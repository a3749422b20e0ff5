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

/// Adds to `context` what the notice about `run` tells: `summary`, `counts`, `groups`, `more`, `retry` and, when the run
/// could not begin, `reason`.
///
/// # Errors
/// When the database cannot be read.
pub async fn describe(db: &mut PgConnection, run: RunId, context: &mut Context) -> Result<()> {
    let row = sqlx::query!(
        r#"select reason, delivered, accepted, failed, skipped, uncertain from run where id = $1"#,
        run as RunId,
    )
    .fetch_one(&mut *db)
    .await
    .with_context(|| format!("reading run {run}"))?;
    // A run that could not begin has one reason for everything.
    let failures = if row.reason.is_some() { Vec::new() } else { failures(db, run).await? };
    let missing = row.failed + row.uncertain;
    let sent = row.delivered + row.accepted;
    context["counts"] = json!({ "delivered": row.delivered, "accepted": row.accepted, "failed": row.failed,
                                "skipped": row.skipped, "uncertain": row.uncertain });
    context["summary"] = Value::String(summary(row.reason.is_some(), missing, sent));
    context["more"] = json!(missing - i32::try_from(failures.len()).unwrap_or(i32::MAX).min(missing));
    context["retry"] = json!(row.reason.is_some() || row.failed > 0);
    context["reason"] = row.reason.unwrap_or(Value::Null);
    context["groups"] = serde_json::to_value(grouped(failures))?;
    Ok(())
}

fn summary(broken: bool, missing: i32, sent: i32) -> String {
    match (broken, sent) {
        (true, _) => "could not begin".to_owned(),
        (false, 0) => format!("nothing sent, {missing} failed"),
        (false, _) => format!("{missing} not sent, {sent} sent"),
    }
}

/// One transmission that is missing.
#[derive(Debug)]
struct Failure {
    documents: String,
    /// Name and contact.
    recipient: String,
    /// What it is settled by, when it is uncertain.
    number: Option<i64>,
    text: String,
    remedy: &'static str,
}

async fn failures(db: &mut PgConnection, run: RunId) -> Result<Vec<Failure>> {
    let rows = sqlx::query!(
        r#"
        select transmission.id, transmission.recipient_name, transmission.contact, transmission.state,
               transmission.reason,
               (select string_agg(coalesce(document_revision.definition ->> 'title', item.name), ', '
                                  order by transmission_item.position)
                  from transmission_item
                  join item on item.id = transmission_item.item
                  join document_revision on document_revision.id = item.revision
                 where transmission_item.transmission = transmission.id) as documents
          from transmission
         where transmission.run = $1 and transmission.purpose = 'document'
           and transmission.troubled
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
            let contact = Some(row.contact).filter(|contact| !contact.is_empty());
            Ok(Failure {
                documents: row.documents.unwrap_or_else(|| "(no document)".to_owned()),
                recipient: contact
                    .map_or_else(|| row.recipient_name.clone(), |it| format!("{} <{it}>", row.recipient_name)),
                number: uncertain.then_some(row.id),
                remedy: remedy(uncertain, reason.as_ref()),
                text: reason.map_or_else(|| "no reason was recorded".to_owned(), |reason| reason.text),
            })
        })
        .collect()
}

/// What failed for the same reason, told once.
#[derive(Debug, PartialEq, Serialize)]
struct Group {
    text: String,
    remedy: &'static str,
    /// What did not reach whom: a line a recipient, or a line a document where that is shorter.
    lines: Vec<String>,
}

fn grouped(failures: Vec<Failure>) -> Vec<Group> {
    let mut groups: Vec<(Group, Vec<Failure>)> = Vec::new();
    for failure in failures {
        let known = groups.iter().position(|(it, _)| it.text == failure.text && it.remedy == failure.remedy);
        let at = known.unwrap_or_else(|| {
            let group = Group { text: failure.text.clone(), remedy: failure.remedy, lines: Vec::new() };
            groups.push((group, Vec::new()));
            groups.len() - 1
        });
        groups[at].1.push(failure);
    }
    groups.into_iter().map(|(group, failures)| Group { lines: lines(&failures), ..group }).collect()
}

fn lines(failures: &[Failure]) -> Vec<String> {
    let documents = |failure: &Failure| match failure.number {
        Some(number) => format!("{} (no. {number})", failure.documents),
        None => failure.documents.clone(),
    };
    let by_recipient = folded(failures.iter().map(|it| (it.recipient.clone(), documents(it))));
    let by_document = folded(failures.iter().map(|it| (documents(it), it.recipient.clone())));
    if by_document.len() < by_recipient.len() {
        by_document
            .into_iter()
            .map(|(document, recipients)| format!("{document} to {}", recipients.join(", ")))
            .collect()
    } else {
        by_recipient
            .into_iter()
            .map(|(recipient, documents)| format!("{} to {recipient}", documents.join(", ")))
            .collect()
    }
}

/// The second parts of each first one, both in the order of their first mention.
fn folded(pairs: impl Iterator<Item = (String, String)>) -> Vec<(String, Vec<String>)> {
    let mut folded: Vec<(String, Vec<String>)> = Vec::new();
    for (key, value) in pairs {
        match folded.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => folded.push((key, vec![value])),
        }
    }
    folded
}

/// What a person can do about a failure of this scope.
fn remedy(uncertain: bool, reason: Option<&Reason>) -> &'static str {
    match (uncertain, reason.map(|reason| reason.scope)) {
        (true, _) => "ask the recipient whether it came, then settle the number as delivered, failed or again",
        (_, Some(Scope::Contact)) => {
            "correct the address in the batch, for its next run; if the address is right, retry"
        }
        (_, Some(Scope::Document)) => "repair its server and retry; or repair the document and run the batch again",
        (_, Some(Scope::Account)) => "check the login, credit and sender settings of our account, then retry",
        (_, Some(Scope::Attempt) | None) => "retry once the far side answers again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure((documents, recipient, text): (&str, &str, &str), number: Option<i64>) -> Failure {
        let reason = Reason::new(Scope::Document, "x", text);
        Failure {
            documents: documents.to_owned(),
            recipient: recipient.to_owned(),
            number,
            text: text.to_owned(),
            remedy: remedy(number.is_some(), Some(&reason)),
        }
    }

    fn told(failures: Vec<Failure>) -> Vec<(String, Vec<String>)> {
        grouped(failures).into_iter().map(|group| (group.text, group.lines)).collect()
    }

    #[test]
    fn what_failed_for_one_reason_is_told_once() {
        let one_recipient = [("Checklist", "Carla", "550"), ("Orders", "Carla", "550"), ("Hours", "Ann", "full")];
        assert_eq!(
            told(one_recipient.map(|it| failure(it, None)).into()),
            [
                ("550".to_owned(), vec!["Checklist, Orders to Carla".to_owned()]),
                ("full".to_owned(), vec!["Hours to Ann".to_owned()]),
            ]
        );
        let one_document = [("Hours", "Ann", "500"), ("Hours", "Yard", "500"), ("Hours", "Carla", "500")];
        assert_eq!(
            told(one_document.map(|it| failure(it, None)).into()),
            [("500".to_owned(), vec!["Hours to Ann, Yard, Carla".to_owned()])]
        );
    }

    #[test]
    fn what_is_uncertain_comes_with_the_number_to_settle() {
        let lost = vec![failure(("Hours", "Ann", "lost"), Some(7)), failure(("Hours", "Yard", "lost"), Some(8))];
        assert_eq!(
            told(lost),
            [("lost".to_owned(), vec!["Hours (no. 7) to Ann".to_owned(), "Hours (no. 8) to Yard".to_owned()])]
        );
    }
}
