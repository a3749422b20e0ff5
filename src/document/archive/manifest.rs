//! The list that goes with the files of a run: what was sent to whom.

use anyhow::Result;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;

use crate::document::table;

const COLUMNS: [&str; 8] = ["document", "file", "recipient", "channel", "contact", "state", "time sent", "digest"];

/// One transmission of one document.
#[derive(Debug, Clone)]
pub struct ManifestRow {
    pub document: String,
    /// The name in the archive.
    pub file: String,
    pub recipient: String,
    pub channel: String,
    pub contact: String,
    pub state: String,
    pub sent_at: Option<DateTime<Tz>>,
    pub digest: String,
}

/// The first line of `manifest.csv`.
pub fn manifest_head() -> Result<Bytes> {
    table::lines([COLUMNS.map(str::to_owned)])
}

/// The lines for `rows`; those of several calls follow one another.
pub fn manifest_lines(rows: &[ManifestRow]) -> Result<Bytes> {
    table::lines(rows.iter().map(cells))
}

fn cells(row: &ManifestRow) -> [String; 8] {
    let sent = row.sent_at.map(|at| format!("{} {}", at.to_rfc3339_opts(SecondsFormat::Secs, false), at.timezone()));
    let cells = [&row.document, &row.file, &row.recipient, &row.channel, &row.contact, &row.state];
    let [document, file, recipient, channel, contact, state] = cells.map(|cell| table::guarded(cell));
    [document, file, recipient, channel, contact, state, sent.unwrap_or_default(), row.digest.clone()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_the_time_with_its_zone_and_holds_no_formula() {
        let zone: Tz = "Europe/Amsterdam".parse().expect("a zone");
        let row = ManifestRow {
            document: "Open, orders".to_owned(),
            file: "=cmd.pdf".to_owned(),
            recipient: "@ann \"Ann\"".to_owned(),
            channel: "fax".to_owned(),
            contact: "+13125550002".to_owned(),
            state: "delivered".to_owned(),
            sent_at: DateTime::from_timestamp(1_775_000_000, 0).map(|at| at.with_timezone(&zone)),
            digest: "ab".to_owned(),
        };
        let unsent = ManifestRow { sent_at: None, state: "failed".to_owned(), ..row.clone() };
        let text = [manifest_head().expect("a head"), manifest_lines(&[row, unsent]).expect("lines")].concat();
        assert_eq!(
            String::from_utf8(text).expect("text"),
            concat!(
                "document,file,recipient,channel,contact,state,time sent,digest\r\n",
                "\"Open, orders\",'=cmd.pdf,\"'@ann \"\"Ann\"\"\",fax,'+13125550002,delivered,2026-04-01T01:33:20+02:00 Europe/Amsterdam,ab\r\n",
                "\"Open, orders\",'=cmd.pdf,\"'@ann \"\"Ann\"\"\",fax,'+13125550002,failed,,ab\r\n",
            )
        );
    }
}
