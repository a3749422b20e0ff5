//! Fax pages: one-page PDFs as pages of a fax, by the processes that do it in production, all of them busy.
//!
//! The page is the one that `render` makes, a heading and a table of ten rows, at the fine resolution. Each process has
//! made one before the clock runs.

use std::{num::NonZeroU32, time::Instant};

use anyhow::{Result, anyhow, ensure};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, future, stream};
use serde_json::json;

use super::{
    Findings,
    memory::{self, Memory},
    progress::Progress,
    render::{self, AHEAD},
    rounded,
    stand::Stand,
};
use crate::{channel::Resolution, document::renderer::Originals};

/// Different PDFs, which are taken in turn.
const KINDS: u32 = 16;

/// Measures how fast so many pages become fax pages.
pub(super) async fn measure(stand: &Stand, pages: NonZeroU32) -> Result<Findings> {
    let processes = render::processes(stand);
    let files = render::template();
    let mut pdfs = Vec::new();
    for number in 1..=KINDS {
        pdfs.push(render::one(stand, &files, number).await?.bytes);
    }
    let page = |number: u32| one(stand, &pdfs[(number % KINDS) as usize]);
    future::try_join_all((0..processes).map(|_| page(0))).await?;
    let (memory, progress) = (Memory::begin(), Progress::counting(pages.get(), "fax pages"));
    let began = Instant::now();
    let made = stream::iter(1..=pages.get()).map(page).buffer_unordered(processes * AHEAD);
    let (_, octets) = made
        .try_fold((0_i64, 0_u64), |(count, sum), octets| {
            progress.at(count + 1);
            future::ready(Ok((count + 1, sum + octets)))
        })
        .await?;
    let (seconds, memory) = (began.elapsed().as_secs_f64(), memory.end());
    drop(progress);
    let (per_second, renderers) = (f64::from(pages.get()) / seconds, memory::of_renderers());
    let used = renderers.map_or("unknown".to_owned(), |used| format!("{used:.0} MB"));
    let octets = octets / u64::from(pages.get());
    Ok(Findings {
        figures: json!({
            "pages": pages,
            "processes": processes,
            "octets_per_page": octets,
            "seconds": rounded(seconds),
            "pages_per_second": rounded(per_second),
            "renderers_peak_memory_mb": renderers.map(rounded),
        }),
        sentence: format!(
            "{pages} PDF pages as fax pages of {octets} bytes each in {seconds:.2} s by {processes} processes: \
             {per_second:.0} pages/s; these processes' peak memory {used}"
        ),
        memory,
    })
}

/// What goes over the line for one page.
async fn one(stand: &Stand, pdf: &Bytes) -> Result<u64> {
    let files = [("orders.pdf".to_owned(), pdf.clone())];
    let originals = Originals { resolution: Resolution::Fine, files: &files, cover: None };
    let faxed = stand.app.engine.toolbox.renderer.fax(originals).await?;
    let faxed = faxed.map_err(|failure| anyhow!("{}", failure.reason.text))?;
    ensure!(faxed.octets.len() == 1, "a page became {} fax pages", faxed.octets.len());
    Ok(faxed.octets.iter().copied().map(u64::from).sum())
}
