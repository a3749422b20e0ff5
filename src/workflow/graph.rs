//! What a graph has to be before a run may follow it.
//!
//! Every check looks at the whole file and adds what it finds; nothing stops at the first fault. A retry is not an
//! edge, so a graph without loops always comes to an end.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use super::{
    Files,
    definition::{Each, Kind, Written, WrittenNode},
};

/// A place in the file and what is wrong there.
pub(super) type Finding = (Range<usize>, String);

const KINDS: &str = "expand, render, transmit, record, notify, fetch, put, move";

/// Everything wrong with a graph.
pub(super) fn check(written: &Written, files: &Files) -> Vec<Finding> {
    let nodes: BTreeMap<&str, &WrittenNode> =
        written.step.iter().map(|(name, node)| (name.get_ref().as_str(), node)).collect();
    let mut findings = unknown_names(written, &nodes);
    for (name, node) in &nodes {
        findings.extend(node_faults(written, name, node, &nodes, files));
    }
    findings.extend(loops(written, &nodes));
    findings.extend(unreachable(written, &nodes));
    findings.sort_by_key(|(span, _)| span.start);
    findings
}

fn unknown_names(written: &Written, nodes: &BTreeMap<&str, &WrittenNode>) -> Vec<Finding> {
    let known = nodes.keys().copied().collect::<Vec<_>>().join(", ");
    std::iter::once(&written.start)
        .chain(nodes.values().flat_map(|node| node.leads_to()))
        .filter(|name| !nodes.contains_key(name.get_ref().as_str()))
        .map(|name| (name.span(), format!("there is no step `{}`; the steps are {known}", name.get_ref())))
        .collect()
}

fn node_faults(
    written: &Written,
    name: &str,
    node: &WrittenNode,
    nodes: &BTreeMap<&str, &WrittenNode>,
    files: &Files,
) -> Vec<Finding> {
    let Some(kind) = node.kind() else {
        let text = format!("`{}` is no type of step; the types are {KINDS}", node.kind.get_ref());
        return vec![(node.kind.span(), text)];
    };
    let mut findings = Vec::new();
    findings.extend(wrong_each(node, kind));
    findings.extend(wrong_successor(node, kind, nodes));
    findings.extend(wrong_notice(node, kind, files));
    findings.extend(wrong_errand(node, kind));
    if name == written.start.get_ref() && kind != Kind::Expand {
        let text = format!("a run starts with a step of type `expand`; `{name}` is of another type");
        findings.push((written.start.span(), text));
    }
    findings
}

fn wrong_each(node: &WrittenNode, kind: Kind) -> Option<Finding> {
    let wanted = match kind {
        Kind::Render => Some((Each::Document, "document")),
        Kind::Transmit => Some((Each::Transmission, "transmission")),
        Kind::Expand | Kind::Record | Kind::Notify | Kind::Fetch | Kind::Put | Kind::Move => None,
    };
    match (&node.each, wanted) {
        (None, None) => None,
        (Some(each), None) => Some((each.span(), "this type of step runs once per run; leave `each` out".to_owned())),
        (each, Some((wanted, word))) if node.each() != Some(wanted) => {
            let place = each.as_ref().map_or(node.kind.span(), toml::Spanned::span);
            Some((place, format!("this type of step needs `each = \"{word}\"`")))
        }
        _ => None,
    }
}

/// What may come when the items have come to their end.
const AFTERWARDS: &[Kind] = &[Kind::Notify, Kind::Fetch, Kind::Put, Kind::Move];

