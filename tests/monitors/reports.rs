//! Reports at the doors.

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use chrono::{DateTime, Utc};
use postbook::{account, account::Role, catalog::batch as catalogue, http};
use serde_json::Value;
use sqlx::PgPool;
use tower::ServiceExt;

use super::{ANN, CARLA, batch, set};
use crate::harness::TestApp;

/// Asks as a user of this role, who is made for it.
async fn ask(app: &TestApp, role: &str, path: &str, accept: &str) -> (StatusCode, String, Vec<u8>) {
    app.apply(&format!("[[user]]\nname = \"{role}\"\nrole = \"{role}\"")).await;
    let role_of = |role: &str| serde_json::from_value::<Role>(role.into()).expect("a role");
    let issued = account::issue(&app.db, &app.author(), (role, "test", Some(role_of(role)))).await.expect("a token");
    let router = http::router(http::App::new(app.engine.clone(), Default::default(), 1 << 20)).expect("the doors");
    let request = Request::get(path)
        .header(header::AUTHORIZATION, format!("Bearer {}", issued.token))
        .header(header::ACCEPT, accept)
        .body(Body::empty())
        .expect("a request");
    let answer = router.oneshot(request).await.expect("an answer");
    let (parts, body) = answer.into_parts();
    let media_type = parts.headers[header::CONTENT_TYPE].to_str().expect("text").to_owned();
    (parts.status, media_type, to_bytes(body, 1 << 24).await.expect("a body").to_vec())
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

fn scheduled(name: &str, rules: &[&str]) -> String {
    let rules: Vec<_> =
        rules.iter().map(|rule| format!("{{ rule = \"{rule}\", zone = \"Europe/Amsterdam\" }}")).collect();
    format!("{}schedule = [{}]\n", batch(name, ANN), rules.join(", "))
}

#[sqlx::test]
async fn the_daily_report_tells_document_time_and_recipient_in_three_forms(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&batch("morning", &[ANN, CARLA].join(", "))).await;
    set(&app, "2041-06-01T12:00:00Z");
    app.run("morning").await;
    let path = "/api/v1/reports/daily?date=2041-06-02";

    let (status, media_type, body) = ask(&app, "operator", path, "*/*").await;
    assert_eq!((status, media_type.as_str()), (StatusCode::OK, "application/json"));
    let report = json(&body);
    assert_eq!(report["summary"], "1 run: 1 sent, 1 not sent");
    assert_eq!(report["delivered"][0]["document"], "Checklist");
    let sent = &report["delivered"][0]["recipients"][0];
    assert_eq!((&sent["recipient"], &sent["contact"]), (&Value::from("Ann"), &Value::from("ann@example.org")));
    assert!(sent["sent"].as_str().expect("words").ends_with(" UTC"), "{sent}");
    assert_eq!(report["failed"][0]["recipient"], "Carla");

    let (_, media_type, body) = ask(&app, "operator", path, "text/csv").await;
    let table = String::from_utf8(body).expect("text");
    assert_eq!(media_type, "text/csv; charset=utf-8");
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines[0], "batch,run,document,recipient,channel,contact,state,time sent,reason");
    assert!(lines[1].contains(",Checklist,Ann,email,ann@example.org,delivered,2041-06-01T12:0"), "{}", lines[1]);
    assert!(lines[1].contains("+00:00 UTC,") && lines[2].contains(",Carla,"), "{table}");

    let (_, media_type, body) = ask(&app, "operator", &format!("{path}&format=pdf"), "application/json").await;
    assert_eq!(media_type, "application/pdf");
    assert!(body.starts_with(b"%PDF-"));

    let (_, _, before) = ask(&app, "operator", "/api/v1/reports/daily?date=2041-06-01", "*/*").await;
    assert_eq!(json(&before)["summary"], "nothing was sent");
    let (status, ..) = ask(&app, "operator", "/api/v1/reports/daily?date=soon", "*/*").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, ..) = ask(&app, "user", path, "*/*").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[sqlx::test]
async fn the_report_of_scheduled_batches_has_users_documents_and_schedules_in_words(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&scheduled("morning", &["weekdays at 06:00", "monthly on the 2nd tuesday at 18:30"])).await;
    app.apply(&scheduled("evening", &["daily at 20:00"])).await;
    app.apply(&batch("unscheduled", ANN)).await;
    catalogue::enable(&app.db, &app.author(), ("evening", false)).await.expect("the switch");
    let next: DateTime<Utc> = "2041-06-03T04:00:00Z".parse().expect("an instant");
    sqlx::query(
        "insert into schedule (batch, revision, position, definition, after_at, next_key, next_at, enabled_at)
         select name, current, 0, '{}', $1, 'x', $1, $1 from batch where name = 'morning'",
    )
    .bind(next)
    .execute(&app.db)
    .await
    .expect("a schedule");

    let (status, _, body) = ask(&app, "admin", "/api/v1/reports/scheduled", "*/*").await;
    assert_eq!(status, StatusCode::OK);
    let report = json(&body);
    let lines: Vec<_> = report["items"].as_array().expect("a list").iter().collect();
    let told: Vec<_> = lines
        .iter()
        .map(|it| ["batch", "user_title", "schedule", "zone"].map(|field| it[field].as_str().expect("text").to_owned()))
        .collect();
    let words = ["weekdays at 06:00", "monthly on the 2nd tuesday at 18:30"];
    assert_eq!(told, words.map(|rule| ["morning", "Site A", rule, "Europe/Amsterdam"].map(str::to_owned)));
    assert_eq!(lines[0]["documents"], serde_json::json!(["Checklist"]));
    assert_eq!(lines[0]["next"], "3 June 2041, 06:00 CEST");

    let (_, _, body) = ask(&app, "admin", "/api/v1/reports/scheduled", "text/csv").await;
    let table = String::from_utf8(body).expect("text");
    assert!(table.contains("morning,Morning checklists,site-a,Site A,Checklist,weekdays at 06:00"), "{table}");
    assert!(!table.contains("evening") && !table.contains("unscheduled"), "{table}");
    let (_, media_type, _) = ask(&app, "admin", "/api/v1/reports/scheduled", "application/pdf").await;
    assert_eq!(media_type, "application/pdf");
    for role in ["operator", "user"] {
        let (status, ..) = ask(&app, role, "/api/v1/reports/scheduled", "*/*").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{role}");
    }
}
