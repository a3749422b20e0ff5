//! What an account may do now holds for steps that put files as well.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{Method, StatusCode, Uri},
};
use bytes::Bytes;
use postbook::{
    channel::account::{AccountConfig, Limits},
    id::RunId,
    run::{
        self,
        allowance::{self, Standing},
        book::Step,
    },
    workflow::Kind,
};
use sqlx::PgPool;
use tokio::sync::Semaphore;

use crate::{
    errands::{self, state, steps},
    harness::TestApp,
    parcels::files_in,
};

const MINUTE: Duration = Duration::from_secs(60);

/// A run of two files ends with putting them on `partner`, which is a folder.
async fn start(db: PgPool, folder: &Path, change: impl FnOnce(&mut AccountConfig)) -> TestApp {
    let mut partner = AccountConfig::new(format!("folder:{}", folder.display()));
    change(&mut partner);
    with_partner(db, partner).await
}

async fn with_partner(db: PgPool, partner: AccountConfig) -> TestApp {
    let app = TestApp::start_on(db, |accounts| _ = accounts.insert("partner".to_owned(), partner)).await;
    let step =
        "[step.first]\ntype = \"put\"\naccount = \"partner\"\nto = \"{{ recipient.params.folder }}/status.pdf\"\n";
    errands::register(&app, step).await;
    errands::apply(&app, "in").await;
    app
}

/// The step that puts.
async fn first(app: &TestApp, run: RunId) -> Step {
    steps(app, run).await.into_iter().find(|step| step.name == "first").expect("the step")
}

/// What it waits for, in words.
async fn reason(app: &TestApp, run: RunId) -> String {
    let reason = first(app, run).await.reason.expect("a reason");
    format!("{}: {}", reason["code"].as_str().unwrap(), reason["text"].as_str().unwrap())
}

/// For which customers there is a file.
fn there(folder: &Path) -> Vec<&'static str> {
    ["acme", "bolt"].into_iter().filter(|it| !files_in(&folder.join("in").join(it)).is_empty()).collect()
}

#[sqlx::test]
async fn an_account_that_is_paused_holds_the_step_back_and_says_why(db: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let app = start(db, folder.path(), |_| ()).await;
    allowance::pause(&app.engine, &app.author(), ("partner", "they move house")).await.unwrap();

    let run = app.run("statuses").await;
    app.later(Duration::from_secs(24 * 3600)).await;

    let why = reason(&app, run).await;
    assert!(
        why.starts_with("account-paused: the account partner is paused") && why.contains("they move house"),
        "{why}"
    );
    assert_eq!((first(&app, run).await.state.name(), first(&app, run).await.tries), ("ready", 0));
    assert!(there(folder.path()).is_empty());
    allowance::resume(&app.engine, &app.author(), "partner").await.unwrap();
    app.drain().await;
    assert_eq!(state(&app, run, "first").await, ("done".to_owned(), None), "called at once");
    assert_eq!(there(folder.path()), ["acme", "bolt"]);
}

#[sqlx::test]
async fn no_minute_has_more_files_than_the_limit_and_no_file_is_put_twice(db: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { per_minute: NonZeroUsize::new(1), ..Limits::default() };
    let app = start(db, folder.path(), |partner| partner.limits = limits).await;

    let run = app.run("statuses").await;

    assert_eq!(reason(&app, run).await, "account-minute: the account partner sends no more than 1 a minute");
    let put = there(folder.path());
    assert_eq!(put.len(), 1);
    // Whoever took it away does not get it again: it goes on behind it.
    std::fs::remove_dir_all(folder.path().join("in").join(put[0])).unwrap();
    app.later(MINUTE + Duration::from_secs(2)).await;
    assert_eq!(state(&app, run, "first").await, ("done".to_owned(), None));
    assert_eq!(there(folder.path()).len(), 1);
    assert_ne!(there(folder.path()), put);
    let said = app.count("select jsonb_array_length(data -> 'files')::bigint from log where event = 'put'").await;
    assert_eq!(said, 2, "the log has both");
    assert_eq!(first(&app, run).await.tries, 0);
}

#[sqlx::test]
async fn outside_its_hours_an_account_gets_no_files(db: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let app = start(db, folder.path(), |partner| {
        partner.window = Some("08:00-18:00".to_owned());
        partner.zone = Some("Europe/Warsaw".parse().unwrap());
    })
    .await;
    let midnight = app.engine.clock.now().date_naive().succ_opt().unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc();
    app.engine.clock.advance((midnight - app.engine.clock.now()).to_std().unwrap());

    let run = app.run("statuses").await;

    let why = reason(&app, run).await;
    assert!(why.starts_with("out-of-hours: not before ") && why.contains(" 08:00 in Europe/Warsaw, "), "{why}");
    assert!(there(folder.path()).is_empty());
    app.later(Duration::from_secs(9 * 3600)).await;
    assert_eq!(there(folder.path()), ["acme", "bolt"]);
}

