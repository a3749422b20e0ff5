//! Workflows: graphs of steps, read from `workflow.toml` files.
//!
//! A workflow is data. Loading one either gives a graph that can run, or every fault in it with file and line. What
//! a step does lies in `run/`; here is only what may follow what. Called when a node registers its workflows and
//! whenever a run looks up its graph.

mod catalog;
mod definition;
mod files;
mod graph;
mod limit;
mod load;
mod retry;

pub use catalog::{Folder, embedded, folders};
pub use definition::{Each, Errand, Kind, Node, Notice, Workflow};
pub use files::Files;
pub use limit::{Attribute, TriggerLimit, TriggerLimits};
pub use retry::Retry;

/// One thing wrong with a workflow's folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {text}")]
pub struct Fault {
    /// The file as it is named in the folder, with the workflow's name before it.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// What is wrong and what to write instead.
    pub text: String,
}
