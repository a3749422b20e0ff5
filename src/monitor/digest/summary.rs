//! How it went, in numbers and in a line.

use anyhow::{Context, Result};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::monitor::words::{counted, grouped};

/// The numbers of a digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DigestTotals)]
pub struct Totals {
    /// Runs that ended.
    pub runs: i64,
    /// Of these, how many failed as a whole or in part.
    pub troubled: i64,
    pub sent: i64,
    pub failed: i64,
    /// What somebody has to settle, however old.
    pub uncertain: i64,
    pub skipped: i64,
    pub cancelled: i64,
    /// What was due and found nobody to start it.
    pub missed: i64,
    /// What was due and was left out as a schedule says.
    pub left_out: i64,
}

/// Counts `runs`.
pub(super) async fn totals(db: &mut PgConnection, runs: &[i64]) -> Result<Totals> {
    let row = sqlx::query!(
        r#"
        select count(*) as "runs!", count(*) filter (where state in ('failed', 'partial')) as "troubled!",
               coalesce(sum(accepted + delivered), 0) as "sent!", coalesce(sum(failed), 0) as "failed!",
               coalesce(sum(skipped), 0) as "skipped!", coalesce(sum(cancelled), 0) as "cancelled!"
          from run
         where id = any($1)
        "#,
        runs,
    )
    .fetch_one(db)
    .await
    .context("counting the runs of a digest")?;
    Ok(Totals {
        runs: row.runs,
        troubled: row.troubled,
        sent: row.sent,
        failed: row.failed,
        skipped: row.skipped,
        cancelled: row.cancelled,
        ..Totals::default()
    })
}

impl Totals {
    /// `2 runs: 5 sent, 1 not sent`.
    pub fn in_words(&self) -> String {
        let counts = [
            (self.sent, "sent"),
            (self.failed, "not sent"),
            (self.uncertain, "uncertain"),
            (self.skipped, "skipped"),
            (self.cancelled, "cancelled"),
        ];
        let parts = counts.iter().filter(|(count, word)| *count > 0 || (*word == "sent" && self.runs > 0));
        let parts: Vec<_> = parts.map(|(count, word)| format!("{} {word}", grouped(*count))).collect();
        let runs = match (self.runs, parts.as_slice()) {
            (0, []) => "nothing was sent".to_owned(),
            (0, parts) => parts.join(", "),
            (runs, parts) => format!("{}: {}", counted(runs, "run"), parts.join(", ")),
        };
        match self.missed {
            0 => runs,
            missed => format!("{} did not start; {runs}", grouped(missed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Totals;

    #[test]
    fn the_summary_names_what_there_is_and_trouble_first() {
        let none = Totals::default();
        let good = Totals { runs: 1, sent: 1200, ..none.clone() };
        let bad = Totals { runs: 2, sent: 5, failed: 1, uncertain: 1, missed: 3, ..none.clone() };
        let failed = Totals { runs: 1, failed: 2, ..none.clone() };
        assert_eq!(none.in_words(), "nothing was sent");
        assert_eq!(good.in_words(), "1 run: 1,200 sent");
        assert_eq!(bad.in_words(), "3 did not start; 2 runs: 5 sent, 1 not sent, 1 uncertain");
        assert_eq!(failed.in_words(), "1 run: 0 sent, 2 not sent");
    }
}
