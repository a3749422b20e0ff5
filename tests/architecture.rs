//! The shape of the code, checked: what may import what, and who may touch the clock, the queue and the tables.
//!
//! Every rule is a function from files to complaints. Each is shown a small sample that breaks it, then the code.

#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/source.rs"]
mod source;

use std::{fs, path::Path};

use rules::Migration;
use source::File;

/// Fails with all complaints of `rule` about the code.
fn holds(rule: impl Fn(&[File]) -> Vec<String>) {
    none(rule(&source::all()));
}

fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}

/// Fails unless `rule` has exactly one complaint about these files, and it mentions `text`.
fn catches(rule: impl Fn(&[File]) -> Vec<String>, files: &[(&str, &str)], text: &str) {
    let files: Vec<_> = files.iter().map(|(path, text)| File::new(path, text)).collect();
    let complaints = rule(&files);
    assert!(matches!(&complaints[..], [one] if one.contains(text)), "expected one about {text}: {complaints:#?}");
}

/// Fails when `rule` complains about these files.
fn allows(rule: impl Fn(&[File]) -> Vec<String>, files: &[(&str, &str)]) {
    let files: Vec<_> = files.iter().map(|(path, text)| File::new(path, text)).collect();
    none(rule(&files));
}

fn migrations() -> Vec<Migration> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .into_iter()
        .map(|path| Migration { name: path.display().to_string(), text: fs::read_to_string(path).unwrap() })
        .collect()
}

#[test]
fn imports_go_downwards_only() {
    catches(rules::ranks, &[("src/clock.rs", "use crate::{id::RunId, run::{state}};")], "src/clock.rs:1: `clock`");
    catches(rules::ranks, &[("src/channel/email.rs", "fn f() {\n crate::http::problem::x() }")], "email.rs:2");
    catches(rules::ranks, &[("src/novelty.rs", "")], "`novelty` has no place");
    allows(rules::ranks, &[("src/run/mod.rs", "use crate::{channel::Outcome, clock::Clock}; use super::queue;")]);
    holds(rules::ranks);
}

#[test]
fn modules_do_not_import_each_other_in_a_circle() {
    let circle = [
        ("src/run/a.rs", "use super::b::B;"),
        ("src/run/b/mod.rs", "use crate::run::c;"),
        ("src/run/b/deep.rs", ""),
        ("src/run/c.rs", "fn f() { super::a::go() }"),
    ];
    catches(rules::circles, &circle, "src/run: a -> b (src/run/a.rs:1) -> c (");
    let tree =
        [("src/run/mod.rs", "use self::a::A;"), ("src/run/a.rs", "use super::Run;"), ("src/x.rs", "use crate::run;")];
    allows(rules::circles, &tree);
    holds(rules::circles);
}

#[test]
fn doors_and_adapters_hold_no_sql() {
    catches(rules::sql, &[("src/http/api.rs", "fn f() {\n sqlx::query_as!(X, \"select 1\") }")], "src/http/api.rs:2");
    catches(rules::sql, &[("src/worker.rs", "fn f() { sqlx::query(\"select 1\") }")], "src/worker.rs:1");
    catches(rules::sql, &[("src/source/data/rows.rs", "fn f() { query!(\"select 1\") }")], "src/source/data/rows.rs:1");
    catches(rules::sql, &[("src/source/place.rs", "fn f() { sqlx::query(text) }")], "src/source/place.rs:1");
    allows(rules::sql, &[("src/source/data/rows.rs", "fn f() { sqlx::query_scalar::<_, Value>(text) }")]);
    allows(rules::sql, &[("src/run/start.rs", "fn f() { query!(\"select 1\") }"), ("src/http/x.rs", "fn query() {}")]);
    holds(rules::sql);
}

