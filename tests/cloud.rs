//! Services that fax and text over HTTP: what they are told, what their answers mean, how doubt is settled, and whose
//! callbacks are believed. The services run in the test's own process, as their published descriptions have them; no
//! account at a real one was used.

#[path = "cloud/doors.rs"]
mod doors;
#[path = "cloud/doubt.rs"]
mod doubt;
#[path = "cloud/faults.rs"]
mod faults;
#[path = "cloud/hearing.rs"]
mod hearing;
#[path = "cloud/preview.rs"]
mod preview;
#[path = "cloud/sending.rs"]
mod sending;
#[path = "cloud/services/mod.rs"]
mod services;
#[path = "cloud/texts.rs"]
mod texts;

mod harness;
mod peers;

use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use postbook::channel::{
    Asked, Callback, File, Heard, Message, Parcel, Unheard,
    account::{Account, AccountConfig},
};
use reqwest::header::HeaderMap;

/// Numbers that are nobody's in particular.
const FAX: &str = "+13125550002";
const MOBILE: &str = "+48601000001";

fn open(config: &AccountConfig) -> Account {
    Account::open("tested", config).unwrap()
}

/// With little patience, for what is never answered.
fn impatient(mut config: AccountConfig) -> AccountConfig {
    config.timeout = Duration::from_millis(500);
    config.final_timeout = config.timeout;
    config
}

fn parcel(key: &str, contact: &str) -> Parcel {
    Parcel {
        key: key.to_owned(),
        attempt: 1,
        series: 1,
        created_at: Utc::now(),
        recipient: "Ann Baker".to_owned(),
        contact: contact.to_owned(),
        message: Message { subject: "unseen".to_owned(), text: "Dzień dobry".to_owned(), html: None },
        files: Vec::new(),
    }
}

/// With one file of pages, as the engine makes them for a fax.
fn fax(key: &str) -> Parcel {
    let pages = Bytes::from_static(b"II*\0 pages \r\n\xff");
    let file = File { name: "fax.tiff".to_owned(), media_type: "image/tiff".to_owned(), bytes: pages };
    Parcel { files: vec![file], ..parcel(key, FAX) }
}

fn asked(parcel: &Parcel, reference: Option<&str>) -> Asked {
    Asked {
        key: parcel.key.clone(),
        reference: reference.map(str::to_owned),
        attempt: parcel.attempt,
        contact: parcel.contact.clone(),
        began_at: parcel.created_at,
    }
}

/// What `account` makes of a call to `url`, now.
fn hear(account: &Account, url: &str, headers: &HeaderMap, body: &[u8]) -> Result<Heard, Unheard> {
    account.hear(&Callback { method: "POST", url, headers, body, now: Utc::now() })
}

/// S4.8, with the text that the engine itself writes.
#[sqlx::test]
async fn a_monitor_is_told_by_sms_and_the_service_gets_the_words(db: sqlx::PgPool) {
    let server = services::smsapi::SmsApi::start();
    let config = server.account(services::SECRET);
    let app = harness::TestApp::start_on(db, |accounts| _ = accounts.insert("sms".to_owned(), config)).await;
    app.apply(&format!(
        r#"
        [[user]]
        name = "sam"
        title = "Sam"
        role = "operator"
        monitor = true
        monitor_channel = "sms"
        contacts = {{ sms = "{MOBILE}" }}

        [[batch]]
        name = "morning"
        workflow = "quick"
        run_as = "site-a"
        documents = [{{ document = "checklist" }}]
        recipients = [{{ name = "Ann", email = "refused@example.org" }}]
        "#
    ))
    .await;

    app.run("morning").await;
    postbook::sweep::alarm(&app.engine).await.unwrap();
    app.drain().await;

    let messages = server.service.messages.lock().unwrap().clone();
    let [message] = &messages[..] else { panic!("{} messages", messages.len()) };
    assert_eq!(format!("+{}", message.to), MOBILE);
    assert_eq!(message.text, "1 run failed, or a part of them");
    let accepted = "select count(*) from transmission where channel = 'sms' and state in ('accepted', 'delivered')";
    assert_eq!(app.count(accepted).await, 1);
}
