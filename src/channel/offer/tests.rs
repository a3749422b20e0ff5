use bytes::Bytes;
use chrono::DateTime;
use chrono_tz::Tz;

use super::*;
use crate::channel::{File, Message, Parcel, account::Account};

fn config() -> AccountConfig {
    let mut config = AccountConfig::new("pickup:");
    config.links = Some("https://postbook.example.org/pickup".to_owned());
    config.link_secret = Some(Secret::from("0123456789abcdef0123456789abcdef"));
    config
}

fn offer(config: &AccountConfig, key: &str) -> Offer {
    Maker::open(config).unwrap().offer(key)
}

fn parcel(html: Option<&str>) -> Parcel {
    let file = |name: &str, size| File {
        name: name.to_owned(),
        media_type: "application/pdf".to_owned(),
        bytes: Bytes::from(vec![0; size]),
    };
    Parcel {
        key: "1-2-3".to_owned(),
        attempt: 1,
        series: 1,
        created_at: DateTime::UNIX_EPOCH,
        recipient: "Ann".to_owned(),
        contact: "ann@example.org".to_owned(),
        message: Message {
            subject: "Plans".to_owned(),
            text: "Good morning.\n".to_owned(),
            html: html.map(str::to_owned),
        },
        files: vec![file("a<b>.pdf", 25_400_000), file("c.pdf", 12)],
    }
}

#[test]
fn a_link_is_the_same_at_every_attempt_and_another_for_every_key_and_secret() {
    let mut other = config();
    other.link_secret = Some(Secret::from("another secret of thirty-two letters"));

    let link = offer(&config(), "1-2-3");

    assert_eq!(link.url(), offer(&config(), "1-2-3").url());
    assert_ne!(link.url(), offer(&config(), "1-2-4").url());
    assert_ne!(link.url(), offer(&other, "1-2-3").url());
    let token = link.url().rsplit('/').next().unwrap();
    assert_eq!(token.len(), 32);
    assert_eq!(of_link(token), Some(link.token.clone()));
}

#[test]
fn what_cannot_be_a_link_is_not_looked_up() {
    for token in ["", "a", "../../etc/passwd", &"A".repeat(31), &"A".repeat(33), &"=".repeat(32), &"é".repeat(16)] {
        assert_eq!(of_link(token), None, "{token}");
    }
}

#[test]
fn neither_the_link_nor_the_secret_shows() {
    let link = offer(&config(), "1-2-3");
    let account = Account::open("links", &config()).unwrap();
    let shown = format!("{link:?} {account:?} {:?}", config());
    assert!(!shown.contains(link.url().rsplit('/').next().unwrap()), "{shown}");
    assert!(!shown.contains("0123456789abcdef"), "{shown}");
}

#[test]
fn the_mail_has_the_link_the_names_and_the_end_and_no_files() {
    let link = offer(&config(), "1-2-3");
    let letter = link.letter(
        parcel(Some("<html><body><p>Hi</p></body></html>")),
        DateTime::UNIX_EPOCH.with_timezone(&Tz::Europe__Berlin),
    );

    assert!(letter.files.is_empty());
    assert_eq!(
        letter.message.text,
        format!(
            "Good morning.\n\nTo fetch the files:\n\n{}\n\n  a<b>.pdf (25.4 MB)\n  c.pdf (12 bytes)\n\n\
             The link is meant for you alone. It works until 1 January 1970, 01:00 CET.\n",
            link.url()
        )
    );
    let html = letter.message.html.unwrap();
    assert!(html.contains("a&lt;b&gt;.pdf (25.4 MB)") && html.ends_with("</p>\n</body></html>"), "{html}");
}

#[test]
fn what_took_the_link_has_not_got_the_files() {
    let proof = Proof { by: "mx".to_owned(), text: "250 Ok".to_owned() };
    let report = Report::new(Outcome::Delivered(proof)).accepted();
    assert!(matches!(report.outcome, Outcome::Accepted(proof) if proof.text.ends_with("250 Ok")));
}

#[test]
fn an_account_that_cannot_make_links_says_what_to_write() {
    type Change = fn(&mut AccountConfig);
    let cases: [(Change, &str); 6] = [
        (|it| it.url = "pickup://host".to_owned(), "what follows"),
        (|it| it.links = None, "`public` in the section [http]"),
        (|it| it.link_secret = None, "`link_secret`"),
        (|it| it.link_secret = Some(Secret::from("short")), "`link_secret`"),
        (|it| it.lifetime = Duration::ZERO, "`for`"),
        (|it| it.mail = Some("nobody".to_owned()), "`mail`"),
    ];
    for (change, expected) in cases {
        let mut config = config();
        change(&mut config);
        let error = Account::open("links", &config).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
