//! The preview says what waits and until when, and the run then does that.

use std::collections::BTreeMap;

use postbook::{
    channel::account::Each,
    run::{Preview, book::Transmission, sending},
};

use super::{
    contacts::{advance_to, mailing_each},
    *,
};

/// What opens at once is spread over so long.
const SPREAD: chrono::Duration = chrono::Duration::minutes(5);

/// Ann is where it is UTC, Ben six hours behind, Cyd an hour ahead; nobody is sent anything from nine to eight.
const NIGHTS: &str = r#"
    [[batch]]
    name = "morning"
    workflow = "quick"
    run_as = "site-a"
    documents = [{ document = "checklist" }]
    recipients = [
      { name = "Ann", email = "ann@example.org", params = { zone = "UTC" } },
      { name = "Ben", email = "ben@example.org", params = { zone = "Etc/GMT+6" } },
      { name = "Cyd", email = "cyd@example.org", params = { zone = "Etc/GMT-1" } },
      { name = "Dan", email = "dan@example.org", params = { zone = "UTC" } },
    ]
    quiet = "21:00-08:00"
    accounts = { email = "mail" }
"#;

async fn previewed(app: &TestApp) -> Preview {
    run::preview(&app.engine, "morning", None, &Default::default()).await.expect("a preview")
}

/// Starts the batch, does what is due, and gives its transmissions by contact.
async fn done(app: &TestApp) -> BTreeMap<String, Transmission> {
    let run = app.start_run("morning").await;
    app.drain().await;
    app.transmissions(run).await.into_iter().map(|it| (it.contact.clone(), it)).collect()
}

/// What is said to wait waits for that reason and until then, and all else is sent.
fn same(preview: &Preview, done: &BTreeMap<String, Transmission>) {
    assert_eq!(preview.transmissions.len(), done.len());
    for said in &preview.transmissions {
        let done = &done[&said.contact];
        let Some(reason) = &said.reason else {
            assert_eq!(done.state, TransmissionState::Delivered, "{}", said.contact);
            continue;
        };
        assert_eq!(done.state, TransmissionState::Queued, "{}", said.contact);
        assert_eq!(done.reason, Some(serde_json::to_value(reason).expect("JSON")));
        if let Some(next_at) = said.next_at {
            let late = done.next_at.expect("a time") - next_at;
            assert!(late >= chrono::Duration::zero() && late < SPREAD, "{} is {late} late", said.contact);
        }
    }
}

/// `2 out-of-hours` for each wait, in their order.
fn waits(preview: &Preview) -> Vec<String> {
    preview.waits.iter().map(|wait| format!("{} {}", wait.transmissions, wait.reason.code)).collect()
}

#[sqlx::test]
async fn quiet_hours_are_told_for_each_recipient_and_in_sum_as_the_run_keeps_them(db: PgPool) {
    let server = MailServer::start().await;
    let app = mailing_each(db, &server, Each::default()).await;
    app.apply(NIGHTS).await;
    let evening = advance_to(&app, "22:00:00");

    let preview = previewed(&app).await;

    assert_eq!((preview.queued, preview.waiting), (4, 3));
    assert_eq!(waits(&preview), ["1 out-of-hours", "2 out-of-hours"]);
    assert_eq!(preview.waits[0].until_at, Some(evening + chrono::Duration::hours(9)), "Cyd's morning comes first");
    assert_eq!(preview.waits[1].until_at, Some(evening + chrono::Duration::hours(10)));
    let text = &preview.waits[1].reason.text;
    assert!(text.contains("08:00 in UTC, when the recipient's quiet hours end"), "{text}");
    same(&preview, &done(&app).await);
    assert_eq!(server.taken().len(), 1, "where Ben is, it is four in the afternoon");
}

#[sqlx::test]
async fn a_pause_is_told_with_its_end_and_hours_that_begin_after_it(db: PgPool) {
    let server = MailServer::start().await;
    let app = mailing_each(db, &server, Each::default()).await;
    app.apply(&NIGHTS.replace("quiet = \"21:00-08:00\"", "")).await;
    server.refuse_logins(true);
    done(&app).await;
    let until_at = mail(&app.engine).await.until_at;

    let preview = previewed(&app).await;

    assert_eq!(waits(&preview), ["4 account-paused"]);
    assert_eq!(preview.waits[0].until_at, until_at);
    let text = &preview.waits[0].reason.text;
    assert!(text.contains("account mail is paused until") && text.contains("wrong password"), "{text}");
    same(&preview, &done(&app).await);

    app.apply(NIGHTS).await;
    let evening = advance_to(&app, "22:00:00");
    allowance::resume(&app.engine, &app.author(), "mail").await.expect("it is resumed");
    allowance::pause(&app.engine, &app.author(), ("mail", "new password")).await.expect("it is paused");
    sqlx::query("update account set until_at = $1, paused_by = null")
        .bind(evening + chrono::Duration::hours(10) + SPREAD)
        .execute(&app.db)
        .await
        .expect("an end of the pause");
    let preview = previewed(&app).await;
    assert_eq!(waits(&preview), ["3 account-paused", "1 out-of-hours"], "when it ends, Ben's night has begun");
    assert_eq!(preview.waits[1].until_at, Some(evening + chrono::Duration::hours(16)));
}

#[sqlx::test]
async fn what_somebody_holds_waits_until_somebody_lets_it_go(db: PgPool) {
    let server = MailServer::start().await;
    let app = mailing_each(db, &server, Each::default()).await;
    app.apply(&NIGHTS.replace("quiet = \"21:00-08:00\"", "")).await;
    allowance::pause(&app.engine, &app.author(), ("mail", "new password")).await.expect("it is paused");

    let preview = previewed(&app).await;
    assert_eq!((waits(&preview), preview.waits[0].until_at), (vec!["4 account-paused".to_owned()], None));
    same(&preview, &done(&app).await);

    sending::pause(&app.engine, &app.author(), "an audit").await.expect("it is paused");
    let preview = previewed(&app).await;
    assert_eq!((waits(&preview), preview.waits[0].until_at), (vec!["4 sending-paused".to_owned()], None));
    let sent = server.taken().len();
    let states = done(&app).await;
    assert!(states.values().all(|it| it.state == TransmissionState::Queued));
    assert_eq!(server.taken().len(), sent);
}
