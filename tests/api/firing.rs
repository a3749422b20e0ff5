//! When batches fire, over the API.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::door::{Door, batch};

const BATCH: &str = "/api/v1/batches/morning-checklists";

/// A door with a daily batch.
async fn daily(db: PgPool) -> Door {
    let door = Door::open(db).await;
    door.with_batch().await;
    let mut batch = batch();
    batch["schedule"] =
        json!([{ "rule": "daily at 06:00", "zone": "Europe/Amsterdam", "missed": "run_all", "jitter": "10m" }]);
    assert_eq!(door.put(BATCH, batch).await.status, StatusCode::OK);
    door
}

fn items(answer: &crate::door::Answer) -> Vec<Value> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()["items"].as_array().expect("a list").clone()
}

#[sqlx::test]
async fn occurrences_that_lie_ahead_are_listed_a_page_at_a_time_also_of_a_batch_that_was_just_saved(db: PgPool) {
    let door = daily(db).await;
    let path = format!("{BATCH}/occurrences?from=2035-03-24&to=2035-03-27");
    let all = items(&door.get(&path).await);
    let shown: Vec<_> = all.iter().map(|it| (it["key"].clone(), it["at"].clone(), it["until"].clone())).collect();
    assert_eq!(
        shown,
        [("24", "05", "05"), ("25", "04", "04"), ("26", "04", "04"), ("27", "04", "04")].map(|(day, hour, end)| (
            json!(format!("2035-03-{day}T06:00")),
            json!(format!("2035-03-{day}T{hour}:00:00Z")),
            json!(format!("2035-03-{day}T{end}:10:00Z"))
        ))
    );
    assert!(all.iter().all(|it| it["state"] == "planned" && it["business_date"] == it["key"].as_str().unwrap()[..10]));
    let mut pages = Vec::new();
    let mut next = String::new();
    loop {
        let page = door.get(&format!("{path}&limit=3{next}")).await;
        pages.extend(items(&page));
        let Some(after) = page.json()["next"].as_str().map(str::to_owned) else { break };
        let escaped: String = url::form_urlencoded::byte_serialize(after.as_bytes()).collect();
        next = format!("&after={escaped}");
    }
    assert_eq!(pages, all);
}

