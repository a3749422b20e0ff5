use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::DateTime;

use crate::channel::{File, Message, Parcel};

use super::*;

fn parcel(contact: &str) -> Parcel {
    Parcel {
        key: "k1".to_owned(),
        attempt: 1,
        series: 1,
        created_at: DateTime::UNIX_EPOCH,
        recipient: "Ann Baker".to_owned(),
        contact: contact.to_owned(),
        message: Message::default(),
        files: vec![File {
            name: "a.pdf".to_owned(),
            media_type: "application/pdf".to_owned(),
            bytes: Bytes::from_static(b"%PDF"),
        }],
    }
}

fn refusal(config: &AccountConfig) -> String {
    Account::open("mail", config).map(|account| account.channel()).unwrap_err().to_string()
}

#[test]
fn an_account_that_cannot_work_says_what_to_write() {
    type Change = fn(&mut AccountConfig);
    let cases: [(&str, Change, &str); 19] = [
        (
            "nonsense",
            |_| (),
            "`url` is none (relative URL without a base); write one such as smtp://user:password@mail.example.org:587, with %2F for a slash and %40 for an at sign in user name and password",
        ),
        (
            "pigeon://loft",
            |_| (),
            "there is no driver `pigeon`; the known ones are smtp, smtps, hylafax, faxmail, telnyx, sinch, smsapi, twilio, kannel, sftp, ftp, ftps, s3, webdav, folder, discard, pickup",
        ),
        ("smtp:", |_| (), "`url` names no host; write one such as smtp://mail.example.org:587"),
        (
            "smtp://host?tls=maybe",
            |_| (),
            "what follows the `?` in `url` is not known; write smtp://...?tls=starttls, tls=tls or tls=none",
        ),
        (
            "smtps://host?tls=none",
            |_| (),
            "what follows the `?` in `url` is not known; write smtp://...?tls=starttls, tls=tls or tls=none",
        ),
        (
            "smtp://user:%ff@host",
            |_| (),
            "user name and password in `url` are not UTF-8 once their percent signs are read",
        ),
        (
            "smtp://host",
            |it| it.from = None,
            "`from` is missing; write the sender, such as Reports <reports@example.org>",
        ),
        (
            "smtp://host",
            |it| it.from = Some("reports".to_owned()),
            "`from` cannot be read; write it as reports@example.org or Reports <reports@example.org>",
        ),
        (
            "smtp://host",
            |it| it.from = Some("Reports <reports@server>".to_owned()),
            "`from`: the domain `server` has no dot; write it in full, such as example.org",
        ),
        (
            "smtp://host",
            |it| it.channel = Some("fax".to_owned()),
            "`channel` cannot be `fax`; leave it out, or write `email`, `fax` or `sms` for a folder, any channel but pickup for discard",
        ),
        (
            "smtp://host",
            |it| it.ca = Some("/nowhere/ca.pem".into()),
            "`ca` cannot be used: /nowhere/ca.pem: No such file or directory (os error 2)",
        ),
        (
            "smtp://host",
            |it| it.connections = 0,
            "`connections` is 0; write how many each node may have open, such as 4",
        ),
        (
            "smtp://host",
            |it| it.refuse = vec!["*".to_owned()],
            "`refuse` is for rehearsals with folder and discard accounts only; take it out",
        ),
        (
            "hylafax://fax.example.org",
            |_| (),
            "`url` needs a host and a user, and no more; write one such as hylafax://user:password@fax.example.org",
        ),
        (
            "hylafax://reports@fax.example.org",
            |_| (),
            "`station` says the number of the line in at most 20 letters; write it such as +1 312 555 0001",
        ),
        (
            "faxmail://host",
            |it| it.fax.dial = Some("fax@example.org".to_owned()),
            "`dial` says which mailbox a number becomes; write {number}@fax.example.org or {digits}@fax.example.org",
        ),
        ("folder:", |_| (), "`url` names no folder; write one such as folder:///srv/outbox"),
        (
            "folder:///srv?format=doc",
            |_| (),
            "what follows the `?` in `url` is not known; write format=files or format=eml",
        ),
        (
            "folder:///srv?format=eml",
            |_| (),
            "`channel` cannot be `folder`; `format=eml` writes mails, so write `channel = \"email\"`",
        ),
    ];
    for (url, change, expected) in cases {
        let mut config = AccountConfig::new(url);
        config.from = Some("reports@example.org".to_owned());
        change(&mut config);
        assert_eq!(refusal(&config), format!("account `mail`: {expected}"), "{url}");
    }
}

#[test]
fn a_password_never_shows() {
    let mut config = AccountConfig::new("smtp://ann:hunter2@127.0.0.1:1");
    config.from = Some("reports@example.org".to_owned());
    let account = Account::open("mail", &config).unwrap();
    assert!(!format!("{config:?} {account:?}").contains("hunter2"));

    let wrong = AccountConfig::new("smtp://ann:1?hunter2@127.0.0.1");
    let error = Account::open("mail", &wrong).unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hunter2"));
}

#[test]
fn an_account_is_picked_by_channel_and_name() {
    let mut stand_in = AccountConfig::new("discard:");
    stand_in.channel = Some("email".to_owned());
    let configs = BTreeMap::from([
        ("a".to_owned(), AccountConfig::new("discard:")),
        ("b".to_owned(), stand_in.clone()),
        ("c".to_owned(), stand_in),
    ]);
    let channels = Channels::open(&configs).unwrap();
    let picked = |channel, wanted| channels.pick(channel, wanted).map(Account::name);

    assert_eq!(channels.channels().into_iter().collect::<Vec<_>>(), ["discard", "email"]);
    assert_eq!(picked("email", None), Some("b"));
    assert_eq!(picked("email", Some("c")), Some("c"));
    assert_eq!(picked("email", Some("a")), None);
    assert_eq!(picked("fax", None), None);
}

#[test]
fn all_accounts_that_cannot_work_are_named_at_once() {
    let configs = BTreeMap::from([
        ("a".to_owned(), AccountConfig::new("pigeon://loft")),
        ("b".to_owned(), AccountConfig::new("discard:")),
        ("c".to_owned(), AccountConfig::new("smtp://host")),
    ]);
    let errors = Channels::open(&configs).unwrap_err();
    assert_eq!(errors.iter().map(|it| it.account.as_str()).collect::<Vec<_>>(), ["a", "c"]);
}

#[tokio::test]
async fn a_rehearsal_refuses_the_contacts_it_is_told_to() {
    let mut config = AccountConfig::new("discard:");
    config.channel = Some("email".to_owned());
    config.refuse = vec!["refused@*".to_owned()];
    let account = Account::open("rehearsal", &config).unwrap();

    assert!(matches!(account.transmit(&parcel("ann@example.org")).await.outcome, Outcome::Delivered(_)));
    let refused = account.transmit(&parcel("refused@example.org")).await.outcome;
    assert_eq!(refused.reason().map(|it| it.code.as_str()), Some("rehearsal-550-5.1.1"));
}
