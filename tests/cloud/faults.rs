//! What goes wrong, by how far it reaches: the same for every service.

use std::{net::TcpListener, time::Duration};

use postbook::{
    channel::{Outcome, Parcel, Report, account::AccountConfig},
    reason::Scope,
};

use crate::{
    FAX, MOBILE, fax, impatient, open, parcel,
    services::{Fault, SECRET, Server, Service, sinch::Sinch, smsapi::SmsApi, telnyx::Telnyx, twilio::Twilio},
};

/// A service with what it is tested with.
struct Tested {
    name: &'static str,
    account: Box<dyn Fn(&str) -> AccountConfig>,
    fail: Box<dyn Fn(Fault)>,
    parcel: Parcel,
}

fn tested<S: Service>(
    name: &'static str,
    server: Server<S>,
    account: fn(&Server<S>, &str) -> AccountConfig,
    parcel: Parcel,
) -> Tested {
    let server = std::sync::Arc::new(server);
    let ours = server.clone();
    let account = Box::new(move |secret: &str| impatient(account(&ours, secret)));
    Tested { name, account, fail: Box::new(move |fault| server.fails_with(fault)), parcel }
}

fn all() -> [Tested; 4] {
    [
        tested("telnyx", Telnyx::start(), Server::<Telnyx>::account, fax("k1")),
        tested("sinch", Sinch::start(), Server::<Sinch>::account, fax("k1")),
        tested("smsapi", SmsApi::start(), Server::<SmsApi>::account, parcel("k1", MOBILE)),
        tested("twilio", Twilio::start(), Server::<Twilio>::account, parcel("k1", FAX)),
    ]
}

fn told(report: &Report) -> (&'static str, Option<Scope>, bool) {
    (report.outcome.name(), report.outcome.reason().map(|it| it.scope), report.for_anybody)
}

#[tokio::test]
async fn a_secret_that_is_wrong_is_the_accounts_fault_and_shows_nowhere() {
    for tested in all() {
        let account = open(&(tested.account)("wr0ng"));
        let report = account.transmit(&tested.parcel).await;
        assert_eq!(told(&report), ("refused", Some(Scope::Account), true), "{}: {report:?}", tested.name);
        let fault = account.probe().await.unwrap_err();
        assert_eq!(fault.scope, Scope::Account, "{}: {fault:?}", tested.name);
        let all = format!("{report:?} {account:?} {fault:?} {:?}", (tested.account)("wr0ng"));
        assert!(!all.contains("wr0ng"), "{}: {all}", tested.name);
    }
}

#[tokio::test]
async fn too_many_requests_pause_the_account_for_as_long_as_the_service_says() {
    for tested in all() {
        (tested.fail)(Fault::Busy(7));
        let report = open(&(tested.account)(SECRET)).transmit(&tested.parcel).await;
        assert_eq!(told(&report), ("deferred", Some(Scope::Account), true), "{}: {report:?}", tested.name);
        let Outcome::Deferred { after, .. } = report.outcome else { unreachable!() };
        assert_eq!(after, Some(Duration::from_secs(7)), "{}", tested.name);
    }
}

#[tokio::test]
async fn no_credit_is_the_accounts_fault() {
    for tested in all() {
        (tested.fail)(Fault::Says(402, "{}"));
        let report = open(&(tested.account)(SECRET)).transmit(&tested.parcel).await;
        assert_eq!(told(&report), ("refused", Some(Scope::Account), true), "{}: {report:?}", tested.name);
        assert_eq!(report.outcome.reason().unwrap().code, "out-of-credit", "{}", tested.name);
    }
}

#[tokio::test]
async fn what_may_have_been_taken_is_in_doubt() {
    for tested in all() {
        let account = open(&(tested.account)(SECRET));
        for fault in [Fault::Says(500, "oops"), Fault::Says(503, ""), Fault::Lost, Fault::Cut, Fault::Mute] {
            (tested.fail)(fault);
            let report = account.transmit(&tested.parcel).await;
            assert_eq!(told(&report), ("uncertain", Some(Scope::Attempt), false), "{}: {report:?}", tested.name);
        }
        (tested.fail)(Fault::Says(200, "<html>not what was asked for</html>"));
        let report = account.transmit(&tested.parcel).await;
        assert_eq!(report.outcome.name(), "uncertain", "{}: {report:?}", tested.name);
    }
}

