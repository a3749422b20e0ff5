//! At most so many batches with a trigger, where the workflow says so; and what triggers may not be.

use postbook::{
    catalog,
    workflow::{self, Files, Folder},
};
use sqlx::PgPool;

use crate::{harness::TestApp, inbox::Inbox};

const PEOPLE: &str = r#"
[[user]]
name = "acme-2"
title = "Acme, second office"
attributes = { company = "Acme" }

[[user]]
name = "other"
title = "Other"
attributes = { company = "Other" }

[[document]]
name = "incoming"
title = "Incoming file"
kind = "object"
"#;

/// A workflow with at most one campaign job and one file job for each company.
async fn start(db: PgPool) -> Inbox {
    let inbox = Inbox::on(db, Default::default()).await;
    let app = &inbox.app;
    let base = workflow::embedded().into_iter().find(|folder| folder.name == "batch-documents").unwrap();
    let limits = "[triggers]\nevent = { at_most = 1, per = \"user.company\" }\n\
                  file = { at_most = 1, per = \"user.company\" }\n\n";
    let files = base.files.entries().iter().map(|(path, bytes)| match path.as_str() {
        "workflow.toml" => {
            let text = String::from_utf8_lossy(bytes).replacen("[step.expand]", &format!("{limits}[step.expand]"), 1);
            (path.clone(), text.into_bytes().into())
        }
        _ => (path.clone(), bytes.clone()),
    });
    let limited = Folder { name: "campaigns".to_owned(), files: files.collect::<Files>(), samples: base.samples };
    assert_eq!(catalog::workflow::check(std::slice::from_ref(&limited)), []);
    catalog::workflow::register(&app.db, &app.shelf.store, &[limited], app.engine.clock.now()).await.unwrap();
    app.apply(PEOPLE).await;
    inbox
}

fn batch(name: &str, user: &str, trigger: &str) -> String {
    format!(
        "[[batch]]\nname = \"{name}\"\nworkflow = \"campaigns\"\nrun_as = \"{user}\"\n\
         documents = [{{ document = \"checklist\" }}]\nrecipients = [{{ name = \"Ann\", email = \"ann@example.org\" }}]\n\
         {trigger}\n"
    )
}

const EVENT: &str = r#"event = [{ type = "campaign.ended" }]"#;

async fn complaint(app: &TestApp, toml: &str) -> String {
    format!("{:#}", app.try_apply(toml).await.expect_err("a complaint"))
}

#[sqlx::test]
async fn a_second_campaign_job_of_a_client_is_refused_with_the_name_of_the_first(db: PgPool) {
    let inbox = start(db).await;
    let app = &inbox.app;
    app.apply(&batch("first", "site-a", EVENT)).await;

    let text = complaint(app, &batch("second", "acme-2", EVENT)).await;
    assert!(text.contains("allows no more batches with a trigger by event here; first has it"), "{text}");

    app.apply(&batch("others", "other", EVENT)).await;
    app.apply(&batch("without", "acme-2", "")).await;
    app.apply(&batch("first", "site-a", r#"event = [{ type = "campaign.ended" }, { type = "campaign.paused" }]"#))
        .await;
    app.apply(&batch("first", "site-a", "")).await;
    app.apply(&batch("second", "acme-2", EVENT)).await;
}

#[sqlx::test]
async fn a_second_file_job_of_a_client_is_refused(db: PgPool) {
    let inbox = start(db).await;
    let file = format!("file = [{{ folder = \"{}/in\" }}]", inbox.app.folder.path().display());
    inbox.app.apply(&batch("first", "site-a", &file)).await;
    let text = complaint(&inbox.app, &batch("second", "acme-2", &file)).await;
    assert!(text.contains("a trigger by file here; first has it"), "{text}");
    inbox.app.apply(&batch("campaign", "acme-2", EVENT)).await;
}

#[sqlx::test]
async fn of_many_that_are_saved_at_once_one_is_kept(db: PgPool) {
    let inbox = start(db).await;
    let app = &inbox.app;
    let batches: Vec<_> = (0..8).map(|number| batch(&format!("job-{number}"), "site-a", EVENT)).collect();
    let saved = futures::future::join_all(batches.iter().map(|batch| app.try_apply(batch))).await;
    assert_eq!(saved.iter().filter(|saved| saved.is_ok()).count(), 1, "{saved:?}");
    assert_eq!(app.count("select count(*) from batch where current is not null and not own").await, 1);
}

#[sqlx::test]
async fn triggers_come_back_as_they_were_written_and_what_is_wrong_is_told_with_its_place(db: PgPool) {
    let inbox = start(db).await;
    let root = inbox.app.folder.path().display().to_string();
    let trigger = format!(
        "{EVENT}\nfile = [{{ folder = \"{root}/in/\", match = \"*.csv\", stable = \"1m\", archive = \"done/ok\" }}]"
    );
    inbox.app.apply(&batch("first", "site-a", &trigger)).await;
    let (kept, _) = catalog::batch::get(&inbox.app.shelf, "first", None).await.unwrap().unwrap();
    let kept = serde_json::to_value(kept).unwrap();
    assert_eq!(kept["event"], serde_json::json!([{ "type": "campaign.ended" }]));
    assert_eq!(
        kept["file"],
        serde_json::json!([{ "folder": format!("{root}/in"), "match": "*.csv", "stable": "1m", "same": "1day",
                             "archive": "done/ok", "error": "error" }])
    );
    for (trigger, told) in [
        (r#"file = [{ folder = "/etc" }]"#.to_owned(), "file/0/folder: /etc lies below no folder of `files.roots`"),
        (format!("file = [{{ folder = \"{root}/../x\" }}]"), "file/0/folder: write an absolute path without `..`"),
        (r#"file = [{ sftp = "partner:/in" }]"#.to_owned(), "file/0/sftp: `partner` is no account for sftp"),
        ("file = [{ match = \"*.csv\" }]".to_owned(), "file/0: write where the files come in"),
        (format!("file = [{{ folder = \"{root}\", match = \"../*\" }}]"), "file/0/match: write a pattern"),
        (format!("file = [{{ folder = \"{root}\", archive = \"../..\" }}]"), "file/0/archive: write a folder in"),
        (format!("file = [{{ folder = \"{root}\", stable = \"soon\" }}]"), "file/0/stable: write a time"),
        (r#"event = [{ type = "a b" }]"#.to_owned(), "event/0/type: write letters"),
        (r#"event = [{ type = "a", params = { x = 1 } }]"#.to_owned(), "event/0/params/x: is no parameter"),
        (r#"event = [{ typ = "a" }]"#.to_owned(), "event/0/typ: unknown field"),
    ] {
        let text = complaint(&inbox.app, &batch("second", "other", &trigger)).await;
        assert!(text.contains(told), "{trigger}: {text}");
    }
}
