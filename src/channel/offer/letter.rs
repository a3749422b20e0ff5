//! The words around a link: what the files are, where they are, and until when.

use std::fmt::Write as _;

use chrono::DateTime;
use chrono_tz::Tz;

use super::Offer;
use crate::channel::{File, Message, Parcel};

impl Offer {
    /// `parcel` with the link instead of its files.
    pub fn letter(&self, parcel: Parcel, expires_at: DateTime<Tz>) -> Parcel {
        let until = until(expires_at);
        let Parcel { message: Message { subject, text, html }, files, .. } = parcel;
        let message = Message {
            subject,
            text: self.below_text(&text, &files, &until),
            html: html.map(|html| inside(&html, &self.block(&files, &until))),
        };
        Parcel { message, files: Vec::new(), ..parcel }
    }

    fn below_text(&self, text: &str, files: &[File], until: &str) -> String {
        let mut all = text.trim_end().to_owned();
        if !all.is_empty() {
            all.push_str("\n\n");
        }
        all.push_str(if files.len() == 1 { "To fetch the file:\n\n" } else { "To fetch the files:\n\n" });
        let _ = write!(all, "{}\n\n", self.url());
        for file in files {
            let _ = writeln!(all, "  {} ({})", file.name, in_words(file.bytes.len() as u64));
        }
        let _ = write!(all, "\nThe link is meant for you alone. It works until {until}.\n");
        all
    }

    fn block(&self, files: &[File], until: &str) -> String {
        let what = if files.len() == 1 { "Fetch the file" } else { "Fetch the files" };
        let mut all = format!("<p><a href=\"{}\">{what}</a></p>\n<ul>\n", escaped(self.url()));
        for file in files {
            let _ = writeln!(all, "<li>{} ({})</li>", escaped(&file.name), in_words(file.bytes.len() as u64));
        }
        let _ = write!(all, "</ul>\n<p>The link is meant for you alone. It works until {until}.</p>\n");
        all
    }
}

/// `block` at the end of what `html` shows.
fn inside(html: &str, block: &str) -> String {
    let end = html.to_ascii_lowercase().rfind("</body>").unwrap_or(html.len());
    format!("{}\n{block}{}", &html[..end], &html[end..])
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// When a link ends, as people write it: `6 December 2026, 22:06 CET`.
pub fn until(end: DateTime<Tz>) -> String {
    end.format("%-d %B %Y, %H:%M %Z").to_string()
}

/// A number of bytes as people write it: `25.0 MB`.
pub fn in_words(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    match UNITS.into_iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => {
            let tenths = bytes.saturating_mul(10) / size;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}
