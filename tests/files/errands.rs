//! Steps that carry files: fetched into a run, put where each belongs, moved out of the way.

use std::{fs, time::Duration};

use postbook::{
    catalog,
    channel::account::AccountConfig,
    id::RunId,
    run::book::{self, Piece, Step},
    source::place::{self, Places, PlacesConfig},
    workflow::{self, Files, Folder},
};
use sqlx::PgPool;

use crate::{
    harness::TestApp,
    parcels::{files_in, unique},
    peers::{Sshd, s3::S3},
};

/// A Postbook with the accounts `partner` (OpenSSH) and `store` (S3), and a workflow `carry` that ends with `steps`.
async fn start(db: PgPool, s3: &S3, steps: &str) -> TestApp {
    let sshd = Sshd::running();
    let mut app = TestApp::start_on(db, |accounts| {
        accounts.insert("partner".to_owned(), sshd.outgoing());
        accounts.insert("store".to_owned(), AccountConfig::new(s3.url("bucket")));
    })
    .await;
    let store = place::AccountConfig { url: s3.url(""), host_key: None, key: None, ca: None };
    let accounts = [("partner".to_owned(), sshd.account()), ("store".to_owned(), store)].into();
    let config = PlacesConfig { roots: Vec::new(), accounts, timeout: Duration::from_secs(20), limit: 1 << 20 };
    app.engine = app.engine.clone().watching(Places::open(&config).unwrap());
    register(&app, steps).await;
    app
}

/// Registers the workflow `carry`, which ends with `steps`.
pub async fn register(app: &TestApp, steps: &str) {
    let base = workflow::embedded().into_iter().find(|folder| folder.name == "batch-documents").unwrap();
    let files = base.files.entries().iter().map(|(path, bytes)| match path.as_str() {
        "workflow.toml" => {
            let text = String::from_utf8_lossy(bytes);
            let text = text.replacen("type = \"record\"", "type = \"record\"\non_success = \"first\"", 1);
            (path.clone(), format!("{text}\n{steps}").into_bytes().into())
        }
        _ => (path.clone(), bytes.clone()),
    });
    let carry = Folder { name: "carry".to_owned(), files: files.collect::<Files>(), samples: base.samples };
    assert_eq!(catalog::workflow::check(std::slice::from_ref(&carry)), []);
    catalog::workflow::register(&app.db, &app.shelf.store, &[carry], app.engine.clock.now()).await.unwrap();
}

/// A batch with a document for each of two customers.
pub async fn apply(app: &TestApp, folder: &str) {
    app.apply(&format!(
        r#"
[[document]]
name = "status"
title = "Status"
kind = "template"
template = "templates/open-orders.typ"
personal = true
params = {{ since = {{ type = "date", default = "2026-01-01" }} }}

[[batch]]
name = "statuses"
workflow = "carry"
run_as = "site-a"
documents = [{{ document = "status" }}]
recipients = [
  {{ name = "Acme", email = "acme@example.org", params = {{ folder = "{folder}/acme" }} }},
  {{ name = "Bolt", email = "bolt@example.org", params = {{ folder = "{folder}/bolt" }} }},
]
"#
    ))
    .await;
}

pub async fn steps(app: &TestApp, run: RunId) -> Vec<Step> {
    book::steps(&app.db, run, Piece { after: None, limit: 100 }).await.unwrap()
}

/// The state of the step of this name, and the code of its reason.
pub async fn state(app: &TestApp, run: RunId, name: &str) -> (String, Option<String>) {
    let step = steps(app, run).await.into_iter().find(|step| step.name == name).expect("the step");
    let code = step.reason.and_then(|reason| Some(reason["code"].as_str()?.to_owned()));
    (step.state.name().to_owned(), code)
}

#[sqlx::test]
async fn each_customers_file_is_put_into_their_folder(db: PgPool) {
    let (s3, folder, files) = (S3::start(), unique(), Sshd::running().files());
    let step =
        "[step.first]\ntype = \"put\"\naccount = \"partner\"\nto = \"{{ recipient.params.folder }}/status.pdf\"\n";
    let app = start(db, &s3, step).await;
    apply(&app, &folder).await;

    let run = app.run("statuses").await;

    assert_eq!(state(&app, run, "first").await, ("done".to_owned(), None));
    let zip = app.zip(run).await;
    for customer in ["acme", "bolt"] {
        let put = files_in(&files.join(&folder).join(customer));
        assert_eq!(put.keys().collect::<Vec<_>>(), ["status.pdf"]);
        assert!(zip.values().any(|bytes| *bytes == put["status.pdf"]), "the file of the run");
    }
}

