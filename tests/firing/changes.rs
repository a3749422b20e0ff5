//! What people change while something is due: never a double, never a silent loss.

use postbook::catalog::batch;
use sqlx::PgPool;

use crate::site::{Site, daily};

#[sqlx::test]
async fn a_batch_fires_at_its_time_and_not_before_and_not_again(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily("")).await;
    site.look_at("2035-05-01T03:59:59Z").await;
    assert!(site.rows("morning").await.is_empty());
    site.look_at("2035-05-01T04:00:00Z").await;
    site.look_at("2035-05-01T04:00:30Z").await;
    assert_eq!(site.runs("morning").await, [("schedule 2035-05-01T06:00".to_owned(), "2035-05-01".to_owned())]);
    let run = postbook::id::RunId(site.rows("morning").await[0].run.expect("a run"));
    assert_eq!(site.app.finish(run).await.counts.delivered, 1, "it is a run like any other");
}

#[sqlx::test]
async fn what_is_left_out_on_free_days_has_a_row_that_says_so(db: PgPool) {
    let site = Site::open(db, "2035-05-04T03:00:00Z").await;
    site.batch("morning", &daily(", roll = \"skip\"")).await;
    for day in ["04", "05", "06", "07", "08"] {
        site.look_at(&format!("2035-05-{day}T04:00:00Z")).await;
    }
    let left_out = |day: u8| format!("2035-05-0{day}T06:00 skipped left-out");
    let ran = |day: u8| format!("2035-05-0{day}T06:00 ran");
    assert_eq!(site.told("morning").await, [ran(4), left_out(5), left_out(6), ran(7), ran(8)]);
    let reason = site.rows("morning").await[1].reason.clone().expect("a reason");
    assert_eq!(reason["text"], "left out, because 2035-05-05 is free (Saturday)");
}

#[sqlx::test]
async fn a_disabled_batch_does_not_fire_and_says_so_for_each_that_passes(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily("")).await;
    site.look_at("2035-05-01T04:00:00Z").await;
    site.enable("morning", false).await;
    for day in 2..=4 {
        site.look_at(&format!("2035-05-0{day}T04:00:00Z")).await;
    }
    site.enable("morning", true).await;
    site.look_at("2035-05-05T04:00:00Z").await;
    let told = site.told("morning").await;
    let skipped = |day: u8| format!("2035-05-0{day}T06:00 skipped batch-disabled");
    assert_eq!(told, ["2035-05-01T06:00 ran", &skipped(2), &skipped(3), &skipped(4), "2035-05-05T06:00 ran"]);
    let reason = site.rows("morning").await[1].reason.clone().expect("a reason");
    assert_eq!(reason["by"], "ann");
}

#[sqlx::test]
async fn what_was_due_before_a_batch_was_disabled_has_a_row_even_if_nobody_looked_in_between(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily("")).await;
    site.look().await;
    site.go_to("2035-05-01T04:00:10Z");
    site.enable("morning", false).await;
    site.look_at("2035-05-01T04:00:11Z").await;
    assert_eq!(site.told("morning").await, ["2035-05-01T06:00 skipped batch-disabled"]);
}

#[sqlx::test]
async fn a_batch_that_was_disabled_for_an_hour_while_nobody_looked_owes_what_was_due_before_and_after(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", "{ rule = \"hourly at :00\", zone = \"UTC\", missed = \"run_all\" }").await;
    site.look().await;
    site.go_to("2035-05-01T05:30:00Z");
    site.enable("morning", false).await;
    site.go_to("2035-05-01T06:30:00Z");
    site.enable("morning", true).await;
    site.look_at("2035-05-01T07:30:00Z").await;
    let told = site.told("morning").await;
    assert_eq!(
        told,
        [
            "2035-05-01T04:00+00:00 ran",
            "2035-05-01T05:00+00:00 ran",
            "2035-05-01T06:00+00:00 skipped batch-disabled",
            "2035-05-01T07:00+00:00 ran"
        ]
    );
}

#[sqlx::test]
async fn a_deleted_batch_owes_nothing_more_and_what_it_owed_has_a_row(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily("")).await;
    site.look().await;
    site.go_to("2035-05-01T04:00:10Z");
    assert!(batch::delete(&site.app.db, &site.author("ann"), "morning").await.expect("deleted"));
    site.look_at("2035-05-03T04:00:11Z").await;
    assert_eq!(site.told("morning").await, ["2035-05-01T06:00 skipped batch-disabled"]);
    assert_eq!(site.app.count("select count(*) from schedule").await, 0);
}

#[sqlx::test]
async fn a_rule_that_is_changed_while_it_is_due_runs_once_by_the_old_one_and_then_by_the_new_one(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily("")).await;
    site.look().await;
    site.go_to("2035-05-01T04:00:00.500Z");
    site.batch("morning", "{ rule = \"daily at 08:00\", zone = \"Europe/Amsterdam\" }").await;
    site.look_at("2035-05-01T04:00:01Z").await;
    site.look_at("2035-05-01T06:00:01Z").await;
    site.look_at("2035-05-02T06:00:01Z").await;
    let told = site.told("morning").await;
    assert_eq!(told, ["2035-05-01T06:00 ran", "2035-05-01T08:00 ran", "2035-05-02T08:00 ran"]);
}

