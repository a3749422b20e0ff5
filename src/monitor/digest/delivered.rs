//! What was sent: each document of each run, with the times and the recipients; how much of it is listed says `fold`.

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::fold::{self, Folded};
use crate::{id::RunId, monitor::words::stamp};

/// A document that was sent.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Delivered {
    pub batch: String,
    pub title: String,
    /// The run, when it is of one alone.
    pub run: Option<RunId>,
    /// How many runs it is of.
    pub runs: i64,
    /// What fired it: `schedule`, `demand by ann`.
    pub cause: String,
    pub document: String,
    /// How often it was sent.
    pub count: i64,
    /// When it was first sent, in words.
    pub first: String,
    /// When it was last sent, in words.
    pub last: String,
    /// Those that are listed.
    pub recipients: Vec<Sent>,
    /// How many more there are.
    pub more: i64,
}

/// One recipient of a document.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Sent {
    pub recipient: String,
    pub contact: String,
    pub sent_at: Option<DateTime<Utc>>,
    /// `sent_at` in words.
    pub sent: String,
}

/// Where a line belongs: its run, and the place of its document in the batch.
type Place = (i64, i32);

/// What `runs` sent, and how many documents are not listed.
pub(super) async fn delivered(db: &mut PgConnection, runs: &[i64], zone: Tz) -> Result<(Vec<Delivered>, i64)> {
    let groups = groups(db, runs).await?;
    let Folded { groups, each, more } = fold::fold(groups);
    let mut recipients = recipients(db, runs, each, zone).await?;
    let delivered = groups.into_iter().map(|group| {
        let listed: Vec<_> = group.places.iter().filter_map(|place| recipients.remove(place)).flatten().collect();
        let listed: Vec<_> = listed.into_iter().take(usize::try_from(each).unwrap_or_default()).collect();
        Delivered {
            run: (group.places.len() == 1).then(|| RunId(group.places[0].0)),
            runs: i64::try_from(group.places.len()).unwrap_or(i64::MAX),
            more: group.count - i64::try_from(listed.len()).unwrap_or_default(),
            recipients: listed,
            batch: group.batch,
            title: group.title,
            cause: group.cause,
            document: group.document,
            count: group.count,
            first: group.first.map(|at| stamp(at, zone)).unwrap_or_default(),
            last: group.last.map(|at| stamp(at, zone)).unwrap_or_default(),
        }
    });
    Ok((delivered.collect(), more))
}

async fn groups(db: &mut PgConnection, runs: &[i64]) -> Result<Vec<fold::Group>> {
    let rows = sqlx::query!(
        r#"
        select run.id, run.batch, run.cause_kind, run.cause_by, batch_revision.definition ->> 'title' as title,
               sent.position as "position!", sent.document as "document!", sent.count as "count!", sent.first, sent.last
          from run
          join batch_revision on batch_revision.id = run.revision
          join (select transmission.run, item.position,
                       min(coalesce(document_revision.definition ->> 'title', item.name)) as document,
                       count(*) as count, min(transmission.sent_at) as first, max(transmission.sent_at) as last
                  from transmission
                  join transmission_item on transmission_item.transmission = transmission.id
                  join item on item.id = transmission_item.item
                  join document_revision on document_revision.id = item.revision
                 where transmission.run = any($1) and transmission.purpose = 'document'
                   and transmission.state in ('accepted', 'delivered')
                 group by transmission.run, item.position) as sent on sent.run = run.id
         order by run.ended_at, run.id, sent.position
        "#,
        runs,
    )
    .fetch_all(db)
    .await
    .context("reading what was sent")?;
    let groups = rows.into_iter().map(|row| fold::Group {
        places: vec![(row.id, row.position)],
        title: row.title.unwrap_or_else(|| row.batch.clone()),
        batch: row.batch,
        cause: match row.cause_by {
            Some(by) => format!("{} by {by}", row.cause_kind),
            None => row.cause_kind,
        },
        document: row.document,
        count: row.count,
        first: row.first,
        last: row.last,
    });
    Ok(groups.collect())
}

/// The first `each` recipients of each document of each run.
async fn recipients(db: &mut PgConnection, runs: &[i64], each: i64, zone: Tz) -> Result<HashMap<Place, Vec<Sent>>> {
    let rows = sqlx::query!(
        r#"
        select run as "run!", position as "position!", recipient_name as "recipient!", contact as "contact!", sent_at
          from (select transmission.run, item.position, transmission.recipient_name, transmission.contact,
                       transmission.sent_at, transmission.id,
                       row_number() over (partition by transmission.run, item.position order by transmission.id) as place
                  from transmission
                  join transmission_item on transmission_item.transmission = transmission.id
                  join item on item.id = transmission_item.item
                 where transmission.run = any($1) and transmission.purpose = 'document'
                   and transmission.state in ('accepted', 'delivered')) as sent
         where place <= $2
         order by run, position, place
        "#,
        runs,
        each,
    )
    .fetch_all(db)
    .await
    .context("reading to whom it was sent")?;
    let mut recipients: HashMap<Place, Vec<Sent>> = HashMap::new();
    for row in rows {
        let sent = Sent {
            recipient: row.recipient,
            contact: row.contact,
            sent_at: row.sent_at,
            sent: row.sent_at.map(|at| stamp(at, zone)).unwrap_or_default(),
        };
        recipients.entry((row.run, row.position)).or_default().push(sent);
    }
    Ok(recipients)
}
