//! Recipients that a query gives when a run begins.

use std::time::Duration;

use postbook::run::{self, RunState};
use sqlx::PgPool;

use super::{
    business::{config, databases, execute, register},
    letter, start, told,
};
use crate::harness::TestApp;

const CUSTOMERS: &str = "values
    (1, 'Ann', 'ann@example.org', null, 'north', true, '2026-01-01', 12.50),
    (2, 'Bob', 'bob@example.org', null, 'south', true, '2026-02-01', 0),
    (3, 'Cid', null, '+13125550002', 'north', true, '2026-03-01', 7),
    (4, 'Dan', 'dan@example.org', null, 'north', false, '2026-03-01', 7)";

fn audience(query: &str, params: &str) -> String {
    letter(&format!("audience = {{ data = \"crm\", query = '''{query}''', params = {{ {params} }} }}"))
}

async fn customers(db: PgPool) -> TestApp {
    let mut app = start(db).await;
    register(&mut app, CUSTOMERS).await;
    app
}

#[sqlx::test]
async fn exactly_the_rows_of_the_query_are_the_recipients(db: PgPool) {
    let app = customers(db).await;
    let query =
        "select name, email, fax from crm.customer where site = :site and active and since >= :since order by id";
    app.apply(&audience(query, r#"site = "north", since = "{{ business_date - 10 years }}""#)).await;

    let run = app.run("letter").await;

    assert_eq!(told(&app, run).await, ["Ann email ann@example.org delivered", "Cid fax +13125550002 delivered"]);
    assert_eq!(app.mails_to("ann@example.org").len(), 1);
}

#[sqlx::test]
async fn those_that_are_listed_come_first_and_both_get_it(db: PgPool) {
    let app = customers(db).await;
    let listed = r#"recipients = [{ name = "Zoe", email = "zoe@example.org" }]"#;
    let query = "select name, email from crm.customer where site = 'south'";
    app.apply(&letter(&format!("{listed}\naudience = {{ data = \"crm\", query = \"{query}\" }}"))).await;

    let run = app.run("letter").await;

    assert_eq!(told(&app, run).await, ["Zoe email zoe@example.org delivered", "Bob email bob@example.org delivered"]);
}

#[sqlx::test]
async fn a_value_is_bound_and_never_becomes_a_part_of_the_statement(db: PgPool) {
    let app = customers(db).await;
    let query = "select name, email from crm.customer where site = :site and id = :id";
    app.apply(&audience(query, r#"site = "x' or true; drop table crm.customer; --", id = 1"#)).await;

    let run = app.run("letter").await;

    assert_eq!(app.seen(run).await.state, RunState::Succeeded);
    assert!(told(&app, run).await.is_empty());
    assert_eq!(app.count("select count(*) from crm.customer").await, 4);
}

#[sqlx::test]
async fn nothing_but_one_query_is_let_through(db: PgPool) {
    let mut app = customers(db).await;
    // Also by somebody who might.
    let owner = app.db.connect_options().get_username().to_owned();
    app.engine = app.engine.clone().asking(databases(config(&app.db, &owner)));
    execute(
        &app.db,
        "create function crm.wipe() returns text language plpgsql as $$
         begin delete from crm.customer; return 'gone'; end $$",
    )
    .await;
    for query in [
        "delete from crm.customer returning name, email",
        "with gone as (delete from crm.customer returning name) select name from gone",
        "select 1 as name; delete from crm.customer",
        "select 1 as name) as given; delete from crm.customer; select 1 from (select 1",
        "select crm.wipe() as name",
        "select set_config('transaction_read_only', 'off', false) as name, crm.wipe() as email",
        "commit",
    ] {
        app.apply(&audience(query, "")).await;
        let run = app.start_run("letter").await;
        let ended = app.finish(run).await;
        assert_eq!(ended.state, RunState::Failed, "{query}");
        assert_eq!(app.count("select count(*) from crm.customer").await, 4, "{query}");
    }
}

#[sqlx::test]
async fn a_query_that_takes_too_long_or_gives_too_much_fails_its_run_and_says_so(db: PgPool) {
    let mut app = customers(db).await;
    let short = Duration::from_millis(300);
    let narrow =
        postbook::source::data::DatabaseConfig { timeout: short, rows: 3, ..config(&app.db, "postbook_reader") };
    app.engine = app.engine.clone().asking(databases(narrow));
    for (query, words) in [
        ("select name, email from crm.customer, pg_sleep(30)", "longer"),
        ("select name, email from crm.customer", "more than 3 rows"),
        ("select nothing from crm.customer", "nothing"),
    ] {
        app.apply(&audience(query, "")).await;
        let run = app.start_run("letter").await;
        let ended = app.finish(run).await;
        assert_eq!(ended.state, RunState::Failed, "{query}");
        let reason = serde_json::to_value(&ended).expect("a run")["reason"].to_string();
        assert!(reason.contains(words), "{query}: {reason}");
        assert!(told(&app, run).await.is_empty());
    }
}

#[sqlx::test]
async fn a_database_that_is_away_is_asked_again_later(db: PgPool) {
    let mut app = customers(db).await;
    let sound = app.engine.clone();
    app.apply(&audience("select name, email from crm.customer where id = 1", "")).await;
    let nobody = postbook::source::data::DatabaseConfig {
        url: "postgres://reader:open-sesame@127.0.0.1:1/crm".to_owned().into(),
        ..config(&app.db, "postbook_reader")
    };
    app.engine = app.engine.clone().asking(databases(nobody));

    let run = app.start_run("letter").await;
    app.drain().await;
    assert_eq!(app.seen(run).await.state, RunState::Expanding, "it waits for its next try");
    let said: Vec<String> =
        sqlx::query_scalar("select coalesce(reason::text, '') from step").fetch_all(&app.db).await.expect("the steps");
    assert!(said.iter().all(|text| !text.contains("open-sesame")), "{said:?}");

    app.engine = sound;
    let ended = app.finish(run).await;
    assert_eq!((ended.state, ended.counts.delivered), (RunState::Succeeded, 1));
}

#[sqlx::test]
async fn a_run_whose_audience_was_refused_is_retried_by_asking_again(db: PgPool) {
    let app = customers(db).await;
    app.apply(&audience("select name, email from crm.prospect", "")).await;
    let run = app.start_run("letter").await;
    assert_eq!(app.finish(run).await.state, RunState::Failed);
    execute(
        &app.db,
        "create table crm.prospect as select name, email from crm.customer where id = 1;
         grant select on crm.prospect to postbook_reader",
    )
    .await;

    run::act::retry(&app.engine, run, "test").await.expect("something to retry");
    let ended = app.finish(run).await;

    assert_eq!((ended.state, ended.counts.delivered), (RunState::Succeeded, 1));
}

#[sqlx::test]
async fn half_an_audience_is_asked_for_again_and_a_whole_one_is_kept(db: PgPool) {
    let app = customers(db).await;
    let many = "select 'R' || n as name, 'r' || n || '@example.org' as email from generate_series(1, 1200) as n
                union all select name, email from crm.customer where id = 2";
    app.apply(&audience(many, "")).await;
    app.start_run("letter").await;
    let expand = app.due().await[0];
    let trap = |table: &str, name: &str| {
        format!(
            "create or replace function refuse() returns trigger language plpgsql as $$
             begin if new.{name} = 'R700' then raise exception 'gone'; end if; return new; end $$;
             create or replace trigger refuse before insert on {table} for each row execute function refuse();"
        )
    };

    // Half of it is written; the rows change, and what was written is not used.
    execute(&app.db, &trap("recipient", "name")).await;
    run::perform(&app.engine, expand).await.expect_err("the trap");
    assert_eq!(app.count("select count(*) from recipient where run is not null").await, 500);
    execute(&app.db, "drop trigger refuse on recipient; update crm.customer set name = 'Bea' where id = 2").await;
    // All of it is there; the rows change, and what was written stays.
    execute(&app.db, &trap("transmission", "recipient_name")).await;
    app.engine.clock.advance(Duration::from_secs(120));
    run::perform(&app.engine, expand).await.expect_err("the second trap");
    assert_eq!(app.count("select audience::bigint from run").await, 1201);
    execute(&app.db, "drop trigger refuse on transmission; delete from crm.customer").await;
    app.engine.clock.advance(Duration::from_secs(120));
    run::perform(&app.engine, expand).await.expect("the expansion");

    assert_eq!(app.count("select count(*) from recipient where run is not null").await, 1201);
    assert_eq!(app.count("select count(distinct recipient_name) from transmission where state = 'queued'").await, 1201);
    assert_eq!(app.count("select count(*) from transmission where recipient_name = 'Bea'").await, 1);
}

#[sqlx::test]
async fn a_parameter_of_the_run_wins_over_that_of_the_batch(db: PgPool) {
    let app = customers(db).await;
    app.apply(&audience("select name, email from crm.customer where id = :id", "id = 1")).await;

    let run = app.start_with("letter", |start| drop(start.params.insert("id".to_owned(), serde_json::json!(2)))).await;
    app.drain().await;

    assert_eq!(told(&app, run).await, ["Bob email bob@example.org delivered"]);
}

#[sqlx::test]
async fn an_audience_is_checked_when_it_is_written_and_comes_back_as_it_was(db: PgPool) {
    let app = customers(db).await;
    let text = app.try_apply(&audience("select :a", "b = 1")).await.expect_err("faults").to_string();
    assert!(
        text.contains("audience/params/a: is missing") && text.contains("audience/params/b: is not used"),
        "{text}"
    );
    let unknown = letter(r#"audience = { data = "erp", query = "select 1" }"#);
    let text = app.try_apply(&unknown).await.expect_err("a fault").to_string();
    assert!(text.contains("there is no database `erp` in the settings; there is: crm"), "{text}");

    app.apply(&audience("select name, email from crm.customer where id = :id", "id = 1")).await;
    let (batch, _) = postbook::catalog::batch::get(&app.shelf, "letter", None).await.expect("a look").expect("a batch");
    let audience = batch.audience.expect("an audience");
    assert_eq!(audience.data.as_deref(), Some("crm"));
    assert_eq!(audience.params["id"], 1);
}

#[sqlx::test]
async fn a_role_that_may_write_is_told_by_the_check(db: PgPool) {
    let app = customers(db).await;
    assert_eq!(app.engine.data.probe("crm").await.expect("a sound role"), "answers, and its role may only read");

    execute(&app.db, "grant update on crm.customer to postbook_reader").await;
    let fault = app.engine.data.probe("crm").await.expect_err("a fault").reason.text;
    assert!(fault.contains("may write to crm.customer"), "{fault}");
    let owner = app.db.connect_options().get_username().to_owned();
    let fault = databases(config(&app.db, &owner)).probe("crm").await.expect_err("a fault").reason.text;
    assert!(fault.contains("superuser"), "{fault}");
}

#[sqlx::test]
async fn who_has_no_contact_that_works_is_skipped_and_the_others_get_it(db: PgPool) {
    let app = customers(db).await;
    let query = "values ('Ann', 'ann@example.org', null), ('Foo', 'foo', 'n/a'), ('None', null, '')";
    app.apply(&audience(&format!("select * from ({query}) as t (name, email, fax)"), "")).await;

    let run = app.run("letter").await;

    assert_eq!(
        told(&app, run).await,
        [
            "Ann email ann@example.org delivered",
            "Foo email foo skipped bad-mailbox",
            "Foo fax n/a skipped bad-number",
            "None none  skipped no-contact",
        ]
    );
    assert_eq!(app.seen(run).await.state, RunState::Succeeded);
}

#[sqlx::test]
async fn the_recipients_of_a_run_go_with_it(db: PgPool) {
    let app = customers(db).await;
    app.apply(&format!("{}keep = {{ runs = \"1 day\" }}\n", audience("select name, email from crm.customer", "")))
        .await;
    let run = app.run("letter").await;
    assert_eq!(app.count("select count(*) from recipient where run is not null").await, 4);
    app.engine.clock.advance(Duration::from_secs(3 * 24 * 60 * 60));

    while run::purge::purge(&app.engine, &retention()).await.expect("a piece") {}

    assert_eq!(app.count("select count(*) from recipient where run is not null").await, 0, "run {run}");
    assert_eq!(app.count("select count(*) from run").await, 0);
}

fn retention() -> postbook::config::Retention {
    postbook::config::Config::from_layers(None, &Default::default()).expect("the defaults").retention
}