/// What may come after each type when it succeeds: items are opened by `expand` and closed by `record`.
fn wrong_successor(node: &WrittenNode, kind: Kind, nodes: &BTreeMap<&str, &WrittenNode>) -> Vec<Finding> {
    let (wanted, needed): (&[Kind], bool) = match kind {
        Kind::Expand => (&[Kind::Render], true),
        Kind::Render => (&[Kind::Transmit], true),
        Kind::Transmit => (&[Kind::Record], true),
        Kind::Record | Kind::Fetch | Kind::Put | Kind::Move => (AFTERWARDS, false),
        Kind::Notify => (&[Kind::Notify], false),
    };
    let of = |name: &toml::Spanned<String>| nodes.get(name.get_ref().as_str()).and_then(|node| node.kind());
    let mut findings = Vec::new();
    match &node.on_success {
        Some(name) if of(name).is_some_and(|found| !wanted.contains(&found)) => {
            findings.push((name.span(), format!("after `{kind}` comes {}", words(wanted))));
        }
        None if needed => {
            findings
                .push((node.kind.span(), format!("`on_success` is missing; after `{kind}` comes {}", words(wanted))));
        }
        _ => {}
    }
    let on_failure: &[Kind] = match kind {
        Kind::Render | Kind::Transmit => &[Kind::Record],
        Kind::Record | Kind::Fetch | Kind::Put | Kind::Move => AFTERWARDS,
        _ => &[Kind::Notify],
    };
    if let Some(name) = &node.on_failure
        && of(name).is_some_and(|found| !on_failure.contains(&found))
    {
        findings.push((name.span(), format!("when `{kind}` fails comes {}", words(on_failure))));
    }
    findings
}

fn words(kinds: &[Kind]) -> String {
    let names: Vec<_> = kinds.iter().map(|kind| format!("a step of type `{kind}`")).collect();
    names.join(" or ")
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Expand => "expand",
            Self::Render => "render",
            Self::Transmit => "transmit",
            Self::Record => "record",
            Self::Notify => "notify",
            Self::Fetch => "fetch",
            Self::Put => "put",
            Self::Move => "move",
        })
    }
}

fn wrong_notice(node: &WrittenNode, kind: Kind, files: &Files) -> Option<Finding> {
    match (kind, &node.subject, &node.text) {
        (Kind::Notify, Some(_), Some(text)) if files.get(text.get_ref()).is_none() => {
            Some((text.span(), format!("there is no file `{}` in the workflow's folder", text.get_ref())))
        }
        (Kind::Notify, Some(_), Some(_)) => None,
        (Kind::Notify, ..) => {
            Some((node.kind.span(), "a step that notifies needs `subject` and `text` (a file)".to_owned()))
        }
        (_, Some(given), _) | (_, None, Some(given)) => {
            Some((given.span(), "only a step of type `notify` has words of its own".to_owned()))
        }
        (_, None, None) => None,
    }
}

fn wrong_errand(node: &WrittenNode, kind: Kind) -> Option<Finding> {
    let needed = match kind {
        Kind::Fetch => "a step that fetches needs `from`, such as \"sftp:partner:/inbox/status.csv\", and nothing else",
        Kind::Put => "a step that puts needs `account` and `to`, such as \"{{ recipient.params.folder }}/status.pdf\"",
        Kind::Move => "a step that moves needs `from`, such as \"sftp:partner:/inbox/status.csv\", and `to`",
        _ => {
            let given = [&node.account, &node.from, &node.to].into_iter().flatten().next()?;
            return Some((given.span(), "only steps of the types `fetch`, `put` and `move` carry files".to_owned()));
        }
    };
    node.errand().is_none().then(|| (node.kind.span(), needed.to_owned()))
}

/// Steps from which a step leads back to itself. Each loop is told once, at the step that comes first by name.
fn loops(written: &Written, nodes: &BTreeMap<&str, &WrittenNode>) -> Vec<Finding> {
    let mut told = BTreeSet::new();
    let mut findings = Vec::new();
    for name in nodes.keys().copied() {
        let reached = reach(name, nodes);
        if reached.contains(name) && told.is_disjoint(&reached) {
            let text = format!("`{name}` leads back to itself; a run would never end");
            findings.push((written.place(name), text));
            told.extend(reached);
        }
    }
    findings
}

fn unreachable(written: &Written, nodes: &BTreeMap<&str, &WrittenNode>) -> Vec<Finding> {
    let start = written.start.get_ref().as_str();
    if !nodes.contains_key(start) {
        return Vec::new();
    }
    let reached = reach(start, nodes);
    nodes
        .keys()
        .filter(|name| **name != start && !reached.contains(**name))
        .map(|name| (written.place(name), format!("no step leads to `{name}`; name it in another step or remove it")))
        .collect()
}

