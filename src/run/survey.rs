//! A piece of a run's recipients, worked out with what the book knows of their contacts.
//!
//! Contacts are parsed here, before anything is rendered for anybody; what is suppressed, was sent under the same key
//! before, or goes to the same contact already, is skipped with that reason. `expand` writes what comes out, and the
//! preview counts it: both ask here, so that they cannot differ.

use anyhow::{Context, Result};
use sqlx::PgConnection;

use super::{
    once,
    plan::{Chosen, Planned, Planner, Recipient, Suppressed},
};
use crate::{
    catalog::suppression::Kind,
    contact::policy::Candidate,
    id::{RecipientId, RevisionId, RunId},
};

/// What `recipients` get, who follow those that were surveyed before.
pub(super) async fn survey(
    db: &mut PgConnection,
    planner: &mut Planner<'_>,
    recipients: Vec<Recipient>,
) -> Result<Vec<Planned>> {
    let recipients: Vec<_> = recipients
        .into_iter()
        .map(|recipient| {
            let candidates = planner.candidates(&recipient);
            (recipient, candidates)
        })
        .collect();
    let suppressed = suppressed(db, recipients.iter().flat_map(|(_, candidates)| candidates)).await?;
    let keys = once::keys(planner, &recipients);
    let taken = once::taken(db, planner, &recipients, &keys).await?;
    let mut planned = Vec::with_capacity(recipients.len());
    for (((recipient, candidates), once), stop) in recipients.into_iter().zip(keys).zip(taken) {
        planned.push(planner.plan(recipient, Chosen { candidates, once: once.key(), stop }, &suppressed));
    }
    Ok(planned)
}

/// Which of the contacts nothing is sent to.
pub(super) async fn suppressed<'a>(
    db: &mut PgConnection,
    candidates: impl Iterator<Item = &'a Candidate>,
) -> Result<Suppressed> {
    let valid = candidates.filter_map(|one| Some((one.channel.clone(), one.contact.as_ref().ok()?.key())));
    let (channels, contacts): (Vec<_>, Vec<_>) = valid.unzip();
    let rows = sqlx::query!(
        r#"
        select asked.channel as "channel!", asked.contact as "contact!", kind as "kind!: Kind"
          from unnest($1::text[], $2::text[]) as asked (channel, contact)
         cross join suppressed_as(asked.channel, asked.contact) as kind
         where kind is not null
        "#,
        &channels,
        &contacts,
    )
    .fetch_all(db)
    .await
    .context("reading suppressions")?;
    Ok(rows.into_iter().map(|row| ((row.channel, row.contact), row.kind)).collect())
}

/// The recipients of a run in their order, `limit` of them after position `after`: those that its revision lists, and
/// those that its audience gave.
pub(super) async fn recipients(
    db: &mut PgConnection,
    (revision, run): (RevisionId, RunId),
    (after, limit): (i32, i64),
) -> Result<Vec<Recipient>> {
    let rows = sqlx::query!(
        r#"
        select id as "id!: RecipientId", position as "position!", name as "name!", contacts as "contacts!",
               params as "params!"
          from ((select id, position, name, contacts, params
                   from recipient
                  where revision = $1 and position > $3
                  order by position
                  limit $4)
                union all
                (select id, position, name, contacts, params
                   from recipient
                  where run = $2 and position > $3
                  order by position
                  limit $4)) as one
         order by position
         limit $4
        "#,
        revision as RevisionId,
        run as RunId,
        after,
        limit,
    )
    .fetch_all(db)
    .await
    .context("reading recipients")?;
    rows.into_iter()
        .map(|row| {
            Ok(Recipient {
                id: row.id,
                position: row.position,
                name: row.name,
                contacts: serde_json::from_value(row.contacts).context("reading contacts")?,
                params: serde_json::from_value(row.params).context("reading parameters")?,
            })
        })
        .collect()
}
