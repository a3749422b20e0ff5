//! What monitors are told at once.

use sqlx::PgPool;

use super::{ANN, CARLA, batch, digests::not_run, round, seen, set, sweep};
use crate::harness::{Mail, TestApp};

/// The notices Mona got, in the order of the letters, without digests.
fn notices(app: &TestApp) -> Vec<Mail> {
    let mut mails = app.mails_to("mona@example.org");
    mails.retain(|mail| !mail.subject.starts_with("Postbook, "));
    mails
}

fn subjects(app: &TestApp) -> Vec<String> {
    let mut subjects: Vec<_> = notices(app).into_iter().map(|mail| mail.subject).collect();
    subjects.sort();
    subjects
}

/// A schedule of `batch` that is due at `due` and that nobody decides about.
async fn due(app: &TestApp, batch: &str, due: &str) {
    let statement = "insert into schedule (batch, revision, position, definition, after_at, next_key, next_at, enabled_at)
        select name, current, 0, '{\"rule\": \"daily at 06:00\", \"zone\": \"UTC\", \"grace\": \"30m\"}', $2::timestamptz, $3, $2::timestamptz, $2::timestamptz
          from batch where name = $1";
    let inserted =
        sqlx::query(statement).bind(batch).bind(due.parse::<chrono::DateTime<chrono::Utc>>().expect("an instant"));
    inserted.bind(due).execute(&app.db).await.expect("a schedule");
}

#[sqlx::test]
async fn a_run_that_nobody_starts_is_told_after_its_grace_and_once(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&batch("morning", ANN)).await;
    due(&app, "morning", "2041-06-01T06:00:00Z").await;

    set(&app, "2041-06-01T06:29:00Z");
    round(&app).await;
    let before = notices(&app).len();
    set(&app, "2041-06-01T06:30:01Z");
    round(&app).await;
    // The scheduler comes back, and says that it is too late.
    not_run(&app, "morning", "2041-06-01T06:00:00Z", "missed").await;
    round(&app).await;

    let notices = notices(&app);
    assert_eq!((before, notices.len()), (0, 1));
    assert_eq!(notices[0].subject, "1 batch did not start");
    seen::as_before("not-started.txt", &notices[0].text);
}

#[sqlx::test]
async fn what_was_lost_while_no_scheduler_was_up_is_told(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&batch("morning", ANN)).await;
    set(&app, "2041-06-01T08:00:00Z");
    sqlx::query("insert into downtime (from_at, to_at) values ('2041-06-01T05:00:00Z', '2041-06-01T07:59:00Z')")
        .execute(&app.db)
        .await
        .expect("a downtime");
    for (key, policy) in [("2041-06-01T05:00:00Z", "run_once"), ("2041-06-01T06:00:00Z", "skip")] {
        not_run(&app, "morning", key, "skipped").await;
        let reason =
            serde_json::json!({ "code": "missed", "policy": policy, "text": format!("by the policy {policy}") });
        sqlx::query("update occurrence set reason = $2 where key = $1")
            .bind(key)
            .bind(reason)
            .execute(&app.db)
            .await
            .expect("a reason");
    }

    round(&app).await;
    round(&app).await;

    assert_eq!(subjects(&app), ["1 batch did not start", "No scheduler was up"]);
    let texts: Vec<_> = notices(&app).into_iter().map(|mail| mail.text).collect();
    assert!(
        texts.iter().any(|text| text.contains("from 1 June 2041, 05:00 UTC to 1 June 2041, 07:59 UTC: 2 h 59 min"))
    );
    assert!(texts.iter().any(|text| text.contains("due 1 June 2041, 06:00 UTC: by the policy skip")), "{texts:?}");
}

#[sqlx::test]
async fn a_storm_is_folded_into_one_notice_after_the_first(db: PgPool) {
    let app = TestApp::start(db).await;
    set(&app, "2041-06-01T06:00:00Z");
    let names: Vec<_> = (0..38).map(|number| format!("batch-{number:02}")).collect();
    let all: Vec<_> = names.iter().map(|name| batch(name, ANN)).collect();
    app.apply(&all.join("\n")).await;

    not_run(&app, &names[0], "2041-06-01T06:00:00Z", "missed").await;
    round(&app).await;
    for name in &names[1..] {
        not_run(&app, name, "2041-06-01T06:00:00Z", "missed").await;
        sweep(&app.engine).await;
    }
    app.drain().await;
    assert_eq!(notices(&app).len(), 1, "the others wait");
    set(&app, "2041-06-01T06:06:00Z");
    let nodes: Vec<_> = (0..4).map(|_| app.another()).collect();
    futures::future::join_all(nodes.iter().map(sweep)).await;
    sweep(&app.engine).await;
    app.drain().await;

    assert_eq!(subjects(&app), ["1 batch did not start", "37 batches did not start since 1 June 2041, 06:00 UTC"]);
    let notices = notices(&app);
    let folded = notices.iter().find(|mail| mail.subject.starts_with("37")).expect("the folded one");
    seen::as_before("storm.txt", &folded.text);
}

