//! Text messages through a real Kannel and the message centre behind it.

mod peers;
#[path = "cloud/services/mod.rs"]
mod services;

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use chrono::Utc;
use postbook::{
    channel::{
        About, Callback, Message, Outcome, Parcel, Standing, Word,
        account::{Account, AccountConfig},
    },
    reason::Scope,
};
use reqwest::header::HeaderMap;

use peers::{Kannel, Postfix};
use services::{Answer, Call, Server, Service};

/// How long reports may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where Kannel calls back.
#[derive(Default)]
struct Door {
    urls: Mutex<Vec<String>>,
}

impl Service for Door {
    fn answer(&self, call: &Call) -> Answer {
        let pairs = call.query.iter().map(|(name, value)| {
            let encode = |text| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
            format!("{}={}", encode(name), encode(value))
        });
        let url = format!("http://postbook.test{}?{}", call.path, pairs.collect::<Vec<_>>().join("&"));
        self.urls.lock().unwrap().push(url);
        Answer { status: 200, body: String::new() }
    }

    fn sends(&self, _call: &Call) -> bool {
        false
    }
}

impl Door {
    /// What `account` makes of all that was said here.
    fn words(&self, account: &Account) -> Vec<Word> {
        let urls = self.urls.lock().unwrap();
        let heard = urls.iter().map(|url| {
            let headers = HeaderMap::new();
            account.hear(&Callback { method: "GET", url, headers: &headers, body: b"", now: Utc::now() }).unwrap()
        });
        heard.flat_map(|heard| heard.words).collect()
    }

    /// The last word about each key that is no mere progress, once there are as many as `expected`.
    async fn ends(&self, account: &Account, expected: usize) -> BTreeMap<String, Standing> {
        let ends = || -> BTreeMap<_, _> {
            let words = self.words(account).into_iter().filter(|word| !matches!(word.standing, Standing::Underway(_)));
            words.map(|word| (key(&word), word.standing)).collect()
        };
        until(|| ends().len() >= expected).await;
        ends()
    }
}

fn key(word: &Word) -> String {
    let About::Attempt(key, 1) = &word.about else { panic!("{word:?}") };
    key.clone()
}

async fn until(happened: impl Fn() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(50));
    let waited = tokio::time::timeout(PATIENCE, async {
        while !happened() {
            look.tick().await;
        }
    });
    waited.await.expect("it did not happen in time");
}

fn parcel(key: &str, contact: &str, text: &str) -> Parcel {
    Parcel {
        key: key.to_owned(),
        attempt: 1,
        series: 1,
        created_at: Utc::now(),
        recipient: "Ann Baker".to_owned(),
        contact: contact.to_owned(),
        message: Message { subject: String::new(), text: text.to_owned(), html: None },
        files: Vec::new(),
    }
}

fn hearing(mut config: AccountConfig, door: &Server<Door>) -> Account {
    config.callback = Some(format!("http://{}/callbacks/sms", door.address));
    Account::open("kannel", &config).unwrap()
}

#[tokio::test]
async fn each_report_of_the_message_centre_comes_back_with_its_meaning() {
    let (kannel, door) = (Kannel::running(), Server::start(Door::default()));
    let account = hearing(kannel.account(), &door);
    let cases =
        [("delivered", "100"), ("throttled", "400"), ("undelivered", "500"), ("no number", "401"), ("full", "402")];
    for (key, end) in cases {
        let report = account.transmit(&parcel(key, &Kannel::number(end), "Zażółć gęślą jaźń")).await;
        assert!(matches!(report.outcome, Outcome::Accepted(_)), "{key}: {report:?}");
    }

    let ends = door.service.ends(&account, 4).await;

    let scope = |key: &str| match &ends[key] {
        Standing::Failed(reason) => (reason.scope, reason.code.clone()),
        other => panic!("{key}: {other:?}"),
    };
    assert!(matches!(ends["delivered"], Standing::Delivered(_)), "{ends:?}");
    assert!(matches!(ends["throttled"], Standing::Delivered(_)), "{ends:?}");
    assert_eq!(scope("undelivered"), (Scope::Attempt, "sms-undelivered".to_owned()));
    assert_eq!(scope("no number"), (Scope::Contact, "sms-bad-number".to_owned()));
    let underway = door.service.words(&account).into_iter().filter(|it| matches!(it.standing, Standing::Underway(_)));
    assert!(underway.map(|it| key(&it)).any(|key| key == "delivered"), "the centre said that it took it, too");
}

#[tokio::test]
async fn a_text_arrives_in_the_alphabet_it_was_counted_in() {
    let kannel = Kannel::running();
    let account = Account::open("kannel", &kannel.account()).unwrap();
    for (text, coding) in [("Grüße [€] {~}\nAnn", 0), ("Zażółć gęślą jaźń, 日本 🎉", 8)] {
        let number = Kannel::number("100");
        let report = account.transmit(&parcel("k1", &number, text)).await;
        // Nobody is told of what becomes of it, so that it is delivered as far as can be known.
        assert!(matches!(report.outcome, Outcome::Delivered(_)), "{report:?}");
        let taken = kannel.taken(&number, 1).await;
        assert_eq!((taken[0].text.as_str(), taken[0].coding), (text, coding));
    }
}

#[tokio::test]
async fn a_long_text_comes_in_as_many_parts_as_it_was_counted() {
    let kannel = Kannel::running();
    let account = Account::open("kannel", &kannel.account()).unwrap();
    let (number, text) = (Kannel::number("100"), "Grüße, € ".repeat(60));
    let report = account.transmit(&parcel("k1", &number, &text)).await;

    let parts = postbook::contact::sms::count(text.trim()).parts;
    assert!(format!("{report:?}").contains(&format!("{parts} parts as GSM-7")), "{report:?}");
    let taken = kannel.taken(&number, parts).await;
    assert_eq!(taken.iter().map(|it| it.text.as_str()).collect::<String>(), text.trim());
    assert_eq!(taken.len(), parts);
}

#[tokio::test]
async fn a_service_whose_certificate_nobody_vouches_for_is_told_nothing() {
    // A server of another kind, whose certificate is by an authority of its own.
    let tls = Postfix::running().tls("").url;
    let address = tls.rsplit('@').next().unwrap();
    let account = Account::open("kannel", &AccountConfig::new(format!("kannel://us:s3cret@{address}"))).unwrap();
    let report = account.transmit(&parcel("k1", &Kannel::number("100"), "hello")).await;
    let Outcome::Refused(reason) = &report.outcome else { panic!("{report:?}") };
    assert_eq!((reason.scope, reason.code.as_str(), report.for_anybody), (Scope::Account, "http-certificate", true));
    assert!(reason.text.contains("name its authority as the account's `ca`"), "{reason:?}");
}
