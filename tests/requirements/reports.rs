//! What a report is asked for: as whom, with which parameters, and what comes out.

use sqlx::PgPool;

use super::{ANN, complaint, morning};
use crate::harness::TestApp;

/// Reports of two servers, one of which wants a login.
const REPORTS: &str = r#"
[[document]]
name = "compass"
kind = "remote"
url = "REPORTS/compass"
media_type = "text/csv"
query = { company = "{{ user.company }}", builder = "{{ user.builder }}", view = "{{ params.view }}", since = "{{ params.since }}" }
params = { view = { type = "text", choices = ["district", "builder"], default = "district" }, since = { type = "date", default = "{{ business_date }}" } }

[[document]]
name = "ledger"
kind = "remote"
url = "REPORTS/ledger"
secret = "reports"
media_type = "text/csv"
query = { company = "{{ user.company }}" }
"#;

async fn with_reports(db: PgPool, documents: &str) -> TestApp {
    let app = TestApp::start(db).await;
    app.apply(REPORTS).await;
    app.apply(&morning(documents, ANN)).await;
    app
}

#[sqlx::test]
async fn the_run_is_booked_for_its_user_and_reports_are_asked_as_that_user(db: PgPool) {
    let app = with_reports(db, r#"{ document = "compass" }"#).await;

    let run = app.run("morning").await;

    assert_eq!(app.seen(run).await.run_as, "site-a");
    assert!(app.reports.asked()[0].contains("company=Acme&"), "{:?}", app.reports.asked());
    assert!(app.reports.asked()[0].contains("builder=B-1"), "{:?}", app.reports.asked());
}

#[sqlx::test]
async fn parameters_are_kept_with_each_entry_and_reach_the_report(db: PgPool) {
    let twice = r#"{ document = "compass", params = { view = "builder", since = "2026-01-05" } },
                   { document = "compass", params = { view = "district", since = "2026-02-05" } }"#;
    let app = with_reports(db, twice).await;

    app.run("morning").await;

    let asked = app.reports.asked();
    assert_eq!(asked.len(), 2);
    for expected in ["view=builder&since=2026-01-05", "view=district&since=2026-02-05"] {
        let parts: Vec<_> = expected.split('&').collect();
        assert!(asked.iter().any(|it| parts.iter().all(|part| it.contains(part))), "{expected}: {asked:?}");
    }
}

#[sqlx::test]
async fn only_the_declared_choices_and_types_are_taken(db: PgPool) {
    let app = with_reports(db, r#"{ document = "compass", params = { view = "builder" } }"#).await;
    for (params, told) in [
        (r#"view = "galaxy""#, "documents/0/params/view"),
        (r#"since = "yesterday""#, "documents/0/params/since"),
        (r#"town = "x""#, "documents/0/params/town"),
    ] {
        let text =
            complaint(&app, &morning(&format!(r#"{{ document = "compass", params = {{ {params} }} }}"#), ANN)).await;
        assert!(text.contains(told), "{params}: {text}");
    }
}

#[sqlx::test]
async fn a_relative_date_counts_from_the_date_the_run_is_about(db: PgPool) {
    let app = with_reports(db, r#"{ document = "compass", params = { since = "{{ run_date - 1 month }}" } }"#).await;

    app.start_with("morning", |start| start.date = "2026-03-31".parse().ok()).await;
    app.drain().await;

    assert!(app.reports.asked()[0].contains("since=2026-02-28"), "{:?}", app.reports.asked());
}

#[sqlx::test]
async fn today_is_what_the_calendar_says_in_the_zone_of_the_batch(db: PgPool) {
    let app = with_reports(db, r#"{ document = "compass" }"#).await;
    // A day lies between these two at any moment.
    for zone in [chrono_tz::Pacific::Kiritimati, chrono_tz::Pacific::Niue] {
        let batch = morning(r#"{ document = "compass" }"#, ANN) + &format!("zone = \"{zone}\"\n");
        app.apply(&batch).await;
        let run = app.run("morning").await;
        let seen = app.seen(run).await;
        let today = seen.created_at.with_timezone(&zone).date_naive();
        assert_eq!(seen.business_date, today, "{zone}");
        let since = format!("since={today}");
        assert!(app.reports.asked().iter().any(|it| it.contains(&since)), "{since}: {:?}", app.reports.asked());
    }
}

#[sqlx::test]
async fn the_same_documents_run_as_two_users_show_two_companies(db: PgPool) {
    let both = r#"{ document = "compass" }, { document = "ledger" }"#;
    let app = with_reports(db, both).await;
    app.apply("[[user]]\nname = \"site-b\"\nattributes = { company = \"Borealis\", builder = \"B-2\" }").await;
    let of_b = morning(both, ANN).replace("\"morning\"", "\"north\"").replace("site-a", "site-b");
    app.apply(&of_b).await;

    let (a, b) = (app.run("morning").await, app.run("north").await);

    for (run, company) in [(a, "Acme"), (b, "Borealis")] {
        let files = app.zip(run).await;
        for report in ["compass.csv", "ledger.csv"] {
            let text = String::from_utf8_lossy(&files[report]).into_owned();
            assert!(text.contains(&format!("company={company}")), "{report}: {text}");
        }
    }
}

#[sqlx::test]
async fn two_report_servers_are_asked_in_the_same_way_each_with_its_own_login(db: PgPool) {
    let app = with_reports(db, r#"{ document = "compass" }, { document = "ledger" }"#).await;

    let run = app.run("morning").await;

    assert_eq!(app.seen(run).await.counts.delivered, 2);
    for (path, headers) in app.reports.asked().iter().zip(app.reports.headers()) {
        assert_eq!(headers.contains_key("authorization"), path.starts_with("/ledger"), "{path}");
    }
}

#[sqlx::test]
async fn a_colour_pdf_is_mailed_unchanged(db: PgPool) {
    let app = TestApp::start(db).await;
    let colour = "../../workflows/batch-documents/demo/opening-checklist.pdf";
    app.apply(&morning(&format!(r#"{{ path = "{colour}", media_type = "application/pdf" }}"#), ANN)).await;

    app.run("morning").await;

    let bytes = std::fs::read("workflows/batch-documents/demo/opening-checklist.pdf").expect("the file");
    assert_eq!(app.mails_to("ann@example.org")[0].attachments[0].1, bytes);
}

#[sqlx::test]
async fn every_rendered_page_has_the_size_of_a_sheet_of_paper(db: PgPool) {
    let app = TestApp::start(db).await;
    app.apply(&morning(r#"{ document = "checklist" }, { document = "orders" }"#, ANN)).await;

    let run = app.run("morning").await;

    let files = app.zip(run).await;
    let papers: Vec<_> = files.iter().filter(|(name, _)| name.ends_with(".pdf")).collect();
    assert_eq!(papers.len(), 2);
    for (name, bytes) in papers {
        for size in page_sizes(bytes) {
            assert!(
                [(595, 842), (612, 792)].contains(&size),
                "{name}: a page of {size:?} points is neither A4 nor Letter"
            );
        }
    }
}

/// Width and height of each page, in points.
fn page_sizes(pdf: &[u8]) -> Vec<(i32, i32)> {
    let pdf = lopdf::Document::load_mem(pdf).expect("a PDF");
    let sizes = pdf.page_iter().map(|page| {
        let page = pdf.get_dictionary(page).expect("a page");
        let media = page.get(b"MediaBox").and_then(lopdf::Object::as_array).expect("a size");
        let corner = |at: usize| media[at].as_float().expect("a number").round() as i32;
        (corner(2), corner(3))
    });
    sizes.collect()
}
