//! The private Postgres: started by whoever runs this, killed in every way, and never shared by accident.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use postbook::{
    config::{self, Config},
    db::{Database, DatabaseError},
};
use sqlx::PgPool;

/// A folder of its own for one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pb-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path.canonicalize().unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn settings() -> config::Database {
    Config::from_layers(None, &[].into()).unwrap().database
}

async fn open(folder: &Path) -> Database {
    Database::open(&settings(), folder).await.unwrap()
}

/// The server's process, as the server itself wrote it down.
fn postmaster(folder: &Path) -> u32 {
    let text = fs::read_to_string(folder.join("postgres/postmaster.pid")).unwrap();
    text.lines().next().unwrap().parse().unwrap()
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
}

async fn write(pool: &PgPool, text: &str) {
    sqlx::raw_sql("create table if not exists kept (text text not null)").execute(pool).await.unwrap();
    sqlx::query("insert into kept values ($1)").bind(text).execute(pool).await.unwrap();
}

async fn read(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar("select text from kept order by text").fetch_all(pool).await.unwrap()
}

/// A process of its own that opens `folder`, writes a row and waits to be killed.
fn holder(folder: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["a_process_that_holds_its_folder", "--exact", "--ignored", "--nocapture"])
        .env("POSTBOOK_TEST_FOLDER", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("holding")), "the process that holds ended early");
    child
}

#[tokio::test]
#[ignore = "other tests run it as a process of its own"]
async fn a_process_that_holds_its_folder() {
    let folder = PathBuf::from(std::env::var_os("POSTBOOK_TEST_FOLDER").unwrap());
    let database = open(&folder).await;
    write(&database.pool, "committed").await;
    println!("holding");
    std::io::stdin().lines().for_each(drop);
}

#[tokio::test]
async fn it_starts_in_an_empty_folder_and_keeps_its_rows_over_a_restart() {
    let folder = Folder::new("restart");
    let begun = Instant::now();
    let first = open(&folder.0).await;
    let started = begun.elapsed();
    write(&first.pool, "kept").await;
    first.close().await.unwrap();
    assert!(!folder.0.join("postgres/postmaster.pid").exists(), "it still runs");

    let begun = Instant::now();
    let second = open(&folder.0).await;
    let restarted = begun.elapsed();
    assert_eq!(read(&second.pool).await, ["kept"]);
    second.close().await.unwrap();
    assert!(started < Duration::from_secs(30) && restarted < Duration::from_secs(10), "{started:?}, {restarted:?}");
}

#[tokio::test]
async fn it_keeps_what_is_committed_and_listens_on_no_port() {
    let folder = Folder::new("settings");
    let database = open(&folder.0).await;
    for (name, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("max_connections", "200"),
        ("application_name", "postbook"),
    ] {
        let set: String =
            sqlx::query_scalar("select current_setting($1)").bind(name).fetch_one(&database.pool).await.unwrap();
        assert_eq!(set, value, "{name}");
    }
    database.close().await.unwrap();
}

#[tokio::test]
async fn it_stops_when_it_is_dropped() {
    let folder = Folder::new("drop");
    drop(open(&folder.0).await);
    assert!(!folder.0.join("postgres/postmaster.pid").exists(), "it still runs");
}

#[tokio::test]
async fn a_server_that_outlived_its_postbook_is_taken_over() {
    let folder = Folder::new("orphan");
    let mut child = holder(&folder.0);
    let server = postmaster(&folder.0);
    child.kill().unwrap();
    child.wait().unwrap();

    let database = open(&folder.0).await;
    assert_eq!(postmaster(&folder.0), server, "it was started anew");
    assert_eq!(read(&database.pool).await, ["committed"]);
    database.close().await.unwrap();
}

#[tokio::test]
async fn a_killed_server_recovers_at_the_next_start() {
    let folder = Folder::new("killed");
    let mut child = holder(&folder.0);
    let server = postmaster(&folder.0);
    child.kill().unwrap();
    child.wait().unwrap();
    kill(server);

    let database = open(&folder.0).await;
    assert_ne!(postmaster(&folder.0), server);
    assert_eq!(read(&database.pool).await, ["committed"]);
    database.close().await.unwrap();
}

#[tokio::test]
async fn a_process_id_that_went_to_another_program_does_not_hinder_the_start() {
    let folder = Folder::new("reused");
    let mut child = holder(&folder.0);
    let server = postmaster(&folder.0);
    child.kill().unwrap();
    child.wait().unwrap();
    kill(server);
    let file = folder.0.join("postgres/postmaster.pid");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen(&server.to_string(), &std::process::id().to_string(), 1)).unwrap();

    let database = open(&folder.0).await;
    assert_eq!(read(&database.pool).await, ["committed"]);
    database.close().await.unwrap();
}

