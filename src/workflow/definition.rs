//! The shape of `workflow.toml`.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use serde::Deserialize;
use toml::Spanned;

use super::{Retry, TriggerLimits};

/// A graph that can run.
#[derive(Debug, Clone)]
pub struct Workflow {
    pub name: String,
    pub title: String,
    /// The step a run begins with.
    pub start: String,
    pub steps: BTreeMap<String, Node>,
    /// How many of its batches may have a trigger of one kind.
    pub triggers: TriggerLimits,
}

/// One step of a graph.
#[derive(Debug, Clone)]
pub struct Node {
    pub kind: Kind,
    /// What it is repeated for; once per run otherwise.
    pub each: Option<Each>,
    /// The next step; the run or item ends here otherwise.
    pub on_success: Option<String>,
    pub on_failure: Option<String>,
    pub retry: Retry,
    /// How long one try may take.
    pub timeout: Duration,
    /// What monitors are told, for steps that notify.
    pub notice: Option<Notice>,
    /// What is carried where, for steps that carry files.
    pub errand: Option<Errand>,
}

/// What a step does. A closed set: each is one file under `run/`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, serde::Serialize, sqlx::Type, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Kind {
    Expand,
    Render,
    Transmit,
    Record,
    Notify,
    Fetch,
    Put,
    Move,
}

/// What a step is repeated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Each {
    Document,
    Transmission,
}

/// The words of a notice: a subject, and the file of its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub subject: String,
    pub text: String,
}

/// What a step carries where. Every text may hold expressions; a file is written with its place,
/// `sftp:partner:/inbox/status.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    /// The file becomes an artifact of the run.
    Fetch { from: String },
    /// Every artifact of the run goes to an account, to a path below its folder; with a slash at its end, under the
    /// artifact's own name.
    Put { account: String, to: String },
    /// The file gets a path in its own place.
    Move { from: String, to: String },
}

impl Workflow {
    /// The step called `name`. A run only ever asks for names its own graph gave it.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.steps.get(name)
    }
}

/// The file as it is written, with the places of what may be wrong.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    title: String,
    pub(super) start: Spanned<String>,
    #[serde(default)]
    triggers: TriggerLimits,
    pub(super) step: BTreeMap<Spanned<String>, WrittenNode>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenNode {
    #[serde(rename = "type")]
    pub(super) kind: Spanned<String>,
    pub(super) each: Option<Spanned<String>>,
    pub(super) on_success: Option<Spanned<String>>,
    pub(super) on_failure: Option<Spanned<String>>,
    retry: Option<Retry>,
    #[serde(default, with = "humantime_serde")]
    timeout: Option<Duration>,
    pub(super) subject: Option<Spanned<String>>,
    pub(super) text: Option<Spanned<String>>,
    pub(super) account: Option<Spanned<String>>,
    pub(super) from: Option<Spanned<String>>,
    pub(super) to: Option<Spanned<String>>,
}

impl WrittenNode {
    /// The type, if it is a known one.
    pub(super) fn kind(&self) -> Option<Kind> {
        parse(self.kind.get_ref())
    }

    pub(super) fn each(&self) -> Option<Each> {
        self.each.as_ref().and_then(|each| parse(each.get_ref()))
    }

    /// What it carries where, if it says so as its type has it.
    pub(super) fn errand(&self) -> Option<Errand> {
        let text = |text: &Spanned<String>| text.get_ref().clone();
        let written = (self.kind()?, self.account.as_ref(), self.from.as_ref(), self.to.as_ref());
        match (written.0, written.1.map(text), written.2.map(text), written.3.map(text)) {
            (Kind::Fetch, None, Some(from), None) => Some(Errand::Fetch { from }),
            (Kind::Put, Some(account), None, Some(to)) => Some(Errand::Put { account, to }),
            (Kind::Move, None, Some(from), Some(to)) => Some(Errand::Move { from, to }),
            _ => None,
        }
    }

    /// The names it leads to, with their places.
    pub(super) fn leads_to(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.on_success.iter().chain(self.on_failure.iter())
    }
}

/// Looks `text` up among the names of an enum.
fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).ok()
}

/// How long one try of a step may take when the file does not say.
const TIMEOUT: Duration = Duration::from_secs(120);

impl Written {
    /// The span of the name of `step`.
    pub(super) fn place(&self, step: &str) -> Range<usize> {
        self.step.keys().find(|name| name.get_ref() == step).map_or(0..0, Spanned::span)
    }

    pub(super) fn into_workflow(self, name: &str) -> Workflow {
        let steps =
            self.step.into_iter().filter_map(|(name, node)| Some((name.into_inner(), node.into_node()?))).collect();
        Workflow {
            name: name.to_owned(),
            title: self.title,
            start: self.start.into_inner(),
            steps,
            triggers: self.triggers,
        }
    }
}

impl WrittenNode {
    fn into_node(self) -> Option<Node> {
        Some(Node {
            kind: self.kind()?,
            each: self.each(),
            errand: self.errand(),
            notice: self
                .subject
                .zip(self.text)
                .map(|(subject, text)| Notice { subject: subject.into_inner(), text: text.into_inner() }),
            on_success: self.on_success.map(Spanned::into_inner),
            on_failure: self.on_failure.map(Spanned::into_inner),
            retry: self.retry.unwrap_or_default(),
            timeout: self.timeout.unwrap_or(TIMEOUT),
        })
    }
}
