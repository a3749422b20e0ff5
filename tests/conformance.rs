//! What every channel promises, held against each of them with the server it is for.

mod peers;
#[path = "cloud/services/mod.rs"]
mod services;

#[path = "conformance/breaks.rs"]
mod breaks;
#[path = "conformance/line.rs"]
mod line;
#[path = "conformance/log.rs"]
mod log;
#[path = "conformance/way.rs"]
mod way;

use std::time::Duration;

use postbook::{
    channel::{
        Asked, Outcome, Parcel, Report,
        account::{Account, AccountConfig},
    },
    reason::Scope,
};

use url::Url;
use way::{Deferred, Way, digests, file, open};

fn scope_of_refusal(report: &Report) -> Option<Scope> {
    match &report.outcome {
        Outcome::Refused(reason) => Some(reason.scope),
        _ => None,
    }
}

fn went_out(report: &Report) -> bool {
    matches!(report.outcome, Outcome::Accepted(_) | Outcome::Delivered(_))
}

#[tokio::test]
async fn documents_arrive_byte_for_byte() {
    for way in Way::all() {
        let parcel = way.parcel();

        let report = way.account.transmit(&parcel).await;

        let (Outcome::Accepted(proof) | Outcome::Delivered(proof)) = &report.outcome else {
            panic!("{}: {report:?}", way.name)
        };
        assert!(!proof.by.is_empty() && !proof.text.is_empty(), "{}", way.name);
        let arrived = way.far.arrived(&parcel, 1).await;
        assert_eq!(arrived.len(), 1, "{}", way.name);
        assert_eq!(arrived[0].files, digests(&parcel), "{}", way.name);
    }
}

#[tokio::test]
async fn a_repeat_is_recognised_by_its_identity() {
    for way in Way::all() {
        let parcel = way.parcel();
        let again = Parcel { attempt: 2, ..parcel.clone() };

        for parcel in [&parcel, &again] {
            let report = way.account.transmit(parcel).await;
            assert!(went_out(&report), "{}: {report:?}", way.name);
        }

        let arrived = way.far.arrived(&parcel, way.repeats).await;
        assert_eq!(arrived.len(), way.repeats, "{}", way.name);
        assert!(arrived.iter().all(|it| *it == arrived[0]), "{}: {arrived:?}", way.name);
    }
}

#[tokio::test]
async fn a_contact_the_far_side_does_not_know_is_refused_as_such() {
    for way in Way::all() {
        let report = way.account.transmit(&Parcel { contact: way.bad.clone(), ..way.parcel() }).await;
        assert_eq!(scope_of_refusal(&report), Some(Scope::Contact), "{}: {report:?}", way.name);
    }
}

#[tokio::test]
async fn what_cannot_be_served_now_is_deferred_with_a_reason() {
    for way in Way::all() {
        let report = match &way.deferred {
            Deferred::Contact(contact) => {
                way.account.transmit(&Parcel { contact: contact.clone(), ..way.parcel() }).await
            }
            Deferred::Account(account) => account.transmit(&way.parcel()).await,
        };
        let Outcome::Deferred { reason, .. } = &report.outcome else { panic!("{}: {report:?}", way.name) };
        assert!(!reason.code.is_empty() && !reason.text.is_empty(), "{}", way.name);
    }
}

#[tokio::test]
async fn whoever_says_when_to_come_back_is_believed() {
    let mut named = 0;
    for way in Way::all().iter().filter(|way| way.far.is_busy_for(7)) {
        let report = way.account.transmit(&way.parcel()).await;
        let Outcome::Deferred { after, .. } = &report.outcome else { panic!("{}: {report:?}", way.name) };
        assert_eq!(*after, Some(Duration::from_secs(7)), "{}", way.name);
        named += 1;
    }
    assert_eq!(named, 4);
}

/// The same account with another password, where there is any.
fn misremembered(config: &AccountConfig) -> Option<Account> {
    let mut url: Url = config.url.parse().unwrap();
    url.password()?;
    url.set_password(Some("forgotten")).unwrap();
    Some(open(&AccountConfig { url: url.to_string(), ..config.clone() }))
}

