//! What a batch sends only once under a key.

use postbook::run::RunState;
use sqlx::PgPool;

use super::{
    business::{execute, register},
    letter, start, told,
};
use crate::harness::TestApp;

const ONCE: &str = r#"audience = { data = "crm", query = "select name, email, id as task from crm.customer order by id", once = "task:{{ recipient.params.task }}" }"#;

async fn with(db: PgPool, rows: &str) -> TestApp {
    let mut app = start(db).await;
    register(&mut app, rows).await;
    app.apply(&letter(ONCE)).await;
    app
}

#[sqlx::test]
async fn what_was_sent_under_a_key_is_not_sent_again_in_whatever_run(db: PgPool) {
    let app = with(db, "values (1, 'Ann', 'ann@example.org', null, '', true, null::date, 0)").await;
    let first = app.run("letter").await;
    assert_eq!(told(&app, first).await, ["Ann email ann@example.org delivered"]);
    execute(&app.db, "insert into crm.customer (id, name, email) values (2, 'Bob', 'bob@example.org')").await;

    let second = app.run("letter").await;

    assert_eq!(
        told(&app, second).await,
        ["Ann email ann@example.org skipped once", "Bob email bob@example.org delivered"]
    );
    let why = app.transmissions(second).await[0].reason.as_ref().expect("a reason")["text"].to_string();
    assert!(why.contains(&format!("`task:1` was sent by run {first}")), "{why}");
    assert_eq!(app.mails_to("ann@example.org").len(), 1);
    let preview = postbook::run::preview(&app.engine, "letter", None, &Default::default()).await.expect("a preview");
    assert_eq!((preview.queued, preview.skipped), (0, 2));
}

#[sqlx::test]
async fn what_failed_or_was_skipped_is_sent_the_next_time(db: PgPool) {
    let rows = "values (1, 'Ann', 'refused@example.org', null, '', true, null::date, 0),
                       (2, 'Bob', 'bob', null, '', true, null::date, 0)";
    let app = with(db, rows).await;
    let run = app.start_run("letter").await;
    assert_eq!(app.finish(run).await.state, RunState::Failed);
    execute(&app.db, "update crm.customer set email = name || '@example.org'").await;

    let run = app.run("letter").await;

    assert_eq!(told(&app, run).await, ["Ann email Ann@example.org delivered", "Bob email Bob@example.org delivered"]);
}

#[sqlx::test]
async fn two_rows_with_one_key_are_one_sending_also_in_the_same_run(db: PgPool) {
    let app = with(db, "").await;
    let rows = "select 'R' || n as name, 'r' || n || '@example.org' as email, n % 600 as task
                  from generate_series(0, 1199) as n order by n";
    app.apply(&letter(
        &ONCE.replace("select name, email, id as task from crm.customer order by id", &rows.replace('\n', " ")),
    ))
    .await;

    let run = app.start_run("letter").await;
    postbook::run::perform(&app.engine, app.due().await[0]).await.expect("the expansion");

    let counts = app.count("select count(*) from transmission where state = 'queued'").await;
    let skipped = app.count("select count(*) from transmission where reason ->> 'code' = 'once'").await;
    assert_eq!((counts, skipped), (600, 600), "run {run}");
}

#[sqlx::test]
async fn two_runs_at_once_send_it_once(db: PgPool) {
    let app = with(db, "select n, 'R' || n, 'r' || n || '@example.org', null, '', true, null::date, 0 from generate_series(1, 700) as n").await;
    app.start_run("letter").await;
    app.start_run("letter").await;
    let due = app.due().await;
    let another = app.another().asking(super::business::databases(super::business::config(&app.db, "postbook_reader")));

    let (one, two) =
        tokio::join!(postbook::run::perform(&app.engine, due[0]), postbook::run::perform(&another, due[1]));

    one.expect("an expansion");
    two.expect("the other");
    let twice = "select count(*) from (select contact from transmission where state = 'queued'
                  group by contact having count(*) <> 1) as twice";
    assert_eq!(app.count(twice).await, 0);
    assert_eq!(app.count("select count(*) from transmission where state = 'queued'").await, 700);
}

#[sqlx::test]
async fn a_key_that_cannot_be_told_skips_its_recipient(db: PgPool) {
    let app = with(db, "values (1, 'Ann', 'ann@example.org', null, '', true, null::date, 0)").await;
    app.apply(&letter(&ONCE.replace("params.task", "params.nothing"))).await;

    let run = app.run("letter").await;

    assert_eq!(told(&app, run).await, ["Ann email ann@example.org skipped bad-once"]);
}
