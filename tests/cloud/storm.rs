//! Two hundred of each while the service fails in every way, and is killed and started again: none is lost, and none
//! comes twice that was not in doubt.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::{StreamExt, stream};
use postbook::channel::{
    Outcome, Parcel, Settle, Standing,
    account::{Account, AccountConfig},
};
use tokio::time::interval;

use crate::{
    FAX, MOBILE, asked, fax, open, parcel,
    services::{Fault, SECRET, Server, Service, sinch::Sinch, smsapi::SmsApi, telnyx::Telnyx, twilio::Twilio},
};

/// How one of them ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Taken,
    /// A person has to look.
    Held,
}

/// What goes wrong, in turns; a third of all goes well.
fn faults(turn: usize) -> Option<Fault> {
    match turn % 9 {
        0 => Some(Fault::Lost),
        2 => Some(Fault::Cut),
        3 => Some(Fault::Says(500, "")),
        5 => Some(Fault::Busy(1)),
        6 => Some(Fault::Cut),
        7 => Some(Fault::Says(200, "?")),
        _ => None,
    }
}

/// Sends `parcel` as the engine does: what is put off is tried again, what is in doubt is settled as the account says.
async fn send(account: &Account, mut parcel: Parcel, fail: impl Fn()) -> End {
    let mut tries = interval(Duration::from_millis(10));
    for attempt in 1..200 {
        tries.tick().await;
        parcel.attempt = attempt;
        fail();
        match account.transmit(&parcel).await.outcome {
            Outcome::Accepted(_) | Outcome::Delivered(_) => return End::Taken,
            Outcome::Deferred { .. } => {}
            Outcome::Uncertain(_) => match account.settle() {
                Settle::Repeat => {}
                Settle::Hold => return End::Held,
                Settle::Ask => match ask(account, &parcel).await {
                    Some(Standing::Unknown) => {}
                    Some(_) => return End::Taken,
                    None => return End::Held,
                },
            },
            Outcome::Refused(reason) => panic!("{reason:?}"),
        }
    }
    panic!("{} does not get through", parcel.key);
}

/// What the service says of it, asked for as long as it may be away.
async fn ask(account: &Account, parcel: &Parcel) -> Option<Standing> {
    let mut looks = interval(Duration::from_millis(20));
    for _ in 0..15 {
        looks.tick().await;
        if let Ok(answer) = account.ask(&asked(parcel, None)).await {
            return Some(answer.standing);
        }
    }
    None
}

/// Sends two hundred, eight at a time, to a service that is killed three times; says how each ended.
async fn storm<S: Service>(
    server: &Server<S>,
    config: &AccountConfig,
    parcel: impl Fn(&str) -> Parcel,
) -> BTreeMap<String, End> {
    let account = open(&AccountConfig { connections: 8, ..config.clone() });
    let (turn, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let fail = || faults(turn.fetch_add(1, Ordering::Relaxed)).into_iter().for_each(|fault| server.fails_with(fault));
    let sending = stream::iter(0..200)
        .map(|number| {
            let key = format!("k{number}");
            let (account, done, parcel, fail) = (&account, &done, parcel(&key), &fail);
            async move {
                let end = send(account, parcel, fail).await;
                done.fetch_add(1, Ordering::Relaxed);
                (key, end)
            }
        })
        .buffer_unordered(8)
        .collect();
    let killing = async {
        for count in [30, 90, 150] {
            comes_to(&done, count).await;
            server.kill().await;
            // Until all have noticed.
            comes_to(&turn, turn.load(Ordering::Relaxed) + 20).await;
            server.restart();
        }
    };
    let (ends, ()) = tokio::join!(sending, killing);
    ends
}

async fn comes_to(count: &AtomicUsize, wanted: usize) {
    let mut looks = interval(Duration::from_millis(1));
    while count.load(Ordering::Relaxed) < wanted {
        looks.tick().await;
    }
}

/// How often each key is there.
fn counted(keys: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    keys.fold(BTreeMap::new(), |mut counts, key| {
        *counts.entry(key).or_default() += 1;
        counts
    })
}

fn once_each(ends: &BTreeMap<String, End>, taken: &BTreeMap<String, usize>) {
    assert_eq!(ends.len(), 200);
    for (key, end) in ends {
        assert_eq!((*end, taken.get(key).copied()), (End::Taken, Some(1)), "{key}");
    }
}

#[tokio::test]
async fn telnyx_faxes_each_once() {
    let server = Telnyx::start();
    let ends = storm(&server, &server.account(SECRET), fax).await;
    let faxes = server.service.faxes.lock().unwrap();
    once_each(&ends, &counted(faxes.iter().map(|fax| fax.key())));
}

#[tokio::test]
async fn sinch_faxes_each_once() {
    let server = Sinch::start();
    let ends = storm(&server, &server.account(SECRET), fax).await;
    let faxes = server.service.faxes.lock().unwrap();
    once_each(&ends, &counted(faxes.iter().map(|fax| fax.asked["labels"]["postbook"].as_str().unwrap().to_owned())));
}

#[tokio::test]
async fn smsapi_texts_each_once() {
    let server = SmsApi::start();
    let ends = storm(&server, &server.account(SECRET), |key| parcel(key, MOBILE)).await;
    let messages = server.service.messages.lock().unwrap();
    once_each(&ends, &counted(messages.iter().map(|message| message.idx.clone())));
}

#[tokio::test]
async fn twilio_texts_none_twice_and_leaves_what_it_cannot_tell_to_a_person() {
    let server = Twilio::start();
    let worded = |key: &str| {
        let mut parcel = parcel(key, FAX);
        parcel.message.text = key.to_owned();
        parcel
    };
    let ends = storm(&server, &server.account(SECRET), worded).await;

    let messages = server.service.messages.lock().unwrap();
    let taken = counted(messages.iter().map(|message| message.body.clone()));
    for (key, end) in &ends {
        let count = taken.get(key).copied().unwrap_or_default();
        assert!(count == 1 || (count == 0 && *end == End::Held), "{key}: {end:?}, {count} times");
    }
}
