//! What became of something: doubt that is settled by asking, and what services say when they are asked.

use postbook::{
    channel::{Outcome, Parcel, Settle, Standing, account::AccountConfig},
    reason::Scope,
};

use crate::{
    FAX, MOBILE, asked, fax, impatient, open, parcel,
    services::{Fault, SECRET, Server, Service, sinch::Sinch, smsapi::SmsApi, telnyx::Telnyx, twilio::Twilio},
};

/// A fax of which the service made something is told from one that it never heard of, from other transmissions' to the
/// same number, and from earlier attempts.
async fn is_found_by_its_attempt<S: Service>(server: &Server<S>, config: &AccountConfig) {
    let account = open(config);
    assert_eq!(account.settle(), Settle::Ask);
    for other in ["k1", "k2"] {
        account.transmit(&fax(other)).await;
    }
    let second = Parcel { attempt: 2, ..fax("k1") };
    server.fails_with(Fault::Lost);
    assert_eq!(account.transmit(&second).await.outcome.name(), "uncertain");
    assert_eq!(account.ask(&asked(&second, None)).await.unwrap().standing, Standing::Unknown);

    server.fails_with(Fault::Cut);
    assert_eq!(account.transmit(&second).await.outcome.name(), "uncertain");
    let answer = account.ask(&asked(&second, None)).await.unwrap();
    assert!(matches!(answer.standing, Standing::Underway(_)) && answer.reference.is_some(), "{answer:?}");
    assert!(!answer.transcript.contains(SECRET) && !answer.transcript.is_empty(), "{answer:?}");
    let known = account.ask(&asked(&second, answer.reference.as_deref())).await.unwrap();
    assert_eq!((known.reference, known.standing), (answer.reference, answer.standing));
}

#[tokio::test]
async fn a_fax_whose_answer_was_lost_is_found_by_its_attempt() {
    let (telnyx, sinch) = (Telnyx::start(), Sinch::start());
    is_found_by_its_attempt(&telnyx, &telnyx.account(SECRET)).await;
    is_found_by_its_attempt(&sinch, &sinch.account(SECRET)).await;
}

