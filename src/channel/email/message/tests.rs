use bytes::Bytes;
use chrono::DateTime;
use mail_parser::{MessageParser, MimeHeaders};
use proptest::prelude::*;

use crate::channel;

use super::*;

fn parcel() -> Parcel {
    Parcel {
        key: "run-7_3".to_owned(),
        attempt: 1,
        series: 1,
        created_at: DateTime::from_timestamp(1_775_023_200, 0).unwrap(),
        recipient: "Ann Baker".to_owned(),
        contact: "ann@example.org".to_owned(),
        message: channel::Message {
            subject: "Open orders".to_owned(),
            text: "Good morning,\n.\nyours".to_owned(),
            html: None,
        },
        files: Vec::new(),
    }
}

fn file(name: &str, bytes: &[u8]) -> File {
    File { name: name.to_owned(), media_type: "application/pdf".to_owned(), bytes: Bytes::copy_from_slice(bytes) }
}

fn built(parcel: &Parcel) -> Vec<u8> {
    let from = "Zentrale Größe <reports@site.example>".parse().unwrap();
    build(&from, &Mailbox::parse("ann@example.org").unwrap(), parcel).unwrap()
}

fn parsed(bytes: &[u8]) -> mail_parser::Message<'_> {
    MessageParser::default().parse(bytes).unwrap()
}

#[test]
fn a_message_says_from_whom_to_whom_and_when() {
    let bytes = built(&parcel());
    let message = parsed(&bytes);

    assert_eq!(message.message_id(), Some("run-7_3@site.example"));
    assert_eq!(message.date().map(|it| it.to_timestamp()), Some(1_775_023_200));
    assert_eq!(message.header_raw("Auto-Submitted").map(str::trim), Some("auto-generated"));
    let from = message.from().and_then(|it| it.first()).unwrap();
    assert_eq!((from.name(), from.address()), (Some("Zentrale Größe"), Some("reports@site.example")));
    let to = message.to().and_then(|it| it.first()).unwrap();
    assert_eq!((to.name(), to.address()), (Some("Ann Baker"), Some("ann@example.org")));
    assert_eq!(message.body_text(0).as_deref(), Some("Good morning,\r\n.\r\nyours\r\n"));
}

#[test]
fn every_attempt_sends_the_same_bytes() {
    let mut first = parcel();
    first.message.html = Some("<p>Good morning</p>".to_owned());
    first.files = vec![file("a.pdf", b"%PDF")];
    let again = Parcel { attempt: 2, ..first.clone() };
    let other = Parcel { key: "run-7_4".to_owned(), ..first.clone() };

    assert_eq!(built(&first), built(&again));
    assert_ne!(built(&first), built(&other));
}

#[test]
fn a_message_carries_both_texts_and_all_files() {
    let mut parcel = parcel();
    parcel.message.html = Some("<p>Grüße</p>".to_owned());
    parcel.files = vec![
        file("Größe 日本 🎉.pdf", b"%PDF \r\n \n \r \0 \xff"),
        file("a\"b;c.pdf", b""),
        file(&"n".repeat(200), b"x"),
    ];
    let bytes = built(&parcel);
    let message = parsed(&bytes);

    assert!(bytes.is_ascii());
    assert_eq!(message.body_text(0).as_deref(), Some("Good morning,\r\n.\r\nyours"));
    assert_eq!(message.body_html(0).as_deref(), Some("<p>Grüße</p>"));
    let files: Vec<_> = message.attachments().map(|it| (it.attachment_name().unwrap(), it.contents())).collect();
    let sent: Vec<_> = parcel.files.iter().map(|it| (it.name.as_str(), &it.bytes[..])).collect();
    assert_eq!(files, sent);
}

#[test]
fn a_media_type_that_is_none_is_refused() {
    let mut parcel = parcel();
    parcel.files = vec![File { media_type: "application/pdf\r\nX-Evil: 1".to_owned(), ..file("a.pdf", b"x") }];
    let from = "reports@site.example".parse().unwrap();
    let reason = build(&from, &Mailbox::parse("ann@example.org").unwrap(), &parcel).unwrap_err();
    assert_eq!((reason.scope, reason.code.as_str()), (Scope::Document, "bad-media-type"));
}

proptest! {
    #[test]
    fn names_and_subjects_arrive_as_they_were_written(
        subject in r#"[^\p{Cc}\p{Zs}]{1,10}( [^\p{Cc}\p{Zs}]{1,30}){0,6}"#,
        name in r#"[a-zA-Zéß日🎉"<>@,;:\\().]{1,20}( [a-zA-Zéß日"<>@,;:\\().]{1,20}){0,3}"#,
    ) {
        let mut parcel = parcel();
        parcel.message.subject = subject.clone();
        parcel.recipient = name;
        let bytes = built(&parcel);
        let message = parsed(&bytes);

        prop_assert_eq!(message.subject(), Some(subject.as_str()));
        let addresses: Vec<_> = message.to().unwrap().iter().filter_map(|it| it.address()).collect();
        prop_assert_eq!(addresses, ["ann@example.org"]);
        prop_assert_eq!(message.from().unwrap().iter().count(), 1);
        prop_assert!(message.bcc().is_none() && message.cc().is_none());
    }

    #[test]
    fn bodies_and_files_arrive_as_they_were_written(
        text in r"[^\p{Cc}]{0,40}(\n[^\p{Cc}]{0,40}){0,5}",
        content in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut parcel = parcel();
        parcel.message.text = text.clone();
        parcel.files = vec![file("a.pdf", &content)];
        let bytes = built(&parcel);
        let message = parsed(&bytes);

        let body = message.body_text(0).unwrap_or_default().replace("\r\n", "\n");
        prop_assert_eq!(body, text);
        prop_assert_eq!(message.attachments().next().unwrap().contents(), content);
    }
}