/// A web server that refuses the login while it is told to, and gives each file that is put a turn.
#[derive(Clone)]
struct Door {
    locked: Arc<AtomicBool>,
    turns: Arc<Semaphore>,
    files: Arc<Mutex<BTreeMap<String, Bytes>>>,
}

impl Door {
    async fn start(turns: usize) -> (Self, AccountConfig) {
        let door = Self { locked: Arc::default(), turns: Arc::new(Semaphore::new(turns)), files: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("webdav://us:secret@{}/in?tls=none&method=put", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(door.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (door, AccountConfig::new(url))
    }

    fn lock(&self, locked: bool) {
        self.locked.store(locked, Ordering::SeqCst);
    }
}

async fn answer(State(door): State<Door>, method: Method, uri: Uri, body: Bytes) -> (StatusCode, Bytes) {
    let path = uri.path().trim_end_matches('/').to_owned();
    if door.locked.load(Ordering::SeqCst) {
        return (StatusCode::UNAUTHORIZED, Bytes::new());
    }
    if method == Method::PUT {
        door.turns.acquire().await.unwrap().forget();
        door.files.lock().unwrap().insert(path, body);
        return (StatusCode::CREATED, Bytes::new());
    }
    match door.files.lock().unwrap().get(&path) {
        Some(bytes) => (StatusCode::OK, bytes.clone()),
        None if path == "/in" => (StatusCode::OK, Bytes::new()),
        None => (StatusCode::NOT_FOUND, Bytes::new()),
    }
}

#[sqlx::test]
async fn a_login_that_is_refused_pauses_the_account_and_the_step_tries_it_when_the_pause_is_over(db: PgPool) {
    let (door, partner) = Door::start(100).await;
    let app = with_partner(db, partner).await;
    door.lock(true);

    let run = app.run("statuses").await;

    let partner = async || {
        let accounts = allowance::accounts(&app.engine).await.unwrap();
        accounts.into_iter().find(|it| it.name == "partner").unwrap().state
    };
    assert_eq!(partner().await, Standing::Paused);
    let why = reason(&app, run).await;
    assert!(why.contains("the account partner is paused"), "{why}");
    assert_eq!((first(&app, run).await.state.name(), first(&app, run).await.tries), ("ready", 0));
    assert_eq!(app.notices(run).await.len(), 1);
    app.later(MINUTE + Duration::from_secs(15)).await;
    assert_eq!((first(&app, run).await.state.name(), first(&app, run).await.tries), ("ready", 0), "still refused");

    door.lock(false);
    app.later(MINUTE * 3).await;
    assert_eq!(state(&app, run, "first").await, ("done".to_owned(), None));
    assert_eq!(partner().await, Standing::Open);
}

#[sqlx::test]
async fn no_more_steps_than_the_limit_put_at_once_and_the_next_is_called(db: PgPool) {
    let (door, mut partner) = Door::start(0).await;
    partner.limits = Limits { at_once: NonZeroUsize::new(1), ..Limits::default() };
    let app = with_partner(db, partner).await;
    let (one, other) = (app.start_run("statuses").await, app.start_run("statuses").await);
    while let Some(hint) = app.due().await.into_iter().find(|hint| hint.kind != Kind::Put) {
        run::perform(&app.engine, hint).await.unwrap();
    }

    let puts = app.due().await;
    assert_eq!(puts.len(), 2);
    let second = async {
        let mut looks = tokio::time::interval(Duration::from_millis(5));
        while app.count("select count(*) from account_errand where admitted").await == 0 {
            looks.tick().await;
        }
        run::perform(&app.engine, puts[1]).await.unwrap();
        let waits = [first(&app, one).await, first(&app, other).await].into_iter().find(|it| it.id == puts[1].id);
        let waits = waits.unwrap();
        assert_eq!((waits.state.name(), waits.reason.unwrap()["code"].as_str()), ("ready", Some("account-busy")));
        assert!(app.due().await.is_empty());
        door.turns.add_permits(100);
    };
    let (first_done, ()) = tokio::join!(run::perform(&app.engine, puts[0]), second);
    first_done.unwrap();

    assert_eq!(app.due().await, [puts[1]], "it is called at once");
    app.drain().await;
    for run in [one, other] {
        assert_eq!(state(&app, run, "first").await, ("done".to_owned(), None));
    }
}
