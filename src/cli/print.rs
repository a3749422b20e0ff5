//! What commands print.
//!
//! A reader that has gone away (`postbook runs | head`) has what it wanted: what is left is not printed, and the command
//! goes on to its end, because it may be doing something besides.

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use comfy_table::{ContentArrangement, LineStyle, Table, presets};
use serde::Serialize;

/// Prints a line, or several.
pub(crate) fn line(text: impl Display) -> Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("printing"),
    }
}

/// Says something beside what is printed.
pub(crate) fn note(text: impl Display) {
    // There is nowhere else to say that it cannot be said.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints `value` as JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    line(serde_json::to_string_pretty(value).context("writing JSON")?)
}

/// Prints rows under their headings, or the sentence `none` when there are none.
pub(crate) fn table<const N: usize>(
    none: &str,
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Result<()> {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        return line(none);
    }
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()))
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(headings);
    for row in rows {
        table.add_row(row.map(|cell| one_line(&cell)));
    }
    line(table)
}

/// `text` without what would move the cursor.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}

/// An instant to the second.
pub(crate) fn time(at: Option<DateTime<Utc>>) -> String {
    at.map(|at| at.format("%Y-%m-%d %H:%M:%SZ").to_string()).unwrap_or_default()
}

/// The text of a reason, if there is one.
pub(crate) fn reason(reason: Option<&serde_json::Value>) -> String {
    reason.and_then(|reason| reason["text"].as_str()).unwrap_or_default().to_owned()
}

/// A word of the vocabulary, as it stands in JSON.
pub(crate) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
