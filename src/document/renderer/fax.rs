//! Fax pages, made and drawn by the processes that render.

use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;

use super::{
    Renderer,
    frame::{Answer, Frame, Front, Request},
};
use crate::{
    channel::Resolution,
    document::{Failure, Files, broken, fax::Cover},
};

/// How many times longer a fax may take than a document: it may be a hundred pages of photographs.
const LONGER: u32 = 4;

/// What becomes one fax.
#[derive(Debug)]
pub struct Originals<'a> {
    pub resolution: Resolution,
    /// With their names.
    pub files: &'a [(String, Bytes)],
    /// The page before them, with the files of the workflow that its template is from.
    pub cover: Option<(&'a Files, Cover)>,
}

/// One fax.
#[derive(Debug, Clone)]
pub struct Faxed {
    pub tiff: Bytes,
    /// What goes over the line for each page.
    pub octets: Vec<u32>,
}

impl Renderer {
    /// Makes one fax of all files.
    ///
    /// # Errors
    /// When no process can be started; what lies in the files is a [`Failure`].
    pub async fn fax(&self, originals: Originals<'_>) -> Result<Result<Faxed, Failure>> {
        let Originals { resolution, files, cover } = originals;
        let (workflow, front) = match cover {
            Some((files, cover)) => (Some(files), Some(Front { digest: files.digest().to_owned(), cover })),
            None => (None, None),
        };
        let sizes = files.iter().map(|(name, bytes)| (name.clone(), bytes.len())).collect();
        let body: Vec<&[u8]> = files.iter().map(|(_, bytes)| &bytes[..]).collect();
        let request = Request::Fax { resolution, files: sizes, cover: front };
        Ok(match self.ask(&request, (&body.concat(), workflow), self.fax_limit()).await? {
            Ok(Frame { head: Answer::Faxed { octets }, body }) => Ok(Faxed { tiff: body, octets }),
            Ok(Frame { head: Answer::Unfit(unfit), .. }) => Err(broken(&unfit.code, unfit.text)),
            Ok(Frame { head: Answer::Refused { text }, .. }) => Err(broken("cover-error", text)),
            Ok(other) => bail!("a rendering process answered {:?} to a fax", other.head),
            Err(failure) => Err(failure),
        })
    }

    /// A PNG of the page `page`, from 1, of a fax that was made here; `None` when it has fewer.
    ///
    /// # Errors
    /// When it is no such fax.
    pub async fn picture(&self, tiff: &Bytes, page: usize) -> Result<Option<Bytes>> {
        match self.ask(&Request::Picture { page }, (tiff, None), self.config.timeout).await? {
            Ok(Frame { head: Answer::Pictured { found }, body }) => Ok(found.then_some(body)),
            Ok(other) => bail!("a rendering process answered {:?} to a page of a fax", other.head),
            Err(failure) => bail!("a page of a fax could not be drawn: {}", failure.reason.text),
        }
    }

    fn fax_limit(&self) -> Duration {
        self.config.timeout * LONGER
    }
}