#[tokio::test]
async fn a_wrong_password_is_the_fault_of_the_account() {
    let mut tried = Vec::new();
    for way in Way::all() {
        let Some(account) = way.config.as_ref().and_then(misremembered) else { continue };
        let report = account.transmit(&way.parcel()).await;
        let reason = report.outcome.reason().unwrap_or_else(|| panic!("{}: {report:?}", way.name));
        assert_eq!(reason.scope, Scope::Account, "{}: {report:?}", way.name);
        // S3 does not say whether it knows the key or only keeps it from this folder.
        assert_eq!(report.for_anybody, way.name != "s3", "{}: {report:?}", way.name);
        assert!(account.probe().await.is_err(), "{}", way.name);
        tried.push(way.name);
    }
    assert!(tried.len() > 10, "{tried:?}");
}

#[tokio::test]
async fn secrets_are_in_no_log_however_much_is_logged() {
    log::keep();
    for way in Way::all() {
        let parcel = way.parcel();
        let _ = way.account.probe().await;
        way.account.transmit(&parcel).await;
        way.account.transmit(&Parcel { contact: way.bad.clone(), ..way.parcel() }).await;
        if let Deferred::Account(account) = &way.deferred {
            account.transmit(&way.parcel()).await;
        }
        let Parcel { key, contact, created_at, attempt, .. } = parcel;
        let _ = way.account.ask(&Asked { key, reference: None, attempt, contact, began_at: created_at }).await;
        tracing::trace!("done with {}", way.name);

        let said = log::text();
        assert!(said.contains(&format!("done with {}", way.name)), "it is logged");
        for secret in &way.secrets {
            let line = said.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{}", way.name);
        }
    }
    for library in ["russh", "hyper_util", "rustls", "suppaftp"] {
        assert_eq!(log::text().contains(&format!(" {library}")), library != "suppaftp", "what {library} says");
    }
}

#[tokio::test]
async fn a_transcript_is_kept_without_secrets_or_contents() {
    for way in Way::all() {
        let mut parcel = way.parcel();
        parcel.message.text = "nobody else may read this".to_owned();

        let report = way.account.transmit(&parcel).await;

        assert!(!report.transcript.is_empty(), "{}", way.name);
        let all = format!("{report:?} {:?}", way.account);
        for secret in way.secrets.iter().map(String::as_str).chain(["nobody else may read this"]) {
            assert!(!all.contains(secret), "{}: {all}", way.name);
        }
    }
}

#[tokio::test]
async fn line_breaks_in_subjects_and_names_are_refused() {
    for way in Way::all() {
        let mut subject = way.parcel();
        subject.message.subject = "Hello\r\nBcc: eve@test.local".to_owned();
        let mut name = way.parcel();
        name.recipient = "Ann\nBcc: eve@test.local".to_owned();
        let mut contact = way.parcel();
        contact.contact = format!("{}\r\nRCPT TO:<eve@test.local>", way.good);

        for (parcel, scope) in [(subject, Scope::Document), (name, Scope::Contact), (contact, Scope::Contact)] {
            let report = way.account.transmit(&parcel).await;
            assert_eq!(scope_of_refusal(&report), Some(scope), "{}: {report:?}", way.name);
        }
    }
}

#[tokio::test]
async fn file_names_never_lead_anywhere() {
    for way in Way::all().into_iter().filter(Way::takes_files) {
        for name in ["../../etc/passwd", "/etc/passwd", "..", "", "a\r\nb.pdf", "a\0.pdf", &"n".repeat(1 << 20)] {
            let mut parcel = way.parcel();
            parcel.files = vec![file(name, b"x")];
            let report = way.account.transmit(&parcel).await;
            assert_eq!(scope_of_refusal(&report), Some(Scope::Document), "{}: {name:.20}", way.name);
        }
    }
}

#[tokio::test]
async fn a_name_of_a_megabyte_is_refused_and_an_odd_one_arrives() {
    for way in Way::all() {
        let mut parcel = way.parcel();
        parcel.recipient = "n".repeat(1 << 20);
        let report = way.account.transmit(&parcel).await;
        assert_eq!(scope_of_refusal(&report), Some(Scope::Contact), "{}", way.name);

        parcel.recipient = r#"🎉 "Ann" <eve@test.local>, Ben;"#.to_owned();
        parcel.key = "../ key\r\nof anything".to_owned();
        let report = way.account.transmit(&parcel).await;
        assert!(went_out(&report), "{}: {report:?}", way.name);
    }
}

#[tokio::test]
async fn a_probe_tells_what_it_saw() {
    for way in Way::all() {
        assert!(!way.account.probe().await.unwrap().is_empty(), "{}", way.name);
        if let Deferred::Account(account) = &way.deferred {
            assert!(account.probe().await.is_err(), "{}", way.name);
        }
    }
}
