//! The page that goes before the documents: to whom, from whom, how many pages, and what the message says.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Original, Sheet, Unfit, pages};
use crate::{
    channel::Resolution,
    document::{Context, Files, template::Typesetter},
};

/// The name of the built-in template among its files.
pub const BUILT_IN: &str = "cover.typ";

/// A template that becomes the first page, and what it is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cover {
    pub template: String,
    pub context: Context,
}

/// The files of the cover page that comes with the program.
pub fn built_in() -> Files {
    let template = Bytes::from_static(include_str!("cover.typ").as_bytes());
    Files::new([(BUILT_IN.to_owned(), template)].into())
}

impl Cover {
    /// Its pages, where `others` follow.
    ///
    /// # Errors
    /// When the template cannot be rendered.
    pub fn sheets(&self, typesetter: &Typesetter, resolution: Resolution, others: usize) -> Result<Vec<Sheet>, Unfit> {
        let first = self.told(typesetter, resolution, others + 1)?;
        if first.len() == 1 { Ok(first) } else { self.told(typesetter, resolution, others + first.len()) }
    }

    /// Its pages when it says that the fax has so many.
    fn told(&self, typesetter: &Typesetter, resolution: Resolution, all: usize) -> Result<Vec<Sheet>, Unfit> {
        let mut context = self.context.clone();
        context["fax"]["pages"] = all.into();
        let pdf = typesetter.render(&self.template, &context).map_err(|text| Unfit::new("cover-error", text))?;
        pages(&[Original { name: &self.template, bytes: &pdf.bytes }], resolution)
    }
}
