//! Runs for nobody, and runs for far more or fewer recipients than usual.
//!
//! Asked when a run has been expanded, before the first document is rendered: a list that came out empty, or twice as
//! long, is nothing that any later step would notice.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    alarm::{Alarm, Kind},
    words,
};
use crate::{config, id::RunId};

/// How many earlier runs say what is usual. More forget slowly that a list has grown.
const LOOKED_AT: i64 = 20;

/// A run that has just been expanded.
#[derive(Debug, Clone, Copy)]
pub struct Expanded<'a> {
    pub run: RunId,
    pub batch: &'a str,
    pub title: &'a str,
    /// Recipients who are to get something.
    pub recipients: i32,
}

/// What is to be told about the number of recipients, if anything.
///
/// # Errors
/// When the database cannot be read.
pub async fn weigh(
    db: &mut PgConnection,
    expanded: Expanded<'_>,
    config: &config::Monitor,
    now: DateTime<Utc>,
) -> Result<Option<Alarm>> {
    let Expanded { run, batch, title, recipients } = expanded;
    let (kind, text) = match recipients {
        0 => (Kind::NoRecipients, format!("{title} ({batch}), run {run}: nobody is to get anything")),
        _ => {
            let Some(usual) = usual(db, batch, run, config.unusual_after).await? else { return Ok(None) };
            if !is_unusual(recipients, usual, config.unusual) {
                return Ok(None);
            }
            let (now, usual) = (words::counted(recipients, "recipient"), words::grouped(usual.round() as i64));
            (Kind::RecipientsUnusual, format!("{title} ({batch}), run {run}: {now}, usually {usual}"))
        }
    };
    let batch = Some(batch.to_owned());
    Ok(Some(Alarm { kind, key: run.to_string(), batch, text, detail: None, at: now, mailed: false }))
}

fn is_unusual(recipients: i32, usual: f64, factor: f64) -> bool {
    let recipients = f64::from(recipients);
    recipients > usual * factor || recipients * factor < usual
}

/// The median of the earlier runs of `batch`, when there are at least `least`.
async fn usual(db: &mut PgConnection, batch: &str, run: RunId, least: u32) -> Result<Option<f64>> {
    let row = sqlx::query!(
        r#"
        select count(*) as "known!", percentile_cont(0.5) within group (order by recipients) as usual
          from (select recipients
                  from run
                 where batch = $1 and id < $2 and recipients is not null
                 order by id desc
                 limit $3) as earlier
        "#,
        batch,
        run as RunId,
        LOOKED_AT,
    )
    .fetch_one(db)
    .await
    .with_context(|| format!("asking how many recipients batch {batch} usually has"))?;
    Ok(row.usual.filter(|_| row.known >= i64::from(least)))
}

#[cfg(test)]
mod tests {
    use super::is_unusual;

    #[test]
    fn twice_as_many_are_usual_and_one_more_is_not() {
        let unusual: Vec<_> = [49, 50, 100, 200, 201].map(|count| is_unusual(count, 100.0, 2.0)).into();
        assert_eq!(unusual, [true, false, false, false, true]);
    }
}