#[test]
fn only_clock_rs_reads_the_clock() {
    catches(rules::clock, &[("src/run/start.rs", "fn f() { Utc::now() }")], "src/run/start.rs:1");
    catches(rules::clock, &[("src/db.rs", "fn f() { std::time::SystemTime::now() }")], "src/db.rs:1");
    catches(rules::clock, &[("src/run/x.rs", "fn f() { query!(\"select now()\") }")], "src/run/x.rs:1");
    allows(rules::clock, &[("src/clock.rs", "fn f() { Utc::now() }"), ("src/db.rs", "fn f() { Instant::now() }")]);
    holds(rules::clock);
}

#[test]
fn only_the_queue_and_the_worker_name_apalis() {
    catches(rules::apalis, &[("src/run/start.rs", "use apalis_postgres::PgTask;")], "src/run/start.rs:1");
    allows(rules::apalis, &[("src/queue.rs", "use apalis::prelude::*;"), ("src/run/x.rs", "// apalis\nstruct X;")]);
    holds(rules::apalis);
}

#[test]
fn nothing_unwraps_outside_tests() {
    catches(rules::unwraps, &[("src/run/start.rs", "fn f() {\n\n x.unwrap() }")], "src/run/start.rs:3");
    let tests = "fn f() { x.unwrap_or(1) } #[cfg(test)] mod tests { fn f() { x.unwrap() } } /// x.unwrap()\nfn g() {}";
    allows(rules::unwraps, &[("src/run/start.rs", tests)]);
    holds(rules::unwraps);
}

#[test]
fn every_table_is_written_by_one_module() {
    let tables = ["run".to_owned(), "user".to_owned()];
    let two = [
        ("src/run/start.rs", "fn f() { query!(r#\"insert into run (id) values ($1)\"#) }"),
        ("src/sweep/purge.rs", "fn f() { query(\"with x as (\\n delete from run where id = $1)\") }"),
    ];
    catches(
        |files| rules::tables(files, &tables),
        &two,
        "`run` is written in src/run/start.rs:1, src/sweep/purge.rs:1",
    );
    let quoted = [
        ("src/a.rs", "fn f() { q(r#\"update \"user\" as u set x = 1\"#) }"),
        ("src/b.rs", "fn f() { q(\"insert into user\") }"),
    ];
    catches(|files| rules::tables(files, &tables), &quoted, "`user` is written in");
    let one = [
        ("src/run/a.rs", "fn f() { q(\"update run set x = 1\") }"),
        ("src/run/b.rs", "fn f() { q(\"delete from run\") }"),
        ("src/http/c.rs", "/// update run set\nfn f() { q(\"select x from run for update\") }"),
    ];
    allows(|files| rules::tables(files, &tables), &one);
    let tables = rules::created(&migrations());
    assert!(tables.iter().any(|table| table == "run"), "the migrations create no table `run`: {tables:?}");
    holds(|files| rules::tables(files, &tables));
}

#[test]
fn every_migration_opens_with_a_sentence() {
    let migration = |text: &str| [Migration { name: "0001_x.sql".into(), text: text.into() }];
    assert_eq!(rules::sentences(&migration("create table x ();")).len(), 1);
    assert_eq!(rules::sentences(&migration("-- tables\ncreate table x ();")).len(), 1);
    assert!(rules::sentences(&migration("-- Rows that say why\n-- they are there.\ncreate table x ();")).is_empty());
    none(rules::sentences(&migrations()));
}

#[test]
fn every_dependency_is_used() {
    let manifest =
        "[dependencies]\nserde_json = \"1\"\nhumantime-serde = \"1\"\n[dev-dependencies]\nx.version = \"1\"\n";
    let unused = rules::unused(manifest, "use serde_json::Value;", "use x;");
    assert!(matches!(&unused[..], [one] if one.contains("`humantime-serde`")), "{unused:?}");
    assert!(rules::unused(manifest, "serde_json #[serde(with = \"humantime_serde\")]", "x").is_empty());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    none(rules::unused(&manifest, &texts(&root.join("src")), &texts(&root.join("tests"))));
}

/// All Rust below `folder`, put together.
fn texts(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| match path.extension() {
            _ if path.is_dir() => texts(&path),
            Some(kind) if kind == "rs" => fs::read_to_string(path).unwrap(),
            _ => String::new(),
        })
        .collect()
}
