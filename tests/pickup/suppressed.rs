//! Links go out by mail: who gets no mail any more gets no links.

use postbook::{
    catalog::{
        Faults,
        suppression::{self, Input},
    },
    run::{
        self,
        act::{self, Again},
    },
    workflow::Kind,
};
use sqlx::PgPool;

use crate::site::Site;

const PICKUP: &str = "pickup = \"ann@example.org\"";

async fn suppress(site: &Site, channel: &str) {
    let (channel, contact) = (Some(channel.to_owned()), Some("Ann@Example.org".to_owned()));
    let address = suppression::check(Input { channel, contact, ..Input::default() }, None, Faults::default());
    suppression::add(&site.app.db, &site.app.author(), address.unwrap()).await.unwrap();
}

/// The state of the only transmission of a run, and the code of its reason.
async fn told(site: &Site, run: postbook::id::RunId) -> (String, String) {
    let one = site.only(run).await;
    let code = one.reason.and_then(|reason| Some(reason["code"].as_str()?.to_owned())).unwrap_or_default();
    (one.state.name().to_owned(), code)
}

#[sqlx::test]
async fn an_address_that_gets_no_mail_gets_no_link_either(db: PgPool) {
    let site = Site::open(db, |_| ()).await;
    suppress(&site, "email").await;

    let run = site.send(&["checklist"], PICKUP).await;

    assert_eq!(told(&site, run).await, ("skipped".to_owned(), "suppressed".to_owned()));
    assert!(site.app.mails_to("ann@example.org").is_empty());
    suppression::remove(&site.app.db, &site.app.author(), ("email", "ann@example.org"), None).await.unwrap();
    let run = site.app.run("plans").await;
    assert_eq!(told(&site, run).await.0, "accepted");
}

#[sqlx::test]
async fn a_link_that_waits_does_not_go_out_once_its_address_gets_no_mail(db: PgPool) {
    let site = Site::open(db, |_| ()).await;
    let sent = site.send(&["checklist"], PICKUP).await;
    let before = site.app.mails_to("ann@example.org").len();
    let run = site.app.start_run("plans").await;
    while let Some(hint) = site.app.due().await.into_iter().find(|hint| hint.kind != Kind::Transmit) {
        run::perform(&site.app.engine, hint).await.unwrap();
    }
    suppress(&site, "email").await;
    site.app.drain().await;

    assert_eq!(told(&site, run).await, ("skipped".to_owned(), "suppressed".to_owned()));
    let transmission = site.only(sent).await.id;
    let again = |despite_suppression| Again {
        render: false,
        despite_suppression,
        key: format!("{despite_suppression}"),
        by: "test".to_owned(),
    };
    act::resend(&site.app.engine, transmission, &again(false)).await.unwrap();
    site.app.drain().await;
    assert_eq!(site.app.mails_to("ann@example.org").len(), before);
    act::resend(&site.app.engine, transmission, &again(true)).await.unwrap();
    site.app.drain().await;
    assert_eq!(site.app.mails_to("ann@example.org").len(), before + 1);
}

#[sqlx::test]
async fn who_wants_no_links_still_gets_mail(db: PgPool) {
    let site = Site::open(db, |_| ()).await;
    suppress(&site, "pickup").await;
    let run = site.send(&["checklist"], "email = \"ann@example.org\"").await;
    assert_eq!(told(&site, run).await.0, "delivered");
}

#[sqlx::test]
async fn a_link_that_comes_back_says_that_the_mailbox_takes_nothing(db: PgPool) {
    let site = Site::open(db, |_| ()).await;
    let mut db = site.app.db.acquire().await.unwrap();
    let author = site.app.author();
    suppression::bounced(&mut db, &author, ("pickup", "ann@example.org"), "no such user").await.unwrap();
    let listed = suppression::list(&site.app.db, None, 10).await.unwrap();
    let told: Vec<_> = listed.iter().map(|it| (it.channel.as_str(), it.stops.join(" "))).collect();
    assert_eq!(told, [("email", "email pickup".to_owned())]);
}
