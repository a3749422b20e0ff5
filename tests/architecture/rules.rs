//! The rules: from files to complaints that say where, what and what to do instead.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{File, Token};

/// Modules right below the crate, lowest first. What is in one line may import its own line and those above it here.
const RANKS: [(&str, &[&str]); 5] = [
    ("ground", &["clock", "id", "db", "secret", "reason", "config"]),
    ("vocabulary", &["workflow", "schedule", "contact"]),
    ("adapters", &["source", "document", "channel"]),
    ("engine", &["audit", "queue", "catalog", "run", "monitor", "sweep", "trigger", "worker"]),
    ("doors", &["account", "http", "setup", "cli", "app", "main", "demo", "bench"]),
];

/// Where statements that administrators write go to databases that are not ours. They come in as text, so nothing there
/// can be a checked query, which would be one on our own tables; whatever else adapters ask of ours stays forbidden.
const FOREIGN: &str = "src/source/data/";

const WITHOUT_SQL: [&str; 4] = ["http", "channel", "source", "worker"];

/// A file below `migrations`.
pub struct Migration {
    pub name: String,
    pub text: String,
}

/// Imports go downwards only.
pub fn ranks(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| !file.module.is_empty()) {
        let Some(own) = rank(file.top()) else {
            complaints.push(format!("{}: `{}` has no place among the ranks; give it one", file.path, file.top()));
            continue;
        };
        for (path, line) in file.references() {
            let Some(target) = path.first() else { continue };
            let Some(theirs) = rank(target).filter(|theirs| *theirs > own) else { continue };
            let (place, top) = (format!("{}:{line}", file.path), file.top());
            complaints.push(format!(
                "{place}: `{top}` ({}) imports `{target}` ({}) above it; move what is shared down, or hand it in",
                RANKS[own].0, RANKS[theirs].0
            ));
        }
    }
    complaints
}

fn rank(module: &str) -> Option<usize> {
    RANKS.iter().position(|(_, modules)| modules.contains(&module))
}

/// Who imports whom among modules side by side, and where.
type Edges = BTreeMap<String, BTreeMap<String, String>>;

/// Modules side by side do not import each other in a circle.
pub fn circles(files: &[File]) -> Vec<String> {
    let modules: BTreeSet<&[String]> = files.iter().map(|file| &file.module[..]).collect();
    let mut levels: BTreeMap<Vec<String>, Edges> = BTreeMap::new();
    for file in files {
        for (path, line) in file.references() {
            let Some(end) = (0..=path.len()).rev().find(|end| modules.contains(&path[..*end])) else { continue };
            let shared = file.module.iter().zip(&path[..end]).take_while(|(a, b)| a == b).count();
            if let (Some(from), Some(to)) = (file.module.get(shared), path[..end].get(shared)) {
                let edges = levels.entry(path[..shared].to_vec()).or_default().entry(from.clone()).or_default();
                edges.entry(to.clone()).or_insert_with(|| format!("{}:{line}", file.path));
            }
        }
    }
    levels.iter().filter_map(|(level, edges)| Some((level, circle(edges)?))).map(complain_of_circle).collect()
}

fn complain_of_circle((level, circle): (&Vec<String>, Vec<String>)) -> String {
    let folder = [&["src".to_owned()], &level[..]].concat().join("/");
    format!("{folder}: {}; move what two of them share into a third", circle.join(" -> "))
}

/// A way from a module back to itself, each step with its place.
fn circle(edges: &Edges) -> Option<Vec<String>> {
    edges.keys().find_map(|start| {
        let way = way(edges, start, start, &mut BTreeSet::new())?;
        Some([std::slice::from_ref(start), &way[..]].concat())
    })
}

fn way(edges: &Edges, from: &str, to: &str, seen: &mut BTreeSet<String>) -> Option<Vec<String>> {
    let next = edges.get(from)?;
    let step = |module: &str, place: &str| format!("{module} ({place})");
    if let Some(place) = next.get(to) {
        return Some(vec![step(to, place)]);
    }
    next.iter().find_map(|(module, place)| {
        let rest = seen.insert(module.clone()).then(|| way(edges, module, to, seen))??;
        Some([&[step(module, place)], &rest[..]].concat())
    })
}

/// SQL stands beside the decision it serves, not in doors and adapters.
pub fn sql(files: &[File]) -> Vec<String> {
    let files = files.iter().filter(|file| WITHOUT_SQL.contains(&file.top()));
    let found = files.flat_map(|file| queries(file).map(move |line| (file, line)));
    found
        .map(|(file, line)| format!("{}:{line}: SQL; move the query to the module that owns the rows", file.path))
        .collect()
}

fn queries(file: &File) -> impl Iterator<Item = usize> + '_ {
    let is_query =
        |token: &Token| token.text.starts_with("query") || token.text == "raw_sql" || token.text == "QueryBuilder";
    file.tokens.windows(3).filter_map(move |window| {
        let [before, name, after] = window else { return None };
        let foreign = file.path.starts_with(FOREIGN);
        (is_query(name) && (after.text == "!" || (before.text == "::" && !foreign))).then_some(name.line)
    })
}

