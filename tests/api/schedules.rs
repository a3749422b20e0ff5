//! Schedules of batches, and the calendars they name, over the API.

use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::door::{Answer, Door, batch};

const BATCH: &str = "/api/v1/batches/morning-checklists";
const CALENDAR: &str = "/api/v1/calendars/netherlands";

async fn put(door: &Door, schedule: Value) -> Answer {
    let mut batch = batch();
    batch["schedule"] = json!([schedule]);
    door.put(BATCH, batch).await
}

fn netherlands() -> Value {
    json!({ "title": "Netherlands", "holiday": [{ "name": "Koningsdag", "on": "27 april", "observed": "nearest" }] })
}

#[sqlx::test]
async fn a_schedule_comes_back_as_it_was_written(db: PgPool) {
    let door = Door::open(db).await;
    door.with_batch().await;
    assert_eq!(door.put(CALENDAR, netherlands()).await.status, StatusCode::CREATED);
    let schedules = [
        json!({ "rule": "The 2nd Tuesday of every month at 6:00", "zone": "Europe/Amsterdam", "missed": "run_if_late_less_than 2h",
                "overlap": "queue", "jitter": "10m", "starts": "2026-01-01", "ends": "2030-12-31", "calendar": "netherlands",
                "roll": "modified_following", "short_month": "first_of_next", "weekends": true, "pause_after": 3,
                "grace": "30m" }),
        json!({ "cron": "0 6 * * 1-5", "zone": "America/New_York" }),
        json!({ "rrule": "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=6", "zone": "UTC" }),
        json!({ "rule": { "kind": "monthly", "on": ["2nd tuesday", "last day"], "at": ["06:00"] }, "zone": "UTC" }),
        json!({ "rule": "daily at 06:00, Europe/Amsterdam" }),
    ];
    for schedule in schedules {
        let saved = put(&door, schedule.clone()).await;
        assert_eq!(saved.status, StatusCode::OK, "{}", saved.text());
        let read = door.get(BATCH).await;
        assert_eq!(read.json()["schedule"], json!([schedule]));
        let again = door.put(BATCH, read.json()).await;
        assert_eq!(again.headers[header::ETAG], read.headers[header::ETAG]);
    }
}

#[sqlx::test]
async fn what_is_wrong_with_a_schedule_is_told_with_its_place_and_remedy(db: PgPool) {
    let door = Door::open(db).await;
    door.with_batch().await;
    let wrong = json!({ "rule": "fortnightly at 06:00", "zone": "Mars/Base", "missed": "never", "overlap": "maybe", "jitter": "soon",
                        "starts": "01.02.2026", "calendar": "nowhere", "roll": "up", "short_month": "x", "pause_after": 0 });
    let told = put(&door, wrong).await;
    assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY);
    let remedies = [
        ("rule", "`fortnightly` is not understood; write `daily at 06:00`"),
        ("zone", "write an IANA name such as `Europe/Amsterdam`"),
        ("missed", "write one of `run_once`, `run_all`, `skip`, `run_if_late_less_than 2h`"),
        ("overlap", "write one of `allow`, `skip`, `queue`"),
        ("jitter", "write one such as `10m`"),
        ("starts", "write one such as `2026-01-31`"),
        ("calendar", "there is no calendar `nowhere`; add it"),
        ("roll", "write one of `none`, `skip`, `following`"),
        ("short_month", "write one of `last_day`, `skip`, `first_of_next`"),
        ("pause_after", "write 1 or more"),
    ];
    for (field, remedy) in remedies {
        let text = told.fault(&format!("schedule/0/{field}"));
        assert!(text.contains(remedy), "{field}: {text}");
    }
    let more = [
        (json!({ "zone": "UTC" }), "rule", "is missing; write a rule such as `daily at 06:00`"),
        (json!({ "rule": "daily at 06:00" }), "zone", "is missing"),
        (
            json!({ "rule": "daily at 06:00", "cron": "0 6 * * *", "zone": "UTC" }),
            "rule",
            "write one of `rule`, `cron` and `rrule`",
        ),
        (json!({ "cron": "@daily", "zone": "UTC" }), "cron", "a cron line has five fields"),
        (json!({ "rrule": "FREQ=DAILY", "zone": "UTC" }), "rrule", "add one, such as `BYHOUR=6`"),
        (json!({ "rrule": "FREQ=MINUTELY", "zone": "UTC" }), "rrule", "FREQ is one of"),
        (json!({ "rrule": "FREQ=DAILY;COUNT=3;BYHOUR=6", "zone": "UTC" }), "starts", "COUNT counts from it"),
        (json!({ "rule": "hourly", "zone": "UTC", "roll": "following" }), "roll", "write `skip`"),
        (json!({ "rule": { "kind": "sometimes" }, "zone": "UTC" }), "rule", "is not understood as data"),
        (
            json!({ "rule": "daily at 06:00", "zone": "UTC", "starts": "2026-02-01", "ends": "2026-01-01" }),
            "ends",
            "before `starts`",
        ),
    ];
    for (schedule, field, remedy) in more {
        let text = put(&door, schedule.clone()).await.fault(&format!("schedule/0/{field}"));
        assert!(text.contains(remedy), "{schedule}: {text}");
    }
}