#[tokio::test]
async fn a_text_whose_answer_was_lost_is_sent_again_to_smsapi_and_taken_once() {
    let server = SmsApi::start();
    let (account, parcel) = (open(&server.account(SECRET)), parcel("k1", MOBILE));
    assert_eq!(account.settle(), Settle::Repeat);

    for fault in [Fault::Lost, Fault::Cut, Fault::Mute] {
        server.fails_with(fault);
        let report = open(&impatient(server.account(SECRET))).transmit(&parcel).await;
        assert_eq!(report.outcome.name(), "uncertain", "{report:?}");
    }
    let report = account.transmit(&parcel).await;

    assert!(matches!(report.outcome, Outcome::Accepted(_)), "{report:?}");
    assert_eq!(server.service.messages.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_text_whose_answer_was_lost_is_looked_for_at_twilio_and_left_to_a_person_when_it_may_be_there() {
    let server = Twilio::start();
    let (account, parcel) = (open(&server.account(SECRET)), parcel("k1", FAX));
    assert_eq!(account.settle(), Settle::Ask);

    server.fails_with(Fault::Lost);
    account.transmit(&parcel).await;
    assert_eq!(account.ask(&asked(&parcel, None)).await.unwrap().standing, Standing::Unknown);

    server.fails_with(Fault::Cut);
    account.transmit(&parcel).await;
    let reason = account.ask(&asked(&parcel, None)).await.unwrap_err();
    let sid = server.service.messages.lock().unwrap()[0].sid.clone();
    assert_eq!(reason.code, "cannot-be-told-apart");
    assert!(reason.text.contains(&sid), "{reason:?}");
    // One from yesterday is not it.
    server.service.messages.lock().unwrap()[0].created_at -= chrono::TimeDelta::days(1);
    assert_eq!(account.ask(&asked(&parcel, None)).await.unwrap().standing, Standing::Unknown);
}

/// `delivered`, `deferred contact` and so on.
fn told(standing: &Standing) -> String {
    let scope = |scope: Scope| format!("{scope:?}").to_lowercase();
    match standing {
        Standing::Underway(_) => "underway".to_owned(),
        Standing::Delivered(_) => "delivered".to_owned(),
        Standing::Deferred { reason, .. } => format!("deferred {}", scope(reason.scope)),
        Standing::Failed(reason) => format!("failed {}", scope(reason.scope)),
        Standing::Unknown => "unknown".to_owned(),
    }
}

#[tokio::test]
async fn telnyx_says_how_a_fax_stands() {
    let server = Telnyx::start();
    let (account, parcel) = (open(&server.account(SECRET)), fax("k1"));
    let report = account.transmit(&parcel).await;
    for (status, failure, expected) in [
        ("queued", None, "underway"),
        ("sending", None, "underway"),
        ("something new", None, "underway"),
        ("delivered", None, "delivered"),
        ("failed", Some("user_busy"), "deferred attempt"),
        ("failed", Some("receiver_unallocated_number"), "failed contact"),
        ("failed", Some("page_count_limit_exceeded"), "failed document"),
        ("failed", Some("account_disabled"), "failed account"),
        ("failed", None, "deferred attempt"),
    ] {
        {
            let fax = &mut server.service.faxes.lock().unwrap()[0];
            fax.status = status.to_owned();
            fax.failure_reason = failure.map(str::to_owned);
        }
        let answer = account.ask(&asked(&parcel, report.reference.as_deref())).await.unwrap();
        assert_eq!(told(&answer.standing), expected, "{status} {failure:?}");
    }
    let reason = account.ask(&asked(&parcel, Some("../faxes"))).await.unwrap_err();
    assert_eq!(reason.code, "http-404", "what it numbered itself is never taken for unheard of: {reason:?}");
}

#[tokio::test]
async fn sinch_says_how_a_fax_stands() {
    let server = Sinch::start();
    let (account, parcel) = (open(&server.account(SECRET)), fax("k1"));
    let report = account.transmit(&parcel).await;
    for (status, error, expected) in [
        ("QUEUED", None, "underway"),
        ("IN_PROGRESS", None, "underway"),
        ("COMPLETED", None, "delivered"),
        ("FAILURE", Some(("CALL_ERROR", 17)), "deferred attempt"),
        ("FAILURE", Some(("CALL_ERROR", 49)), "failed contact"),
        ("FAILURE", Some(("DOCUMENT_CONVERSION_ERROR", 133)), "failed document"),
        ("FAILURE", Some(("FAX_ERROR", 133)), "failed account"),
        ("FAILURE", None, "deferred attempt"),
    ] {
        {
            let fax = &mut server.service.faxes.lock().unwrap()[0];
            (fax.status, fax.error) = (status.to_owned(), error);
        }
        let answer = account.ask(&asked(&parcel, report.reference.as_deref())).await.unwrap();
        assert_eq!(told(&answer.standing), expected, "{status} {error:?}");
    }
}

#[tokio::test]
async fn smsapi_and_twilio_say_how_a_text_stands() {
    let (smsapi, twilio) = (SmsApi::start(), Twilio::start());
    let (account, text) = (open(&smsapi.account(SECRET)), parcel("k1", MOBILE));
    let report = account.transmit(&text).await;
    for (status, expected) in [
        ("QUEUE", "underway"),
        ("SENT", "underway"),
        ("DELIVERED", "delivered"),
        ("UNDELIVERED", "failed attempt"),
        ("REJECTED", "failed contact"),
        ("FAILED", "deferred attempt"),
    ] {
        smsapi.service.messages.lock().unwrap()[0].status = status;
        let answer = account.ask(&asked(&text, report.reference.as_deref())).await.unwrap();
        assert_eq!(told(&answer.standing), expected, "{status}");
    }
    assert_eq!(account.ask(&asked(&text, Some("nobody"))).await.unwrap_err().code, "smsapi-unknown");

    let (account, text) = (open(&twilio.account(SECRET)), parcel("k1", FAX));
    let report = account.transmit(&text).await;
    for (status, code, expected) in [
        ("sending", None, "underway"),
        ("sent", None, "underway"),
        ("delivered", None, "delivered"),
        ("undelivered", Some(30003), "deferred attempt"),
        ("undelivered", Some(30005), "failed contact"),
        ("failed", Some(30007), "failed document"),
        ("canceled", None, "failed attempt"),
    ] {
        {
            let message = &mut twilio.service.messages.lock().unwrap()[0];
            (message.status, message.error_code) = (status, code);
        }
        let answer = account.ask(&asked(&text, report.reference.as_deref())).await.unwrap();
        assert_eq!(told(&answer.standing), expected, "{status} {code:?}");
    }
}