/// Only `clock.rs` knows the time; everything else is told.
pub fn clock(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| file.top() != "clock") {
        let calls = ["Utc", "Local", "SystemTime"].map(|name| file.find(&[name, "::", "now"]));
        let texts = literals(file).filter(|(text, _)| text.contains("now()") || text.contains("current_timestamp"));
        for line in calls.concat().into_iter().chain(texts.map(|(_, line)| line)) {
            complaints.push(format!("{}:{line}: reads the clock; take the time as an argument", file.path));
        }
    }
    complaints
}

/// Only `queue.rs` writes jobs, only `worker.rs` reads them.
pub fn apalis(files: &[File]) -> Vec<String> {
    let files = files.iter().filter(|file| !["queue", "worker"].contains(&file.top()));
    let found = files.flat_map(|file| file.tokens.iter().map(move |token| (file, token)));
    found
        .filter(|(_, token)| token.text.starts_with("apalis"))
        .map(|(file, token)| format!("{}:{}: names apalis; go through `queue`", file.path, token.line))
        .collect()
}

/// What may be missing is handled, or expected with the reason.
pub fn unwraps(files: &[File]) -> Vec<String> {
    let found =
        files.iter().flat_map(|file| file.find(&[".", "unwrap", "("]).into_iter().map(move |line| (file, line)));
    found
        .map(|(file, line)| format!("{}:{line}: unwrap; return the error, or expect with the reason", file.path))
        .collect()
}

/// Each table is written by one module.
pub fn tables(files: &[File], tables: &[String]) -> Vec<String> {
    let mut writers: BTreeMap<&str, BTreeMap<&str, String>> = BTreeMap::new();
    for file in files {
        for (text, line) in literals(file) {
            for table in written(text).into_iter().filter_map(|name| tables.iter().find(|table| **table == name)) {
                let places = writers.entry(table).or_default();
                places.entry(file.top()).or_insert_with(|| format!("{}:{line}", file.path));
            }
        }
    }
    let shared = writers.into_iter().filter(|(_, places)| places.len() > 1);
    shared.map(|(table, places)| complain_of_writers(table, places.into_values().collect())).collect()
}

fn complain_of_writers(table: &str, places: Vec<String>) -> String {
    format!("`{table}` is written in {}; let one module write it and the others call that", places.join(", "))
}

/// The tables that a statement writes.
fn written(text: &str) -> Vec<String> {
    let words: Vec<String> = text
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let mut tables = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let next = |n: usize| words.get(at + n).map_or("", String::as_str);
        match (word.as_str(), next(1)) {
            ("insert" | "merge", "into") | ("delete", "from") => tables.push(next(2).to_owned()),
            ("update", table) if (2..=4).any(|n| next(n) == "set") => tables.push(table.to_owned()),
            ("truncate", table) => tables.push(table.to_owned()),
            _ => {}
        }
    }
    tables
}

/// Texts that may be statements, with their lines.
fn literals(file: &File) -> impl Iterator<Item = (&str, usize)> {
    file.tokens.iter().filter_map(|token| Some((token.says.as_deref()?, token.line)))
}

/// The tables that the migrations create.
pub fn created(migrations: &[Migration]) -> Vec<String> {
    let lines = migrations.iter().flat_map(|migration| migration.text.lines());
    let names = lines.filter_map(|line| line.strip_prefix("create table "));
    names.map(|rest| rest.trim_end_matches(['(', ' ']).trim_matches('"').to_owned()).collect()
}

/// Every migration opens with a sentence of why.
pub fn sentences(migrations: &[Migration]) -> Vec<String> {
    let opening = |text: &str| text.lines().map_while(|line| line.strip_prefix("-- ")).collect::<Vec<_>>().join(" ");
    let silent = migrations.iter().filter(|migration| !opening(&migration.text).contains('.'));
    silent.map(|migration| format!("{}: open it with a comment that says why, in a sentence", migration.name)).collect()
}

/// Dependencies in `manifest` that neither `code` nor, for those of tests, `tests` mentions.
pub fn unused(manifest: &str, code: &str, tests: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().unwrap();
    let names = |section: &str| manifest.get(section).and_then(|table| table.as_table()).cloned().unwrap_or_default();
    let both = format!("{code}\n{tests}");
    let wanted = names("dependencies").into_iter().map(|(name, _)| (name, code));
    let wanted = wanted.chain(names("dev-dependencies").into_iter().map(|(name, _)| (name, both.as_str())));
    let missing = wanted.filter(|(name, text)| !mentions(text, &name.replace('-', "_")));
    missing.map(|(name, _)| format!("Cargo.toml: `{name}` is not used; remove it")).collect()
}

fn mentions(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
}