#[sqlx::test]
async fn a_rule_that_is_understood_no_more_comes_back_and_is_a_fault_where_it_is_used(db: PgPool) {
    let door = Door::open(db.clone()).await;
    door.with_batch().await;
    let old = json!([{ "rule": "whenever the moon is full", "zone": "Europe/Amsterdam", "missed": "perhaps" }]);
    sqlx::query("update batch_revision set definition = jsonb_set(definition, '{schedule}', $1)")
        .bind(&old)
        .execute(&db)
        .await
        .unwrap();

    let read = door.get(BATCH).await;
    assert_eq!((read.status, &read.json()["schedule"]), (StatusCode::OK, &old));
    let again = door.put(BATCH, read.json()).await;
    assert!(again.fault("schedule/0/rule").contains("`whenever` is not understood"));
}

#[sqlx::test]
async fn a_calendar_is_written_read_changed_and_deleted_and_the_audit_log_knows(db: PgPool) {
    let door = Door::open(db).await;
    assert_eq!(door.put(CALENDAR, netherlands()).await.status, StatusCode::CREATED);
    let read = door.get(CALENDAR).await.json();
    assert_eq!((&read["name"], &read["holiday"][0]["name"]), (&json!("netherlands"), &json!("Koningsdag")));
    assert_eq!(door.put(CALENDAR, read).await.status, StatusCode::OK);
    let listed = door.get("/api/v1/calendars").await.json();
    assert_eq!(
        (&listed["items"][0]["name"], &listed["items"][0]["title"]),
        (&json!("netherlands"), &json!("Netherlands"))
    );
    assert_eq!(door.put(CALENDAR, json!({ "weekend": ["friday"] })).await.status, StatusCode::OK);
    let wrong = json!({ "holiday": [{ "name": "x", "on": "someday" }] });
    assert!(door.put(CALENDAR, wrong).await.fault("holiday/0/on").contains("`25 december`"));
    assert_eq!(door.delete(CALENDAR).await.status, StatusCode::NO_CONTENT);
    assert_eq!(door.delete(CALENDAR).await.status, StatusCode::NOT_FOUND);
    assert_eq!(door.get(CALENDAR).await.status, StatusCode::NOT_FOUND);

    let audit = door.get("/api/v1/audit").await.json();
    let actions: Vec<_> =
        audit["items"].as_array().unwrap().iter().filter(|it| it["object"] == "netherlands").collect();
    let mut actions: Vec<_> = actions.iter().map(|it| it["action"].as_str().unwrap()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["calendar.deleted", "calendar.saved", "calendar.saved"]);
}

#[sqlx::test]
async fn a_calendar_may_be_sent_as_an_icalendar_file_or_as_toml(db: PgPool) {
    let door = Door::open(db).await;
    let send = async |media_type: &str, body: &'static str| {
        let request = Request::put(CALENDAR)
            .header(header::AUTHORIZATION, format!("Bearer {}", door.admin))
            .header(header::CONTENT_TYPE, media_type)
            .body(body.into())
            .unwrap();
        door.hand(request).await
    };
    let ics = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20260427\nSUMMARY:Koningsdag\nEND:VEVENT\nEND:VCALENDAR\n";
    let saved = send("text/calendar; charset=utf-8", ics).await;
    assert_eq!((saved.status, &saved.json()["ics"]), (StatusCode::CREATED, &json!(ics)), "{}", saved.text());
    let saved = send("application/toml", "holiday = [{ name = \"Koningsdag\", on = \"27 april\" }]").await;
    assert_eq!((saved.status, &saved.json()["holiday"][0]["on"]), (StatusCode::OK, &json!("27 april")));
    assert!(send("text/calendar", "nothing").await.fault("ics").contains("BEGIN:VCALENDAR"));
    assert_eq!(send("application/toml", "= 1").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(send("text/plain", "x").await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[sqlx::test]
async fn a_calendar_that_a_batch_uses_stays(db: PgPool) {
    let door = Door::open(db).await;
    door.with_batch().await;
    door.put(CALENDAR, netherlands()).await;
    let schedule = json!({ "rule": "daily at 06:00", "zone": "UTC", "calendar": "netherlands", "roll": "skip" });
    assert_eq!(put(&door, schedule).await.status, StatusCode::OK);
    let refused = door.delete(CALENDAR).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text().contains("morning-checklists"), "{}", refused.text());
    assert_eq!(door.delete(BATCH).await.status, StatusCode::NO_CONTENT);
    assert_eq!(door.delete(CALENDAR).await.status, StatusCode::NO_CONTENT);
}

#[sqlx::test]
async fn only_administrators_change_calendars(db: PgPool) {
    let door = Door::open(db).await;
    let operator = door.user("olga", "operator").await;
    assert_eq!(door.send(&operator, Method::PUT, CALENDAR, Some(netherlands())).await.status, StatusCode::FORBIDDEN);
    assert_eq!(door.send(&operator, Method::GET, "/api/v1/calendars", None).await.status, StatusCode::OK);
}