/// The steps that can come after `from`.
fn reach<'a>(from: &'a str, nodes: &BTreeMap<&'a str, &'a WrittenNode>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        let Some(node) = nodes.get(name) else { continue };
        for next in node.leads_to() {
            if reached.insert(next.get_ref().as_str()) {
                open.push(next.get_ref());
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use crate::workflow::{Files, Workflow};

    const GOOD: &str = r#"title = "Send"
start = "expand"

[step.expand]
type = "expand"
on_success = "render"
on_failure = "notify"

[step.render]
type = "render"
each = "document"
on_success = "transmit"
on_failure = "record"
retry = { attempts = 2, first = "1s", factor = 2, limit = "1m" }

[step.transmit]
type = "transmit"
each = "transmission"
on_success = "record"
on_failure = "record"

[step.record]
type = "record"
on_failure = "notify"

[step.notify]
type = "notify"
subject = "Failed"
text = "templates/notice.txt"
"#;

    fn faults(source: &str) -> Vec<String> {
        let files = Files::from_iter([
            ("workflow.toml".to_owned(), source.to_owned().into()),
            ("templates/notice.txt".to_owned(), "..".into()),
        ]);
        match Workflow::read("sample", &files) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_sound_graph_is_read() {
        assert_eq!(faults(GOOD), Vec::<String>::new());
    }

    #[test]
    fn faults_are_told_with_file_and_line_and_what_to_write() {
        let cases = [
            (("type = \"record\"", "type = \"recrod\""), "sample/workflow.toml:23: `recrod` is no type of step"),
            (
                ("on_success = \"transmit\"", "on_success = \"send\""),
                "sample/workflow.toml:12: there is no step `send`",
            ),
            (("notice.txt", "missing.txt"), "sample/workflow.toml:29: there is no file `templates/missing.txt`"),
            (("each = \"document\"", "each = \"page\""), "sample/workflow.toml:11: this type of step needs `each"),
            (("on_failure = \"record\"\nretry", "on_failure = \"render\"\nretry"), "leads back to itself"),
            (("start = \"expand\"", "start = \"record\""), "a run starts with a step of type `expand`"),
            (("factor = 2", "factor = \"two\""), "sample/workflow.toml:14:"),
        ];
        for ((from, to), expected) in cases {
            let broken = GOOD.replacen(from, to, 1);
            assert_ne!(broken, GOOD, "{from}");
            let found = faults(&broken).join("\n");
            assert!(found.contains(expected), "{from} -> {to}: {found}");
        }
    }

    #[test]
    fn files_are_carried_when_the_items_have_come_to_their_end() {
        let carried = |steps: &str| {
            GOOD.replacen("type = \"record\"", "type = \"record\"\non_success = \"carry\"", 1)
                + "\n[step.carry]\n"
                + steps
        };
        for sound in [
            "type = \"fetch\"\nfrom = \"s3:store:bucket/a.csv\"\non_failure = \"notify\"\n",
            "type = \"put\"\naccount = \"partner\"\nto = \"{{ file.name }}\"\n",
            "type = \"move\"\nfrom = \"sftp:partner:/in/a\"\nto = \"done/a\"\n",
        ] {
            assert_eq!(faults(&carried(sound)), Vec::<String>::new(), "{sound}");
        }
        for (broken, told) in [
            ("type = \"fetch\"\n", "needs `from`"),
            ("type = \"put\"\nto = \"a\"\n", "needs `account` and `to`"),
            ("type = \"move\"\nfrom = \"a\"\n", "needs `from`"),
            ("type = \"notify\"\nsubject = \"x\"\ntext = \"templates/notice.txt\"\nto = \"a\"\n", "carry files"),
            ("type = \"put\"\neach = \"document\"\naccount = \"p\"\nto = \"a\"\n", "runs once per run"),
            ("type = \"put\"\naccount = \"p\"\nto = \"a\"\non_success = \"render\"\n", "after `put` comes"),
        ] {
            let found = faults(&carried(broken)).join("\n");
            assert!(found.contains(told), "{broken}: {found}");
        }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let broken = GOOD
            .replacen("type = \"record\"", "type = \"recrod\"", 1)
            .replacen("notice.txt", "missing.txt", 1)
            .replacen("on_success = \"transmit\"", "on_success = \"send\"", 1);
        let found = faults(&broken);
        assert_eq!(found.len(), 4, "unknown type, step, file, and `transmit` is cut off: {found:#?}");
    }
}