#[sqlx::test]
async fn failed_runs_are_told_one_by_one_until_they_are_a_storm(db: PgPool) {
    let mut app = TestApp::start(db).await;
    app.engine.settings.monitor.storm = 3;
    app.apply(&batch("morning", CARLA)).await;
    set(&app, "2041-06-01T06:00:00Z");

    for _ in 0..6 {
        app.run("morning").await;
    }
    round(&app).await;
    set(&app, "2041-06-01T06:06:00Z");
    round(&app).await;

    let subjects = subjects(&app);
    assert_eq!(subjects.iter().filter(|it| it.as_str() == "Morning checklists: nothing sent, 1 failed").count(), 3);
    assert_eq!(subjects.iter().filter(|it| it.starts_with("3 runs failed")).count(), 1, "{subjects:?}");
}

#[sqlx::test]
async fn a_schedule_that_paused_itself_is_told_and_one_that_a_person_paused_is_not(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&[batch("morning", ANN), batch("evening", ANN)].join("\n")).await;
    set(&app, "2041-06-01T06:00:00Z");
    for (name, by) in [("morning", "postbook"), ("evening", "ann")] {
        due(&app, name, "2041-06-02T06:00:00Z").await;
        sqlx::query("update schedule set paused_at = $2, paused_by = $3, paused_note = '3 runs in a row failed' where batch = $1")
            .bind(name)
            .bind(app.engine.clock.now())
            .bind(by)
            .execute(&app.db)
            .await
            .expect("a pause");
    }

    round(&app).await;
    round(&app).await;

    assert_eq!(subjects(&app), ["The schedules of 1 batch paused themselves"]);
    assert!(notices(&app)[0].text.contains("Morning checklists (morning): 3 runs in a row failed"));
}

#[sqlx::test]
async fn a_run_for_nobody_and_one_for_far_too_many_are_told_when_they_begin(db: PgPool) {
    let app = TestApp::start(db).await;
    let people = |count: usize| {
        let all: Vec<_> =
            (0..count).map(|number| format!("{{ name = \"N\", email = \"n{number}@example.org\" }}")).collect();
        all.join(", ")
    };
    app.apply(&batch("morning", &people(2))).await;
    for _ in 0..10 {
        app.run("morning").await;
    }
    app.apply(&batch("morning", &people(4))).await;
    app.run("morning").await;
    round(&app).await;
    assert!(notices(&app).is_empty(), "twice as many are not far off");

    app.apply(&batch("morning", &people(5))).await;
    let many = app.run("morning").await;
    sqlx::query("insert into suppression select 'email', 'n' || n || '@example.org', 'left', $1, 'test' from generate_series(0, 9) as n")
        .bind(app.engine.clock.now())
        .execute(&app.db)
        .await
        .expect("suppressions");
    let none = app.run("morning").await;
    round(&app).await;

    assert_eq!(subjects(&app), ["1 run for nobody", "An unusual number of recipients: 1 run"]);
    let texts: Vec<_> = notices(&app).into_iter().map(|mail| mail.text).collect();
    let unusual = format!("Morning checklists (morning), run {many}: 5 recipients, usually 2");
    let nobody = format!("Morning checklists (morning), run {none}: nobody is to get anything");
    for expected in [unusual, nobody] {
        assert!(texts.iter().any(|text| text.contains(&expected)), "{expected}: {texts:?}");
    }
}

#[sqlx::test]
async fn a_failing_run_makes_one_sheet_for_each_monitor_who_takes_paper(db: PgPool) {
    let app = TestApp::start(db).await;
    for name in ["nick", "olga"] {
        let user = format!(
            "[[user]]\nname = \"{name}\"\nmonitor = true\nmonitor_channel = \"folder\"\ncontacts = {{ folder = \"{name}\" }}"
        );
        app.apply(&user).await;
    }
    app.apply(&batch("morning", CARLA)).await;

    let run = app.run("morning").await;
    round(&app).await;
    round(&app).await;

    for name in ["nick", "olga"] {
        let folder = app.folder.path().join("outbox").join(name);
        let files: Vec<_> = std::fs::read_dir(folder).expect("the folder").collect();
        assert_eq!(files.len(), 1, "{name}");
    }
    assert_eq!(app.notices(run).await.len(), 1, "Mona is told by mail, in the run itself");
    assert_eq!(notices(&app).len(), 1);
}

#[sqlx::test]
async fn without_monitors_nothing_is_sent_and_the_next_one_is_not_told_of_old_alarms(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply("[[user]]\nname = \"mona\"\ncontacts = { email = \"mona@example.org\" }").await;
    app.apply(&batch("morning", ANN)).await;
    set(&app, "2041-06-01T08:00:00Z");
    not_run(&app, "morning", "2041-06-01T06:00:00Z", "missed").await;
    round(&app).await;

    app.apply("[[user]]\nname = \"mona\"\nmonitor = true\ncontacts = { email = \"mona@example.org\" }").await;
    round(&app).await;

    assert!(notices(&app).is_empty());
    assert_eq!(app.count("select count(*) from run").await, 0);
}