#[sqlx::test]
async fn a_rule_that_is_changed_before_it_is_due_does_not_run_by_the_old_one(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily("")).await;
    site.look().await;
    site.go_to("2035-05-01T03:59:59Z");
    site.batch("morning", "{ rule = \"daily at 08:00\", zone = \"Europe/Amsterdam\" }").await;
    site.look_at("2035-05-01T06:00:01Z").await;
    assert_eq!(site.told("morning").await, ["2035-05-01T08:00 ran"]);
}

#[sqlx::test]
async fn a_time_that_ran_already_does_not_run_again_in_another_zone_and_a_note_says_so(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily("")).await;
    site.look_at("2035-05-01T04:00:00Z").await;
    site.batch("morning", "{ rule = \"daily at 06:00\", zone = \"America/New_York\" }").await;
    site.look_at("2035-05-01T10:00:00Z").await;
    site.look_at("2035-05-02T10:00:00Z").await;
    assert_eq!(site.told("morning").await, ["2035-05-01T06:00 ran", "2035-05-02T06:00 ran"]);
    assert_eq!(site.rows("morning").await[0].notes[0]["code"], "again");
    assert_eq!(site.runs("morning").await.len(), 2);
}

#[sqlx::test]
async fn a_change_that_leaves_the_schedule_alone_moves_nothing(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily("")).await;
    site.look().await;
    site.go_to("2035-05-03T03:00:00Z");
    site.batch_with("morning", &daily(""), "title = \"Good morning\"").await;
    site.look_at("2035-05-03T05:00:00Z").await;
    let told = site.told("morning").await;
    let skipped = |day: u8| format!("2035-05-0{day}T06:00 skipped missed");
    assert_eq!(told, [skipped(1), skipped(2), "2035-05-03T06:00 ran".to_owned()], "one run for all that was missed");
}

#[sqlx::test]
async fn a_schedule_that_cannot_be_read_is_shown_with_its_fault_and_holds_up_no_other(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("evening", &daily("")).await;
    site.batch("morning", &daily("")).await;
    let spoil = "update batch_revision set definition = jsonb_set(definition, '{schedule,0,rule}', '\"at dawn\"')
                  where batch = 'evening'";
    sqlx::query(spoil).execute(&site.app.db).await.expect("an old revision");
    site.look_at("2035-05-01T04:00:00Z").await;
    assert_eq!(site.told("morning").await, ["2035-05-01T06:00 ran"]);
    let now = site.app.engine.clock.now();
    let shown =
        postbook::trigger::schedule::schedules(&site.app.db, (Some("evening"), None), now).await.expect("a list");
    assert!(shown[0].fault.as_deref().is_some_and(|fault| fault.starts_with("rule: ")), "{:?}", shown[0]);
    assert!(!shown[0].fires);
}

#[sqlx::test]
async fn fifty_schedules_of_one_batch_fire_each_at_its_time_also_in_several_zones(db: PgPool) {
    let site = Site::open(db, "2035-05-01T00:00:30Z").await;
    let schedules: Vec<_> =
        (0..49).map(|minute| format!("{{ rule = \"daily at 06:{minute:02}\", zone = \"UTC\" }}")).collect();
    let elsewhere = ", { rule = \"daily at 06:00\", zone = \"Asia/Tokyo\" }";
    site.batch("morning", &(schedules.join(", ") + elsewhere)).await;
    site.work_until("2035-05-01T07:00:00Z", std::time::Duration::from_secs(30 * 60)).await;
    site.look_at("2035-05-01T21:00:00Z").await;
    let told = site.told("morning").await;
    assert_eq!(told.len(), 50, "{told:?}");
    assert!(told.contains(&"2035-05-02T06:00 Asia/Tokyo ran".to_owned()), "{told:?}");
}

#[sqlx::test]
async fn firing_that_fails_half_way_has_done_nothing_and_is_done_again(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily("")).await;
    site.look().await;
    let refuse = "alter table occurrence add constraint refused check (false) not valid";
    sqlx::query(refuse).execute(&site.app.db).await.expect("a constraint");
    site.go_to("2035-05-01T04:00:00Z");
    let stop = tokio_util::sync::CancellationToken::new();
    postbook::trigger::schedule::round(&site.app.engine, &stop).await.expect_err("refused");
    assert_eq!(site.app.count("select count(*) from run").await, 0, "the run went with the rest");
    sqlx::query("alter table occurrence drop constraint refused").execute(&site.app.db).await.expect("dropped");
    site.look().await;
    site.look().await;
    assert_eq!(site.told("morning").await, ["2035-05-01T06:00 ran"]);
    assert_eq!(site.app.count("select count(*) from run").await, 1);
}
