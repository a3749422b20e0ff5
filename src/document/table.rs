//! Tables for spreadsheets, as comma-separated values.

use anyhow::{Context, Result};
use bytes::Bytes;

/// A spreadsheet takes a cell that begins like this for a formula, and runs it; an apostrophe says that it is text.
pub fn guarded(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

/// Rows as lines.
///
/// # Errors
/// When a row cannot be written.
pub fn lines<const N: usize>(rows: impl IntoIterator<Item = [String; N]>) -> Result<Bytes> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).context("writing a line of a table")?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error()).context("writing a table")?;
    Ok(bytes.into())
}
