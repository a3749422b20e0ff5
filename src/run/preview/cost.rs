//! What a fax would cost, told before anything is sent: seconds on the telephone line.

use std::collections::HashMap;

use anyhow::Result;
use bytes::Bytes;

use super::{
    super::{Engine, frozen::Frozen},
    Preview,
};
use crate::{
    catalog::Cover,
    channel::{Form, Resolution},
    document::{
        Failure,
        fax::{Estimate, estimate},
        renderer::Originals,
    },
};

/// Octets of a cover page: the built-in one with ten lines of text. Its real ones are not drawn for a preview, as each
/// recipient has their own.
const COVER: u32 = 9_000;

/// How finely the faxes of the batch would go, if any would go as pages.
pub(super) fn fax(engine: &Engine, frozen: &Frozen, preview: &Preview) -> Option<Resolution> {
    preview.channels.get("fax")?;
    match frozen.account(engine, "fax")?.form() {
        Form::FaxPages(resolution) => Some(resolution),
        Form::AsIs => None,
    }
}

/// What goes over the line for each page of a rendered file; or why it cannot become pages.
pub(super) async fn octets(
    engine: &Engine,
    (file, bytes): (&str, &Bytes),
    resolution: Resolution,
) -> Result<Result<Vec<u32>, Failure>> {
    let files = [(file.to_owned(), bytes.clone())];
    let originals = Originals { resolution, files: &files, cover: None };
    Ok(engine.toolbox.renderer.fax(originals).await?.map(|faxed| faxed.octets))
}

/// Tells of each listed fax how long it takes, where all its documents were rendered; `octets` is by their keys.
pub(super) fn faxes(preview: &mut Preview, frozen: &Frozen, octets: &HashMap<String, Vec<u32>>) {
    let cover = (frozen.batch.cover != Cover::Wanted(false)).then_some(COVER);
    for transmission in preview.transmissions.iter_mut().filter(|one| one.channel == "fax") {
        let carried: Option<Vec<_>> = transmission.items.iter().map(|key| octets.get(key)).collect();
        transmission.fax = carried.map(|carried| all(cover, &carried));
    }
}

fn all(cover: Option<u32>, carried: &[&Vec<u32>]) -> Estimate {
    let pages: Vec<u32> = cover.into_iter().chain(carried.iter().copied().flatten().copied()).collect();
    estimate(&pages)
}
