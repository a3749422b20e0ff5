//! Two recipients who share a contact.

use sqlx::PgPool;

use super::{STATEMENT, letter, start, told};

const SHARED: &str = r#"recipients = [
    { name = "Ann", email = "office@example.org", fax = "+1 312 555 0002" },
    { name = "Bob", email = "Office@Example.org", fax = "+1 (312) 555-0002" },
]"#;

#[sqlx::test]
async fn the_same_document_reaches_a_contact_once(db: PgPool) {
    let app = start(db).await;
    app.apply(&letter(SHARED)).await;

    let run = app.run("letter").await;

    assert_eq!(
        told(&app, run).await,
        [
            "Ann email office@example.org delivered",
            "Ann fax +13125550002 delivered",
            "Bob email Office@example.org skipped duplicate",
            "Bob fax +13125550002 skipped duplicate",
        ]
    );
    let preview = postbook::run::preview(&app.engine, "letter", None, &Default::default()).await.expect("a preview");
    assert_eq!((preview.queued, preview.skipped), (2, 2));
}

#[sqlx::test]
async fn each_gets_it_where_the_batch_says_so(db: PgPool) {
    let app = start(db).await;
    app.apply(&letter(&format!("duplicates = \"send\"\n{SHARED}"))).await;

    let run = app.run("letter").await;

    assert_eq!(told(&app, run).await.iter().filter(|line| line.ends_with("delivered")).count(), 4);
    let (batch, _) = postbook::catalog::batch::get(&app.shelf, "letter", None).await.expect("a look").expect("a batch");
    assert_eq!(batch.duplicates, Some(postbook::catalog::Twice::Send));
}

#[sqlx::test]
async fn what_is_made_for_each_alone_is_never_the_same(db: PgPool) {
    let app = start(db).await;
    app.apply(STATEMENT).await;
    app.apply(&letter(SHARED).replace("checklist", "statement")).await;

    let run = app.run("letter").await;

    assert!(told(&app, run).await.iter().all(|line| line.ends_with("delivered")), "{:?}", told(&app, run).await);
}

#[sqlx::test]
async fn other_parameters_make_another_document(db: PgPool) {
    let app = start(db).await;
    let shared = SHARED
        .replace("fax = \"+1 312 555 0002\"", "params = { since = \"2026-02-01\" }")
        .replace("fax = \"+1 (312) 555-0002\"", "params = { since = \"2026-03-01\" }");
    app.apply(&letter(&shared).replace("checklist", "orders")).await;

    let run = app.run("letter").await;

    assert!(told(&app, run).await.iter().all(|line| line.ends_with("delivered")), "{:?}", told(&app, run).await);
}
