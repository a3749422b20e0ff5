//! The table in `tests/README.md`: complete, with known states, and with tests that exist.

use std::{collections::BTreeMap, fs, path::Path};

/// The requirements of batches, all of which are in the table.
const LAST: u32 = 58;

/// One line of the table.
struct Line {
    id: String,
    wording: String,
    tests: Vec<String>,
    state: String,
}

fn table() -> Vec<Line> {
    let text = fs::read_to_string("tests/README.md").unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| S"));
    rows.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [id, wording, tests, state] = cells[..] else { panic!("four cells: {line}") };
        let tests = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Line { id: id.to_owned(), wording: wording.to_owned(), tests, state: state.to_owned() }
    })
    .collect()
}

#[test]
fn every_requirement_stands_in_the_table_once_and_in_order() {
    let ids: Vec<_> = table().into_iter().map(|line| line.id).collect();
    let (batches, others): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| id.starts_with("S1."));
    let expected: Vec<_> = (1..=LAST).map(|number| format!("S1.{number}")).collect();
    assert_eq!(batches, expected);
    let number =
        |id: &String| id.trim_start_matches('S').split('.').map(|part| part.parse().unwrap()).collect::<Vec<u32>>();
    assert!(others.is_sorted_by(|a, b| number(a) < number(b)), "{others:?}");
}

#[test]
fn every_line_says_what_is_asked_and_how_it_stands() {
    for line in table() {
        assert!(!line.wording.is_empty(), "{}", line.id);
        assert!(["shown", "open"].contains(&line.state.as_str()), "{}: `{}` is no state", line.id, line.state);
        assert!(line.state == "open" || !line.tests.is_empty(), "{} is shown by no test", line.id);
    }
}

#[test]
fn every_test_that_the_table_names_is_there() {
    let mut sources = BTreeMap::new();
    for line in table() {
        for test in line.tests {
            let (file, function) = test.split_once("::").unwrap_or_else(|| panic!("{}: {test}", line.id));
            let path = Path::new("tests").join(file);
            let source = sources.entry(file.to_owned()).or_insert_with(|| {
                fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {}: {error}", line.id, path.display()))
            });
            assert!(is_test(source, function), "{}: there is no test `{function}` in {file}", line.id);
        }
    }
}

/// Whether `source` has a test of this name: an attribute that ends in `test` or begins a test stands right above it.
fn is_test(source: &str, function: &str) -> bool {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let begins = |line: &str| {
        let name = line.trim_start_matches("async ").strip_prefix("fn ").and_then(|rest| rest.split('(').next());
        name == Some(function)
    };
    lines.iter().enumerate().any(|(at, line)| {
        let above = lines[..at].iter().rev().take_while(|above| above.starts_with("#["));
        begins(line) && above.into_iter().any(|above| above.contains("test"))
    })
}

#[test]
fn a_function_that_is_no_test_does_not_count() {
    let source = "#[test]\nfn shown() {}\n\nfn helper() {}\n#[sqlx::test]\nasync fn too(db: PgPool) {}\n";
    assert!(is_test(source, "shown") && is_test(source, "too"));
    assert!(!is_test(source, "helper") && !is_test(source, "show"));
}