#[tokio::test]
async fn what_was_never_sent_is_tried_again() {
    // Nobody listens where somebody just did.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for tested in all() {
        let mut config = (tested.account)(SECRET);
        let host = config.url.find("127.0.0.1:").unwrap();
        let end = host + config.url[host..].find(['?', '/']).unwrap();
        config.url.replace_range(host..end, &address.to_string());
        let account = open(&config);
        let report = account.transmit(&tested.parcel).await;
        assert_eq!(told(&report).0, "deferred", "{}: {report:?}", tested.name);
        assert!(account.probe().await.is_err(), "{}", tested.name);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for tested in all() {
        (tested.fail)(Fault::Says(307, ""));
        let report = open(&(tested.account)(SECRET)).transmit(&tested.parcel).await;
        assert_eq!(told(&report), ("refused", Some(Scope::Account), true), "{}: {report:?}", tested.name);
    }
}

#[tokio::test]
async fn an_answer_of_many_megabytes_is_not_read() {
    for tested in all() {
        (tested.fail)(Fault::Says(200, Box::leak("x".repeat(9 << 20).into_boxed_str())));
        let report = open(&(tested.account)(SECRET)).transmit(&tested.parcel).await;
        assert_eq!(told(&report).0, "uncertain", "{}", tested.name);
        assert!(format!("{report:?}").len() < 4000, "{}", tested.name);
    }
}

#[tokio::test]
async fn nothing_is_sent_once_the_permit_is_gone() {
    for tested in all() {
        let account = open(&(tested.account)(SECRET));
        let turn = account.turn().await;
        let report = account.transmit_if(&tested.parcel, &|| false, turn).await;
        assert_eq!(report.outcome.reason().map(|it| it.code.as_str()), Some("claim-ran-out"), "{}", tested.name);
    }
}

#[tokio::test]
async fn an_account_that_cannot_work_says_what_to_write() {
    type Change = fn(&mut AccountConfig);
    let cases: [(&str, Change, &str); 10] = [
        ("telnyx://KEY@h", |_| (), "`url` lacks a part; write telnyx://CONNECTION:KEY@api.telnyx.com"),
        (
            "telnyx://C:KEY@h",
            |it| it.from = None,
            "`from` is no fax number; write it with its country, such as +13125550002",
        ),
        ("telnyx://C:KEY@h", |it| it.verify = Some("what".to_owned()), "`verify` is no public key"),
        ("sinch://K:S@h", |_| (), "`url` lacks a part; write sinch://KEY:SECRET@fax.api.sinch.com/PROJECT"),
        (
            "sinch://K:S@h/P",
            |it| it.fax.header = Some(" ".to_owned()),
            "`header` has to be one line of 1 to 50 letters",
        ),
        ("smsapi://TOKEN@h", |_| (), "`url` lacks the token; write smsapi://:TOKEN@api.smsapi.com"),
        ("twilio://AC:T@h", |it| it.from = None, "`from` is missing; write the number or name to send from"),
        ("kannel://user@h", |_| (), "`url` lacks a part; write kannel://USER:PASSWORD@HOST:13013?tls=none"),
        ("kannel://u:p@h?tls=maybe", |_| (), "write tls=none where the service speaks plain HTTP"),
        ("kannel://u:p@h", |it| it.max_parts = 0, "`max_parts` is 0; write how many parts a text may have, such as 6"),
    ];
    for (url, change, expected) in cases {
        let mut config = AccountConfig::new(url);
        config.from = Some("+13125550100".to_owned());
        change(&mut config);
        let fault = postbook::channel::account::Account::open("way", &config).unwrap_err().to_string();
        assert!(fault.starts_with("account `way`: ") && fault.contains(expected), "{url}: {fault}");
    }
}
