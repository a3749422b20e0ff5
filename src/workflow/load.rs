//! From the text of `workflow.toml` to a graph that can run, or to every fault in it.

use super::{Fault, Files, Workflow, definition::Written, graph};

impl Workflow {
    /// Reads the `workflow.toml` among `files`, and checks it against them. Gives every fault it finds.
    pub fn read(name: &str, files: &Files) -> Result<Self, Vec<Fault>> {
        let source = files.get("workflow.toml").map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let Some(source) = source else {
            return Err(vec![fault(name, "", 0, "the file is missing; every workflow's folder needs one".to_owned())]);
        };
        let written: Written = toml::from_str(&source).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            vec![fault(name, &source, at, error.message().to_owned())]
        })?;
        let faults: Vec<_> = graph::check(&written, files)
            .into_iter()
            .map(|(span, text)| fault(name, &source, span.start, text))
            .collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(written.into_workflow(name))
    }
}

fn fault(workflow: &str, source: &str, at: usize, text: String) -> Fault {
    let line = source[..at.min(source.len())].matches('\n').count() + 1;
    Fault { file: format!("{workflow}/workflow.toml"), line, text }
}
