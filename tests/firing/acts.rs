//! What people do to schedules: pause, resume, backfill.

use postbook::{
    id::RunId,
    trigger::schedule::{self, ScheduleError, Span},
};
use sqlx::PgPool;

use crate::site::{Site, daily};

async fn pause(site: &Site) {
    let author = site.author("ann");
    schedule::pause(&site.app.engine, &author, ("morning", "the yard is closed")).await.expect("paused");
}

async fn resume(site: &Site) {
    schedule::resume(&site.app.engine, &site.author("ann"), ("morning", None)).await.expect("resumed");
}

#[sqlx::test]
async fn what_passes_while_a_schedule_is_paused_is_skipped_with_the_note(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily("")).await;
    site.look().await;
    pause(&site).await;
    site.look_at("2035-05-01T04:00:00Z").await;
    // Nobody looks at the second one before the schedule is resumed.
    site.go_to("2035-05-02T12:00:00Z");
    resume(&site).await;
    site.look_at("2035-05-03T04:00:00Z").await;
    let rows = site.rows("morning").await;
    let told: Vec<_> = rows.iter().map(|row| row.told()).collect();
    assert_eq!(
        told,
        [
            "2035-05-01T06:00 skipped schedule-paused",
            "2035-05-02T06:00 skipped schedule-paused",
            "2035-05-03T06:00 ran"
        ]
    );
    let text = rows[0].reason.as_ref().expect("a reason")["text"].as_str().expect("a text").to_owned();
    assert!(text.contains("ann") && text.contains("the yard is closed"), "{text}");
    assert_eq!((site.audit("schedule.paused").await, site.audit("schedule.resumed").await), (1, 1));
}

#[sqlx::test]
async fn what_was_due_before_the_pause_still_runs(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily("")).await;
    site.look().await;
    site.go_to("2035-05-01T04:00:00.300Z");
    pause(&site).await;
    site.look_at("2035-05-01T04:00:01Z").await;
    assert_eq!(site.told("morning").await, ["2035-05-01T06:00 ran"]);
}

#[sqlx::test]
async fn a_pause_outlives_a_change_of_the_rule_and_pausing_twice_is_refused(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily("")).await;
    pause(&site).await;
    let again = schedule::pause(&site.app.engine, &site.author("bob"), ("morning", "too")).await;
    assert!(matches!(again, Err(ScheduleError::NotNow(_))), "{again:?}");
    let nowhere = schedule::pause(&site.app.engine, &site.author("bob"), ("nowhere", "")).await;
    assert!(matches!(nowhere, Err(ScheduleError::Unknown(_))), "{nowhere:?}");
    site.batch("morning", "{ rule = \"daily at 07:00\", zone = \"Europe/Amsterdam\" }").await;
    site.look_at("2035-05-01T05:00:00Z").await;
    assert_eq!(site.told("morning").await, ["2035-05-01T07:00 skipped schedule-paused"]);
}

#[sqlx::test]
async fn a_schedule_that_fails_too_often_in_a_row_pauses_itself_and_says_why(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily(", pause_after = 2")).await;
    site.look().await;
    for (day, state) in [(1, "failed"), (2, "succeeded"), (3, "failed"), (4, "failed"), (5, "")] {
        site.look_at(&format!("2035-05-0{day}T04:00:00Z")).await;
        if let Some(run) = site.rows("morning").await.pop().and_then(|row| row.run) {
            site.end(RunId(run), state).await;
            site.look().await;
        }
    }
    let told = site.told("morning").await;
    assert_eq!(told[3..], ["2035-05-04T06:00 ran", "2035-05-05T06:00 skipped schedule-paused"]);
    let now = site.app.engine.clock.now();
    let shown = schedule::schedules(&site.app.db, (Some("morning"), None), now).await.expect("a list").remove(0);
    assert_eq!((shown.paused_by.as_deref(), shown.failures, shown.fires), (Some("postbook"), 2, false));
    let note = shown.paused_note.expect("a note");
    assert!(note.starts_with("2 runs in a row failed, the last one was run "), "{note}");
    assert_eq!(site.audit("schedule.paused").await, 1);
    resume(&site).await;
    site.look_at("2035-05-06T04:00:00Z").await;
    assert_eq!(site.told("morning").await[5], "2035-05-06T06:00 ran", "the count begins anew");
}

#[sqlx::test]
async fn a_range_is_run_afterwards_each_about_its_own_date_and_what_ran_is_left_alone(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch("morning", &daily(", missed = \"skip\"")).await;
    site.look_at("2035-05-01T04:00:00Z").await;
    site.look_at("2035-05-05T12:00:00Z").await;
    let fill = async |dry_run| {
        let span = Span { from: "2035-04-30".parse().unwrap(), to: "2035-05-09".parse().unwrap(), dry_run };
        let filled =
            schedule::backfill(&site.app.engine, &site.author("ann"), ("morning", span)).await.expect("filled");
        filled.into_iter().map(|it| format!("{} {}", it.business_date, it.outcome)).collect::<Vec<_>>()
    };
    let wanted = [
        "2035-04-30 started",
        "2035-05-01 ran",
        "2035-05-02 started",
        "2035-05-03 started",
        "2035-05-04 started",
        "2035-05-05 started",
    ];
    assert_eq!(fill(true).await, wanted);
    assert_eq!(site.runs("morning").await.len(), 1, "nothing was done yet");
    assert_eq!(fill(false).await, wanted);
    assert_eq!(fill(false).await.iter().filter(|it| it.ends_with(" ran")).count(), 6, "again does nothing more");
    let mut dates: Vec<_> = site.runs("morning").await.into_iter().map(|(_, date)| date).collect();
    dates.sort();
    assert_eq!(dates, ["2035-04-30", "2035-05-01", "2035-05-02", "2035-05-03", "2035-05-04", "2035-05-05"]);
    let rows = site.rows("morning").await;
    assert!(rows.iter().all(|row| row.state == "ran"));
    assert_eq!(rows[2].notes[0]["code"], "before", "it says that it was skipped at first: {}", rows[2].notes);
    site.look_at("2035-05-06T04:00:00Z").await;
    assert_eq!(site.rows("morning").await.len(), 7, "the firing goes on as ever");
}

#[sqlx::test]
async fn a_disabled_batch_is_not_backfilled(db: PgPool) {
    let site = Site::open(db, "2035-05-01T03:00:00Z").await;
    site.batch_with("morning", &daily(""), "enabled = false").await;
    let span = Span { from: "2035-04-01".parse().unwrap(), to: "2035-04-02".parse().unwrap(), dry_run: false };
    let refused = schedule::backfill(&site.app.engine, &site.author("ann"), ("morning", span)).await;
    assert!(matches!(refused, Err(ScheduleError::NotNow(_))), "{refused:?}");
}
