//! What commands print.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use comfy_table::{ContentArrangement, LineStyle, Table, presets};
use serde::Serialize;

/// Prints `value` as JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(value).context("writing JSON")?);
    Ok(())
}

/// Prints rows under their headings.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()))
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(headings);
    for row in rows {
        table.add_row(row.map(|cell| one_line(&cell)));
    }
    println!("{table}");
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
