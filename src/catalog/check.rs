//! Checks of single values, shared by batches, documents and users. Each gives `None` or what is wrong.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::Faults;
use crate::{
    contact::{Contact, Country},
    document::{Expressions, param::ParamFault, pdf},
};

/// The channels a recipient can have a contact for.
pub const CHANNELS: [&str; 10] = ["email", "fax", "sms", "sftp", "ftp", "s3", "webdav", "folder", "pickup", "discard"];

/// Longer names do not fit where they are shown.
const LONGEST_NAME: usize = 64;

/// Whether `name` can be a key in paths and commands.
pub fn slug(name: &str) -> Option<String> {
    let fits = (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    (!fits).then(|| {
        format!("write small letters, digits and hyphens, at most {LONGEST_NAME}, such as `morning-checklists`")
    })
}

/// Longer lines are not read by anybody: titles, names, subjects, reasons.
const LONGEST_LINE: usize = 1000;

/// Whether `text` is one line of a length that people read, and says something.
pub fn line(text: &str) -> Option<String> {
    let long = || Some(text.chars().count()).filter(|length| *length > LONGEST_LINE);
    one_line(text)
        .or_else(|| long().map(|length| format!("has {length} characters; write a line of at most {LONGEST_LINE}")))
}

/// Whether `text` is one line, of any length, that says something.
pub(super) fn one_line(text: &str) -> Option<String> {
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Some("contains a line break or another control character; write it as one line".to_owned());
    }
    // They make a text look like another one; letters that are written from right to left need none of them.
    if text.contains(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')) {
        return Some("contains a mark that turns the direction of text; remove it".to_owned());
    }
    let unseen = |c: char| c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}');
    text.chars().all(unseen).then(|| "is empty; write a line of text".to_owned())
}

/// What to write instead of a channel that is none.
pub fn unknown_channel() -> String {
    format!("is no channel; write one of {}", CHANNELS.join(", "))
}

/// Whether `contact` can be an address on `channel`; numbers may lack their country when `country` says it.
pub fn contact(channel: &str, contact: &str, country: Option<Country>) -> Option<String> {
    Contact::parse_in(channel, contact, country).err().map(|fault| fault.to_string())
}

/// Whether `source` is a text template.
pub fn template(source: &str) -> Option<String> {
    let fault = Expressions::default().check(source).err()?;
    Some(format!("is a template with a fault in {fault}"))
}

/// Adds the faults of parameters below `at`.
pub(super) fn params(found: Vec<ParamFault>, at: &str, faults: &mut Faults) {
    for (name, text) in found {
        faults.add(format!("{at}/{name}"), text);
    }
}

/// The names, or the word for none of them.
pub fn or_none(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The bytes that `content` writes in base64.
///
/// # Errors
/// What is wrong with it.
pub fn base64(content: &str) -> Result<Vec<u8>, String> {
    BASE64_STANDARD
        .decode(content)
        .map_err(|fault| format!("is not base64 ({fault}); write the file's bytes in base64"))
}

/// Whether `bytes` can be what `media_type` says.
pub fn bytes(media_type: &str, bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() {
        return Some("is empty; give the file's bytes".to_owned());
    }
    (media_type == "application/pdf" && !pdf::looks_like_one(bytes))
        .then(|| "is not a PDF: it does not begin with `%PDF-`; give a PDF or another `media_type`".to_owned())
}

/// Whether `text` is a media type.
pub fn media_type(text: &str) -> Option<String> {
    let is_token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    let essence = text.split(';').next().unwrap_or_default().trim();
    // It goes into headers, of mails among them.
    let is_plain = text.is_ascii() && line(text).is_none();
    let fits = is_plain && essence.split_once('/').is_some_and(|(kind, sub)| is_token(kind) && is_token(sub));
    (!fits).then(|| format!("`{text}` is no media type; write one such as `application/pdf`"))
}

/// Whether `text` can be a file's name.
pub fn file(text: &str) -> Option<String> {
    let fits = line(text).is_none() && !text.contains(['/', '\\']) && text != "." && text != ".." && text.len() <= 200;
    (!fits).then(|| "write a file name without folders, such as `checklist.pdf`".to_owned())
}