#[tokio::test]
async fn a_second_postbook_on_the_folder_is_told_who_has_it() {
    let folder = Folder::new("second");
    let mut child = holder(&folder.0);
    let refused = Database::open(&settings(), &folder.0).await.unwrap_err().to_string();
    assert_eq!(refused, format!("{} is in use by another Postbook (process {})", folder.0.display(), child.id()));

    let joined = Database::join(&settings(), &folder.0).await.unwrap();
    assert_eq!(read(&joined.pool).await, ["committed"]);
    joined.close().await.unwrap();
    assert!(child.try_wait().unwrap().is_none(), "joining ended the holder");

    child.kill().unwrap();
    child.wait().unwrap();
    open(&folder.0).await.close().await.unwrap();
}

#[tokio::test]
async fn a_start_that_died_half_way_is_begun_again() {
    let folder = Folder::new("half");
    fs::create_dir_all(folder.0.join("postgres.new/base")).unwrap();
    let database = open(&folder.0).await;
    write(&database.pool, "kept").await;
    database.close().await.unwrap();
}

#[tokio::test]
async fn a_data_folder_may_lie_deeper_than_a_socket_can() {
    let folder = Folder::new("deep");
    let deep = folder.0.join("a \"quoted\" folder, it's deep".repeat(5));
    let database = open(&deep).await;
    write(&database.pool, "kept").await;
    let socket: String = sqlx::query_scalar("select setting from pg_settings where name = 'unix_socket_directories'")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    let socket = PathBuf::from(socket.trim_matches('"'));
    assert!(socket.exists());
    database.close().await.unwrap();
    assert!(!socket.exists(), "{} is left over", socket.display());
}

#[tokio::test]
async fn a_folder_with_odd_letters_is_as_good_as_any() {
    let folder = Folder::new("odd");
    let database = open(&folder.0.join("it's \"ours\", ä")).await;
    write(&database.pool, "kept").await;
    database.close().await.unwrap();
}

#[tokio::test]
async fn without_programs_the_error_names_the_package() {
    let folder = Folder::new("none");
    let empty = folder.0.join("empty");
    fs::create_dir_all(&empty).unwrap();
    let settings = config::Database { binaries: Some(empty), ..settings() };
    let error = Database::open(&settings, &folder.0).await.unwrap_err();
    assert!(matches!(error, DatabaseError::NoBinaries(_)));
    let text = error.to_string();
    for hint in ["apt-get install postgresql", "dnf install postgresql-server postgresql-contrib", "brew install"] {
        assert!(text.contains(hint), "{text}");
    }
}

#[tokio::test]
async fn programs_that_are_too_old_are_named_with_what_is_needed() {
    let folder = Folder::new("old");
    let settings = config::Database { binaries: Some(programs(&folder.0, "13.4")), ..settings() };
    let text = Database::open(&settings, &folder.0.join("data")).await.unwrap_err().to_string();
    assert!(text.contains("PostgreSQL 13") && text.contains("14 or newer"), "{text}");
}

#[tokio::test]
async fn data_of_another_version_are_left_alone() {
    let folder = Folder::new("other");
    let data = folder.0.join("data");
    fs::create_dir_all(data.join("postgres")).unwrap();
    fs::write(data.join("postgres/PG_VERSION"), "16\n").unwrap();
    let settings = config::Database { binaries: Some(programs(&folder.0, "17.2")), ..settings() };
    let text = Database::open(&settings, &data).await.unwrap_err().to_string();
    assert!(text.contains("made by PostgreSQL 16"), "{text}");
}

/// A folder of programs that only tell their version.
fn programs(folder: &Path, version: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).unwrap();
    for name in ["initdb", "pg_ctl", "postgres"] {
        let program = bin.join(name);
        fs::write(&program, format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    bin
}

#[tokio::test]
async fn an_error_names_the_server_but_not_the_password() {
    let url = Some("postgres://ann:sesame@127.0.0.1:1/book".into());
    let error = Database::open(&config::Database { url, ..settings() }, Path::new(".")).await.unwrap_err();
    let DatabaseError::Fault(fault) = error else { panic!("{error}") };
    let text = format!("{fault:#} {fault:?}");
    assert!(text.contains("127.0.0.1:1, database book, user ann") && !text.contains("sesame"), "{text}");
}
