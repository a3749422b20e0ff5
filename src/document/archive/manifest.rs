//! The list that goes with the files of a run: what was sent to whom.

use anyhow::{Context, Result};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;

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
    lines([COLUMNS.map(str::to_owned)])
}

/// The lines for `rows`; those of several calls follow one another.
pub fn manifest_lines(rows: &[ManifestRow]) -> Result<Bytes> {
    lines(rows.iter().map(cells))
}

fn cells(row: &ManifestRow) -> [String; 8] {
    let sent = row.sent_at.map(|at| format!("{} {}", at.to_rfc3339_opts(SecondsFormat::Secs, false), at.timezone()));
    let cells = [&row.document, &row.file, &row.recipient, &row.channel, &row.contact, &row.state];
    let [document, file, recipient, channel, contact, state] = cells.map(|cell| guarded(cell));
    [document, file, recipient, channel, contact, state, sent.unwrap_or_default(), row.digest.clone()]
}

/// A spreadsheet takes a cell that begins like this for a formula, and runs it; an apostrophe says that it is text.
fn guarded(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

fn lines(rows: impl IntoIterator<Item = [String; 8]>) -> Result<Bytes> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).context("writing a line of the manifest")?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error()).context("writing the manifest")?;
    Ok(bytes.into())
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