#[sqlx::test]
async fn an_object_is_fetched_put_on_another_server_and_moved_out_of_the_way(db: PgPool) {
    let (s3, folder, files) = (S3::start(), unique(), Sshd::running().files());
    fs::create_dir_all(s3.path("out")).unwrap();
    let steps = format!(
        r#"
[step.first]
type = "fetch"
from = "s3:store:bucket/out/rates-{{{{ business_date }}}}.csv"
on_success = "second"
on_failure = "notify"

[step.second]
type = "put"
account = "partner"
to = "{folder}/"
on_success = "third"

[step.third]
type = "move"
from = "s3:store:bucket/out/rates-{{{{ business_date }}}}.csv"
to = "done/rates.csv"
"#
    );
    let app = start(db, &s3, &steps).await;
    apply(&app, &folder).await;
    let today = app.engine.clock.now().date_naive();
    let name = format!("rates-{today}.csv");

    let run = app.run("statuses").await;
    assert_eq!(state(&app, run, "first").await, ("ready".to_owned(), Some("no-file".to_owned())));

    fs::write(s3.path(&format!("out/{name}")), "usd;1.08\n").unwrap();
    app.finish(run).await;

    for step in ["first", "second", "third"] {
        assert_eq!(state(&app, run, step).await, ("done".to_owned(), None), "{step}");
    }
    let put = files_in(&files.join(&folder));
    assert_eq!(put[&name], b"usd;1.08\n");
    assert_eq!(put.len(), 3, "it and what the run rendered: {:?}", put.keys());
    assert_eq!(app.zip(run).await[&name], b"usd;1.08\n");
    assert!(!s3.path(&format!("out/{name}")).exists());
    assert_eq!(fs::read(s3.path("out/done/rates.csv")).unwrap(), b"usd;1.08\n");
}

#[sqlx::test]
async fn a_step_that_dies_after_it_put_its_files_puts_nothing_twice(db: PgPool) {
    let (s3, folder, files) = (S3::start(), unique(), Sshd::running().files());
    let step = format!("[step.first]\ntype = \"put\"\naccount = \"partner\"\nto = \"{folder}/{{{{ file.name }}}}\"\n");
    let app = start(db, &s3, &step).await;
    apply(&app, &folder).await;
    let run = app.run("statuses").await;
    let before = files_in(&files.join(&folder));
    // As it is when the worker is gone before it could write what it did.
    sqlx::query("update step set state = 'running', lease = lease + 1, lease_until = $1 where kind = 'put'")
        .bind(app.engine.clock.now())
        .execute(&app.db)
        .await
        .unwrap();

    app.engine.clock.advance(Duration::from_secs(600));
    postbook::run::rescue::lapsed(&app.engine).await.unwrap();
    app.drain().await;

    assert_eq!(state(&app, run, "first").await.0, "done");
    assert!(files_in(&files.join(&folder)) == before);
}

#[sqlx::test]
async fn a_step_that_is_refused_fails_tells_monitors_and_is_done_again_by_a_retry(db: PgPool) {
    let (s3, folder, files) = (S3::start(), unique(), Sshd::running().files());
    let step = format!(
        "[step.first]\ntype = \"put\"\naccount = \"partner\"\nto = \"{folder}/closed/a.pdf\"\non_failure = \"notify\"\n"
    );
    let app = start(db, &s3, &step).await;
    apply(&app, &folder).await;
    fs::create_dir(files.join(&folder)).unwrap();

    let run = app.run("statuses").await;

    assert_eq!(state(&app, run, "first").await, ("failed".to_owned(), Some("sftp-denied".to_owned())));
    assert_eq!(app.notices(run).await.len(), 1);
    std::os::unix::fs::chown(files.join(&folder), Some(61001), Some(61001)).unwrap();
    postbook::run::act::retry(&app.engine, run, "test").await.unwrap();
    app.drain().await;
    assert_eq!(state(&app, run, "first").await.0, "done");
    assert!(files_in(&files.join(&folder).join("closed")).contains_key("a.pdf"));
}

#[sqlx::test]
async fn a_path_that_leads_out_of_the_accounts_folder_is_refused(db: PgPool) {
    let (s3, folder) = (S3::start(), unique());
    let step = "[step.first]\ntype = \"put\"\naccount = \"partner\"\nto = \"../{{ file.name }}\"\n";
    let app = start(db, &s3, step).await;
    apply(&app, &folder).await;
    let run = app.run("statuses").await;
    assert_eq!(state(&app, run, "first").await, ("failed".to_owned(), Some("bad-path".to_owned())));
}
