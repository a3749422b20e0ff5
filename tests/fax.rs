//! Faxes over real lines: HylaFAX with software modems, what arrives against what was sent, and what ends badly.

mod harness;
mod peers;

#[path = "fax/calls.rs"]
mod calls;
#[path = "fax/doubt.rs"]
mod doubt;
#[path = "fax/pages.rs"]
mod pages;
#[path = "fax/refusals.rs"]
mod refusals;
#[path = "fax/runs.rs"]
mod runs;
#[path = "fax/server.rs"]
mod server;
#[path = "fax/wire.rs"]
mod wire;

use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use postbook::channel::{
    Asked, File, Message, Outcome, Parcel, Standing,
    account::{Account, AccountConfig},
};

/// How long anything may take here. A call takes up to a minute and a half.
const PATIENCE: Duration = Duration::from_secs(240);

fn open(config: &AccountConfig) -> Account {
    Account::open("line", config).unwrap()
}

/// A parcel that nobody else sends.
fn parcel(number: &str, fax: Vec<u8>) -> Parcel {
    Parcel {
        key: format!("t{:032x}", rand::random::<u128>()),
        attempt: 1,
        series: 1,
        created_at: Utc::now(),
        recipient: "Yard office".to_owned(),
        contact: number.to_owned(),
        message: Message::default(),
        files: vec![File { name: "fax.tif".to_owned(), media_type: "image/tiff".to_owned(), bytes: Bytes::from(fax) }],
    }
}

/// The question what became of a parcel, without anything that the server said of it.
fn asked(parcel: &Parcel) -> Asked {
    Asked {
        key: parcel.key.clone(),
        reference: None,
        attempt: parcel.attempt,
        contact: parcel.contact.clone(),
        began_at: parcel.created_at,
    }
}

/// Sends `parcel`, and gives the question about it.
async fn send(account: &Account, parcel: &Parcel) -> Asked {
    let report = account.transmit(parcel).await;
    assert!(matches!(report.outcome, Outcome::Accepted(_)), "{report:?}");
    Asked { reference: Some(report.reference.expect("a job has a number")), ..asked(parcel) }
}

/// Asks until there is a last word, and gives it with its transcript; `see` is told of each word before.
async fn last_word(account: &Account, asked: &Asked, mut see: impl FnMut(&str)) -> (Standing, String) {
    let mut looks = tokio::time::interval(Duration::from_millis(250));
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            looks.tick().await;
            let answer = account.ask(asked).await.unwrap();
            match answer.standing {
                Standing::Underway(words) => see(&words),
                standing => return (standing, answer.transcript),
            }
        }
    });
    waited.await.expect("a last word in time")
}