#[sqlx::test]
async fn what_became_of_occurrences_is_listed_with_what_lies_ahead(db: PgPool) {
    let door = daily(db).await;
    door.look().await;
    door.later(Duration::from_secs(3 * 24 * 3600)).await;
    let today =
        items(&door.get("/api/v1/batches").await)[0]["next_at"].as_str().expect("the next one")[..10].to_owned();
    let ran: Vec<_> = items(&door.get(&format!("{BATCH}/occurrences?from=2020-01-01&to={today}")).await);
    let states: Vec<_> = ran.iter().map(|it| it["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["ran", "ran", "ran", "planned"]);
    assert!(ran[0]["run"].is_i64() && ran[0]["run_state"] == "expanding", "{}", ran[0]);
    let run = door.get(&format!("/api/v1/runs/{}", ran[0]["run"])).await.json();
    assert_eq!(run["cause"]["key"], format!("schedule {}", ran[0]["key"].as_str().unwrap()));
    assert_eq!(run["business_date"], ran[0]["business_date"]);
}

#[sqlx::test]
async fn schedules_are_shown_paused_and_resumed(db: PgPool) {
    let door = daily(db).await;
    let path = format!("{BATCH}/schedules");
    door.look().await;
    let shown = items(&door.get(&path).await);
    assert_eq!((shown[0]["words"].as_str(), shown[0]["fires"].as_bool()), (Some("daily at 06:00"), Some(true)));
    assert!(shown[0]["enabled_at"].is_string() && shown[0]["next"]["at"].is_string(), "{}", shown[0]);
    assert_eq!(
        door.post(&format!("{path}/pause"), json!({})).await.fault("note"),
        "is missing; write why, for whoever finds it paused"
    );
    let paused = items(&door.post(&format!("{path}/pause"), json!({ "note": "moving house" })).await);
    assert_eq!((paused[0]["fires"].as_bool(), paused[0]["paused_note"].as_str()), (Some(false), Some("moving house")));
    assert!(items(&door.get("/api/v1/batches").await)[0]["next_at"].is_null());
    assert_eq!(door.post(&format!("{path}/pause"), json!({ "note": "x" })).await.status, StatusCode::CONFLICT);
    let ahead = items(&door.get(&format!("{BATCH}/occurrences?limit=1")).await);
    assert_eq!(ahead[0]["notes"][0]["code"], "schedule-paused");
    let resumed = items(&door.post_owned(format!("{path}/resume")).await);
    assert_eq!(resumed[0]["fires"], true);
    let audit = door.get("/api/v1/audit?limit=2").await.json();
    let actions: Vec<_> =
        audit["items"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["schedule.resumed", "schedule.paused"]);
}

#[sqlx::test]
async fn a_range_is_backfilled_and_asking_again_does_nothing_more(db: PgPool) {
    let door = daily(db).await;
    let path = format!("{BATCH}/backfill");
    let range = json!({ "from": "2026-01-01", "to": "2026-01-03" });
    let outcomes = async |body: &Value| {
        let filled = items(&door.post(&path, body.clone()).await);
        filled.iter().map(|it| it["outcome"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(&json!({ "from": "2026-01-01", "to": "2026-01-03", "dry_run": true })).await, ["started"; 3]);
    assert_eq!(door.count("").await, 0);
    assert_eq!(outcomes(&range).await, ["started"; 3]);
    assert_eq!(outcomes(&range).await, ["ran"; 3]);
    assert_eq!(door.count("?from=2026-01-01&to=2026-01-03").await, 3);
    let wrong = door.post(&path, json!({ "from": "yesterday" })).await;
    assert_eq!((wrong.fault("from"), wrong.fault("to")), (A_DATE.to_owned(), A_DATE.to_owned()));
    assert_eq!(
        door.post(&path, json!({ "from": "2000-01-01", "to": "2026-01-03" })).await.status,
        StatusCode::CONFLICT
    );
}

const A_DATE: &str = "write a date such as `2026-04-01`";

#[sqlx::test]
async fn users_see_when_their_own_batches_fire_and_change_nothing(db: PgPool) {
    let door = daily(db).await;
    let stranger = door.user("site-b", "user").await;
    let owner = door.post("/api/v1/tokens", json!({ "user": "site-a", "title": "own" })).await.json();
    let owner = owner["token"].as_str().unwrap();
    let calendar = "/api/v1/calendar?from=2035-01-01&to=2035-01-02";
    assert!(items(&door.send(&stranger, Method::GET, calendar, None).await).is_empty());
    assert_eq!(items(&door.send(owner, Method::GET, calendar, None).await).len(), 2);
    for path in ["schedules", "occurrences"] {
        let path = format!("{BATCH}/{path}");
        assert_eq!(door.send(&stranger, Method::GET, &path, None).await.status, StatusCode::NOT_FOUND);
        assert_eq!(door.send(owner, Method::GET, &path, None).await.status, StatusCode::OK);
    }
    for path in ["schedules/pause", "schedules/resume", "backfill"] {
        let refused = door.send(owner, Method::POST, &format!("{BATCH}/{path}"), Some(json!({}))).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
    }
}

#[sqlx::test]
async fn calendar_programs_read_a_feed_with_a_token_as_the_password(db: PgPool) {
    let door = daily(db).await;
    let path = "/api/v1/calendar.ics?from=2035-01-01&to=2035-01-31";
    let feed = door.get(path).await;
    assert_eq!(
        (feed.status, feed.headers[header::CONTENT_TYPE].to_str().unwrap()),
        (StatusCode::OK, "text/calendar; charset=utf-8")
    );
    let parsed: icalendar::Calendar = feed.text().parse().expect("an iCalendar");
    assert_eq!(parsed.components.len(), 31);
    let login = |login: &str, path: &str, method: Method| {
        let header = format!("Basic {}", BASE64_STANDARD.encode(login));
        Request::builder().method(method).uri(path).header(header::AUTHORIZATION, header).body(Body::empty()).unwrap()
    };
    let known = format!("anybody:{}", door.admin);
    assert_eq!(door.hand(login(&known, path, Method::GET)).await.status, StatusCode::OK);
    assert_eq!(door.hand(login("anybody:pb_wrong", path, Method::GET)).await.status, StatusCode::UNAUTHORIZED);
    let elsewhere = login(&known, "/api/v1/calendar", Method::GET);
    assert_eq!(door.hand(elsewhere).await.status, StatusCode::UNAUTHORIZED, "a login opens nothing else");
    let act = login(&known, &format!("{BATCH}/disable"), Method::POST);
    assert_eq!(door.hand(act).await.status, StatusCode::UNAUTHORIZED);
}

#[sqlx::test]
async fn dates_that_no_schedule_reaches_are_refused(db: PgPool) {
    let door = daily(db).await;
    for (query, place) in
        [("from=x", "from"), ("to=2026-02-30", "to"), ("from=0001-01-01", "from"), ("to=9999-12-31", "to")]
    {
        let answer = door.get(&format!("/api/v1/calendar?{query}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        answer.fault(place);
    }
    assert_eq!(door.get("/api/v1/calendar?after=x").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}
