//! The pages of one fax to look at: as they were sent, or as they will arrive.

use anyhow::Result;
use bytes::Bytes;

use super::{Engine, book::Transmission, files, frozen, parcel, rendition};
use crate::{id::TransmissionId, reason::Reason};

/// Why there is no such page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPage {
    #[error("transmission {0} does not go out as fax pages")]
    NotFax(TransmissionId),
    #[error("the documents of transmission {0} are not rendered yet")]
    NotRendered(TransmissionId),
    #[error("the files of transmission {0} were purged, as they were too old")]
    Purged(TransmissionId),
    #[error("its files cannot become fax pages: {}", .0.text)]
    Unfit(Reason),
    #[error("it has {0} pages")]
    Beyond(usize),
}

/// A PNG of the page `number`, from 1, of a transmission.
///
/// # Errors
/// When the database or the store cannot be read, or no rendering process starts.
pub async fn png(engine: &Engine, transmission: &Transmission, number: usize) -> Result<Result<Bytes, NoPage>> {
    let id = transmission.id;
    if files::purged(&engine.db, transmission.run).await?.is_some() {
        return Ok(Err(NoPage::Purged(id)));
    }
    let pages = match rendition::kept(&engine.db, id).await? {
        Some(kept) => kept,
        None => match parcel::look(engine, (transmission.run, id)).await? {
            None => return Ok(Err(NoPage::NotRendered(id))),
            Some(found) => {
                let frozen = frozen::of(engine, found.run).await?;
                match parcel::pages_of(engine, &frozen, &found).await? {
                    Ok(Some(pages)) => pages,
                    Ok(None) => return Ok(Err(NoPage::NotFax(id))),
                    Err(reason) => return Ok(Err(NoPage::Unfit(reason))),
                }
            }
        },
    };
    let tiff = engine.toolbox.store.get(&pages.digest).await?;
    let picture = if number == 0 { None } else { engine.toolbox.renderer.picture(&tiff, number).await? };
    Ok(picture.ok_or(NoPage::Beyond(pages.octets.len())))
}
