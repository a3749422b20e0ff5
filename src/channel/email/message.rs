//! The message itself: headers, a body in one or two forms, and the files as they are.
//!
//! The same parcel always becomes the same bytes, whatever the attempt: date, Message-ID and boundaries come from the
//! parcel, not from a clock or from chance, so that a receiver can recognise a repeat.

use std::time::SystemTime;

use lettre::{
    Message,
    address::Envelope,
    message::{
        Attachment, Body, Mailbox as Named, MessageBuilder, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};

use crate::{
    channel::{File, Parcel, token},
    contact::mailbox::Mailbox,
    reason::{Reason, Scope},
};

/// The bytes of the message from `from` to `to`, with line ends as SMTP wants them.
///
/// # Errors
/// A reason of document scope when the parcel cannot be made into a message.
pub(in crate::channel) fn build(from: &Named, to: &Mailbox, parcel: &Parcel) -> Result<Vec<u8>, Reason> {
    let builder = headers(from, to, parcel).map_err(unfit)?;
    let boundary = boundary(parcel);
    let message = if parcel.files.is_empty() {
        match text(parcel, &boundary) {
            Text::Plain(part) => builder.singlepart(part),
            Text::Both(parts) => builder.multipart(parts),
        }
    } else {
        let mixed = MultiPart::mixed().boundary(format!("{boundary}-files"));
        let mut parts = match text(parcel, &boundary) {
            Text::Plain(part) => mixed.singlepart(part),
            Text::Both(parts) => mixed.multipart(parts),
        };
        for file in &parcel.files {
            parts = parts.singlepart(attachment(file)?);
        }
        builder.multipart(parts)
    };
    message.map(|it| it.formatted()).map_err(unfit)
}

fn headers(from: &Named, to: &Mailbox, parcel: &Parcel) -> Result<MessageBuilder, lettre::error::Error> {
    let name = Some(parcel.recipient.clone()).filter(|name| !name.trim().is_empty());
    let id = format!("<{}@{}>", token::of_key(&parcel.key), from.email.domain());
    let mut message = Message::builder()
        .from(from.clone())
        .to(Named::new(name, to.address().clone()))
        .subject(&parcel.message.subject)
        .date(SystemTime::from(parcel.created_at))
        .message_id(Some(id))
        // Keeps answering machines from answering (RFC 3834).
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
    // Given outright, so that it is never read back out of a header that holds a name from outside.
    message = message.envelope(Envelope::new(Some(from.email.clone()), vec![to.address().clone()])?);
    Ok(message)
}

enum Text {
    Plain(SinglePart),
    Both(MultiPart),
}

fn text(parcel: &Parcel, boundary: &str) -> Text {
    let plain = SinglePart::plain(parcel.message.text.clone());
    match &parcel.message.html {
        None => Text::Plain(plain),
        Some(html) => {
            let both = MultiPart::alternative().boundary(format!("{boundary}-text"));
            Text::Both(both.singlepart(plain).singlepart(SinglePart::html(html.clone())))
        }
    }
}

fn attachment(file: &File) -> Result<SinglePart, Reason> {
    let media_type = ContentType::parse(&file.media_type).map_err(|_| bad_media_type(file))?;
    // Always base64: any other encoding would let line ends be changed on the way.
    let body = Body::new_with_encoding(file.bytes.to_vec(), ContentTransferEncoding::Base64)
        .map_err(|_| bad_media_type(file))?;
    Ok(Attachment::new(file.name.clone()).body(body, media_type))
}

/// A line that cannot stand in the texts it divides, because it is made from them.
fn boundary(parcel: &Parcel) -> String {
    let html = parcel.message.html.as_deref().unwrap_or_default();
    let mut digest = token::digest(&[parcel.key.as_bytes(), parcel.message.text.as_bytes(), html.as_bytes()]);
    digest.truncate(32);
    digest
}

fn bad_media_type(file: &File) -> Reason {
    let shown: String = file.media_type.chars().filter(|it| !it.is_control()).take(80).collect();
    let text = format!("`{shown}` is no media type; write one such as application/pdf");
    Reason::new(Scope::Document, "bad-media-type", text)
}

fn unfit(error: lettre::error::Error) -> Reason {
    Reason::new(Scope::Document, "bad-message", format!("no e-mail can be made of this: {error}"))
}

#[cfg(test)]
mod tests;
