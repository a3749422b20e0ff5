//! Five thousand recipients from a query: a third by fax only, some by both, some with contacts that are none.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use postbook::{
    catalog::suppression::Kind,
    channel::account::AccountConfig,
    id::RunId,
    run::{self, Preview, RunState},
};
use sqlx::PgPool;

use super::{business::register, letter, start, suppressed::suppress};
use crate::harness::TestApp;

/// By the number of the row: what is wrong with it, or where it can be reached.
const ROWS: &str = "
    select n, 'Customer ' || n,
           case when n % 3 = 0 then null when n % 50 = 1 then 'foo' when n % 400 = 2 then 'desk@example.org'
                else 'c' || n || '@example.org' end,
           case when n % 3 = 0 and n % 60 = 0 then 'n/a' when n % 3 = 0 or n % 5 = 0 then '+1312555' || lpad((n % 10000)::text, 4, '0')
                end,
           'north', n % 7 <> 0, null::date, n
      from generate_series(1, 5834) as n";

const AUDIENCE: &str =
    r#"audience = { data = "crm", query = "select name, email, fax from crm.customer where active order by id" }"#;

/// Mailboxes to which nothing is sent any more.
const SUPPRESSED: &str =
    "select email from crm.customer where email like 'c%@%' and id % 97 = 4 and active order by id";

/// Mailboxes that refuse what comes by the account `refusing`; all of these people have a fax.
fn refusing() -> Vec<String> {
    let who = (1..=5834).filter(|n| n % 250 == 100 && n % 3 != 0 && n % 7 != 0);
    who.map(|n| format!("c{n}@example.org")).collect()
}

/// What is expected of each row, told by other means than the code under test: by the database.
const EXPECTED: &str = "
    with row as (
        select id, name, fax, case when email like '%@%' then email end as mail, coalesce(email = 'foo', false) as foo,
               case when fax like '+%' then fax end as number, coalesce(fax = 'n/a', false) as none
          from crm.customer where active
    ), chosen as (
        select *, coalesce(mail = any($2), false) as out, row_number() over (partition by mail order by id) as first
          from row
    )
    select concat_ws(' ', name, what) from (
        select name, 'email ' || mail || case when out then ' skipped suppressed' when first = 1 then ' queued'
                                              else ' skipped duplicate' end as what
          from chosen where mail is not null
        union all
        select name, 'email foo skipped bad-mailbox' from chosen where foo
        union all
        select name, 'fax ' || number || ' queued' from chosen where number is not null and ($1 or mail is null or out)
        union all
        select name, 'fax n/a skipped bad-number' from chosen where none
        union all
        select name, 'none  skipped no-contact' from chosen where mail is null and not foo and fax is null
    ) as expected";

async fn expected(app: &TestApp, all: bool, suppressed: &[String]) -> BTreeSet<String> {
    let rows: Vec<String> =
        sqlx::query_scalar(EXPECTED).bind(all).bind(suppressed).fetch_all(&app.db).await.expect("what is expected");
    rows.into_iter().collect()
}

/// The same of what the run has written.
async fn written(app: &TestApp, run: RunId) -> BTreeSet<String> {
    let rows: Vec<String> = sqlx::query_scalar(
        "select concat_ws(' ', recipient_name, channel, contact, state, reason ->> 'code')
           from transmission where run = $1 and purpose = 'document'",
    )
    .bind(run.0)
    .fetch_all(&app.db)
    .await
    .expect("the book");
    let count = rows.len();
    let rows: BTreeSet<_> = rows.into_iter().collect();
    assert_eq!(rows.len(), count, "nothing stands there twice");
    rows
}

fn with(rows: &BTreeSet<String>, words: &str) -> usize {
    rows.iter().filter(|row| row.contains(words)).count()
}

/// The preview says of each channel, of each reason, and in all, what the run has written.
fn same(preview: &Preview, written: &BTreeSet<String>) {
    assert!(preview.faults.is_empty(), "{:?}", preview.faults);
    assert_eq!((preview.queued, preview.failed), (with(written, " queued"), 0));
    assert_eq!(preview.skipped, with(written, " skipped "));
    for channel in ["email", "fax"] {
        let queued = written.iter().filter(|row| row.contains(&format!(" {channel} ")) && row.ends_with(" queued"));
        assert_eq!(preview.channels.get(channel).copied(), Some(queued.count()), "{channel}");
    }
    let mut reasons = BTreeMap::new();
    for (_, code) in written.iter().filter_map(|row| row.split_once(" skipped ")) {
        *reasons.entry(code.to_owned()).or_insert(0) += 1;
    }
    assert_eq!(preview.reasons, reasons);
}

/// Does what is due, many at a time, until nothing is.
async fn work(app: &TestApp) {
    loop {
        let due = app.due().await;
        if due.is_empty() {
            return;
        }
        stream::iter(due)
            .for_each_concurrent(64, |hint| async move { run::perform(&app.engine, hint).await.expect("a step") })
            .await;
    }
}

/// Throws mail away, and refuses what goes to these.
fn mail(refuse: Vec<String>) -> AccountConfig {
    AccountConfig { channel: Some("email".to_owned()), refuse, ..AccountConfig::new("discard:") }
}

#[sqlx::test]
async fn five_thousand_get_exactly_what_the_policy_says_and_the_preview_said_so(db: PgPool) {
    let mut app = start(db).await;
    app.use_account("mail", mail(Vec::new()));
    app.use_account("refusing", mail(refusing()));
    register(&mut app, ROWS).await;
    let suppressed: Vec<String> = sqlx::query_scalar(SUPPRESSED).fetch_all(&app.db).await.expect("mailboxes");
    let recipients = app.count("select count(*) from crm.customer where active").await;
    assert_eq!((recipients, suppressed.len(), refusing().len()), (5001, 33, 13));
    for mailbox in &suppressed {
        suppress(&app, "email", mailbox, Kind::Unsubscribed).await;
    }

    for (policy, account, turned) in [("all", "mail", 0), ("first_valid", "mail", 0), ("fallback", "refusing", 13)] {
        let lines = format!(
            "accounts = {{ email = \"{account}\" }}
             policy = {{ send = \"{policy}\", order = [\"email\", \"fax\"] }}\n{AUDIENCE}"
        );
        app.apply(&letter(&lines)).await;
        let preview = run::preview(&app.engine, "letter", None, &Default::default()).await.expect("a preview");
        let run = app.start_run("letter").await;
        run::perform(&app.engine, app.due().await[0]).await.expect("the expansion");

        let expanded = written(&app, run).await;
        let expected = expected(&app, policy == "all", &suppressed).await;
        let wrong = expanded.symmetric_difference(&expected).take(20).collect::<Vec<_>>();
        assert!(wrong.is_empty(), "{policy}: {} written, {} expected: {wrong:?}", expanded.len(), expected.len());
        same(&preview, &expanded);
        assert_eq!(preview.recipients, usize::try_from(recipients).expect("a small number"));

        work(&app).await;
        let ended = app.finish(run).await;
        assert_eq!(ended.state, RunState::Succeeded);
        let written = written(&app, run).await;
        assert_eq!(with(&written, " delivered"), preview.queued, "who is turned away from is reached by fax");
        assert_eq!(with(&written, " skipped turned"), turned);
        assert_eq!(with(&written, " skipped "), preview.skipped + turned);
    }
    let without_reason = "select count(*) from transmission where state = 'skipped' and reason ->> 'text' is null";
    assert_eq!(app.count(without_reason).await, 0);
}
