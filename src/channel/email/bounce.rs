//! Mails that come back: delivery status notifications (RFC 3464) and complaints (RFC 5965).
//!
//! Which transmission such a mail is about stands in it in up to three places: the envelope id that we gave the first
//! server (RFC 3461, section 4.4), the address that it comes back to where that holds the key, and the Message-ID of the
//! mail it brings along. Any of them may be missing, and any may be made up: they are only where to look. Nothing is
//! ever answered. What is no such report gives nothing.

mod fields;
mod meaning;

use chrono::{DateTime, Utc};
use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders};

use self::{fields::Fields, meaning::Meaning};
use crate::channel::Standing;

/// What a mail that came back says of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounce {
    /// Keys of parcels it may be about, the best first.
    pub keys: Vec<String>,
    pub standing: Standing,
    pub at: Option<DateTime<Utc>>,
    /// The same for every copy of the same report.
    pub id: Option<String>,
    /// Why nothing is to be sent to the address any more, if so.
    pub suppress: Option<String>,
}

/// Reads what came back; nothing when it is no report.
pub fn read(mail: &[u8]) -> Vec<Bounce> {
    let Some(mail) = MessageParser::default().parse(mail) else { return Vec::new() };
    let part = |kind: &str| mail.parts.iter().find(|part| is(part, kind));
    let status = part("delivery-status").or_else(|| part("global-delivery-status"));
    let meanings = match (status, part("feedback-report")) {
        (Some(status), _) => of_status(status.contents()),
        (None, Some(report)) => vec![meaning::of_complaint(&Fields::read(report.contents()))],
        (None, None) => return Vec::new(),
    };
    let (keys, dated) = (keys(&mail, status), date(&mail));
    let id = mail.message_id().map(str::to_owned);
    let bounce = |(number, meaning): (usize, Meaning)| Bounce {
        keys: keys.clone(),
        standing: meaning.standing,
        at: meaning.at.or(dated),
        id: id.as_ref().map(|id| format!("{id} {number}")),
        suppress: meaning.suppress,
    };
    meanings.into_iter().enumerate().map(bounce).collect()
}

/// Whether `part` is a `message/...` of this kind.
fn is(part: &MessagePart<'_>, kind: &str) -> bool {
    let Some(found) = part.content_type() else { return false };
    found.ctype().eq_ignore_ascii_case("message")
        && found.subtype().is_some_and(|subtype| subtype.eq_ignore_ascii_case(kind))
}

/// One meaning for each recipient; the first block is about the mail as a whole.
fn of_status(text: &[u8]) -> Vec<Meaning> {
    fields::blocks(text).iter().skip(1).filter_map(meaning::of_recipient).collect()
}

fn keys(mail: &Message<'_>, status: Option<&MessagePart<'_>>) -> Vec<String> {
    let blocks = status.map(|status| fields::blocks(status.contents())).unwrap_or_default();
    let envelope = blocks.first().and_then(|whole| whole.get("Original-Envelope-Id")).map(str::to_owned);
    let mut keys: Vec<String> = envelope.into_iter().collect();
    keys.extend(addressed(mail));
    keys.extend(mail.parts.iter().filter(|part| brings_a_mail(part)).filter_map(|part| {
        let headers = Fields::read(part.contents());
        let id = headers.get("Message-ID")?.trim_matches(|it: char| it == '<' || it == '>' || it.is_whitespace());
        Some(id.split_once('@')?.0.to_owned())
    }));
    keys.retain(|key| key.len() <= 100 && !key.is_empty());
    keys.dedup();
    keys
}

/// Keys in the addresses it came back to, after a plus or a hyphen of their own: `bounces+KEY@example.org`.
fn addressed(mail: &Message<'_>) -> Vec<String> {
    let names = ["Delivered-To", "X-Original-To", "To"];
    let raw = names.iter().filter_map(|name| mail.header_raw(*name));
    let locals = raw.filter_map(|value| value.trim().trim_matches(|it| it == '<' || it == '>').split_once('@'));
    locals.filter_map(|(local, _)| Some(local.split_once(['+', '='])?.1.to_owned())).collect()
}

fn brings_a_mail(part: &MessagePart<'_>) -> bool {
    let Some(found) = part.content_type() else { return false };
    let subtype = found.subtype().unwrap_or_default().to_ascii_lowercase();
    match found.ctype().to_ascii_lowercase().as_str() {
        "message" => matches!(subtype.as_str(), "rfc822" | "global"),
        "text" => subtype == "rfc822-headers",
        _ => false,
    }
}

fn date(mail: &Message<'_>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(mail.date()?.to_timestamp(), 0)
}

#[cfg(test)]
mod tests;
