//! Five thousand recipients from a query: a third by fax only, some by both, some with contacts that are none.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use postbook::{
    id::RunId,
    run::{self, Preview, RunState},
};
use sqlx::PgPool;

use super::{business::register, letter, start};
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

/// What is expected of each row, told by other means than the code under test: by the database.
const EXPECTED: &str = "
    with row as (
        select id, fax, case when email like '%@%' then email end as mail, email = 'foo' as foo,
               case when fax like '+%' then fax end as number, fax = 'n/a' as none
          from crm.customer where active
    ), chosen as (
        select *, row_number() over (partition by mail order by id) as first from row
    )
    select what, count(*)::bigint from (
        select case when mail is not null and first = 1 then 'email queued'
                    when mail is not null then 'email skipped duplicate' end as what from chosen
        union all
        select 'email skipped bad-mailbox' from chosen where foo
        union all
        select 'fax queued' from chosen where number is not null and ($1 or mail is null)
        union all
        select 'fax skipped bad-number' from chosen where none
        union all
        select 'none skipped no-contact' from chosen where mail is null and not coalesce(foo, false) and fax is null
    ) as expected where what is not null group by what";

async fn expected(app: &TestApp, all: bool) -> BTreeMap<String, i64> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as(EXPECTED).bind(all).fetch_all(&app.db).await.expect("what is expected");
    rows.into_iter().collect()
}

/// The same of what the run has written.
async fn written(app: &TestApp, run: RunId) -> BTreeMap<String, i64> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select concat_ws(' ', channel, state, reason ->> 'code'), count(*)
           from transmission where run = $1 group by 1",
    )
    .bind(run.0)
    .fetch_all(&app.db)
    .await
    .expect("the book");
    rows.into_iter().collect()
}

fn number(value: usize) -> i64 {
    i64::try_from(value).expect("a small number")
}

fn sum(counts: &BTreeMap<String, i64>, word: &str) -> i64 {
    counts.iter().filter(|(what, _)| what.contains(word)).map(|(_, count)| count).sum()
}

/// The preview says of each channel, and in all, what the run has written.
fn same(preview: &Preview, written: &BTreeMap<String, i64>) {
    assert!(preview.faults.is_empty(), "{:?}", preview.faults);
    assert_eq!(number(preview.queued), sum(written, "queued"));
    assert_eq!(number(preview.skipped), sum(written, "skipped"));
    for channel in ["email", "fax"] {
        assert_eq!(
            preview.channels.get(channel).map(|count| number(*count)),
            written.get(&format!("{channel} queued")).copied()
        );
    }
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

#[sqlx::test]
async fn five_thousand_get_exactly_what_the_policy_says_and_the_preview_said_so(db: PgPool) {
    let mut app = start(db).await;
    let mut discard = postbook::channel::account::AccountConfig::new("discard:");
    discard.channel = Some("email".to_owned());
    app.use_account("mail", discard);
    register(&mut app, ROWS).await;
    let recipients = app.count("select count(*) from crm.customer where active").await;
    assert_eq!(recipients, 5001);

    for (policy, all) in [("all", true), ("first_valid", false)] {
        let policy = format!("policy = {{ send = \"{policy}\", order = [\"email\", \"fax\"] }}\n{AUDIENCE}");
        app.apply(&letter(&policy)).await;
        let preview = run::preview(&app.engine, "letter", None, &Default::default()).await.expect("a preview");
        let run = app.start_run("letter").await;
        run::perform(&app.engine, app.due().await[0]).await.expect("the expansion");

        let written = written(&app, run).await;
        assert_eq!(written, expected(&app, all).await, "{policy}");
        same(&preview, &written);
        assert_eq!(number(preview.recipients), recipients);

        work(&app).await;
        let ended = app.finish(run).await;
        assert_eq!(ended.state, RunState::Succeeded);
        assert_eq!(i64::from(ended.counts.delivered), sum(&written, "queued"));
        assert_eq!(i64::from(ended.counts.skipped), sum(&written, "skipped"));
    }
    let without_reason = "select count(*) from transmission where state = 'skipped' and reason ->> 'text' is null";
    assert_eq!(app.count(without_reason).await, 0);
}
