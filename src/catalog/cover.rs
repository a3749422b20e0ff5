//! The page that goes before the documents of a fax, as a batch wants it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Faults, Known};

/// `true` for the page that comes with the program, `false` for none, or a Typst file of the workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = CoverPage)]
pub enum Cover {
    Wanted(bool),
    Template(String),
}

impl Default for Cover {
    fn default() -> Self {
        Self::Wanted(true)
    }
}

impl Cover {
    /// Whether it is what a batch gets that says nothing.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What was written, with its template there.
    pub(super) fn read(written: Option<Self>, known: &Known, faults: &mut Faults) -> Self {
        let cover = written.unwrap_or_default();
        if let Self::Template(template) = &cover
            && !known.files.contains(template)
        {
            let text = format!(
                "there is no file `{template}` in the folder of this workflow; write the path of one, `true` for the page that comes with the program, or `false` for none"
            );
            faults.add("message/cover", text);
        }
        cover
    }

    /// How it is written, unless it need not be.
    pub(super) fn written(self) -> Option<Self> {
        Some(self).filter(|cover| !cover.is_default())
    }
}
