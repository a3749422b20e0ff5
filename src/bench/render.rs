//! Rendering: one-page PDFs by the processes that render in production, all of them busy.
//!
//! Every document has other figures in its ten rows, so that nothing but the template itself can be kept from one to
//! the next. Each process has rendered one before the clock runs; what that took (starting, fonts) is told apart.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, ensure};
use futures::{StreamExt, TryStreamExt, future, stream};
use serde_json::{Value, json};

use super::{
    Findings,
    memory::{self, Memory},
    progress::Progress,
    rounded,
    stand::Stand,
};
use crate::{
    document::{self, Document, Rendered, Source, renderer::RendererConfig},
    workflow::Files,
};

const TEMPLATE: &str = "ten-rows.typ";

/// How long one document may take, if the settings do not say less.
const LIMIT: Duration = Duration::from_secs(60);

/// Documents on their way for each process, so that none waits for the next one.
pub(super) const AHEAD: usize = 2;

/// Measures the rendering of so many documents.
pub(super) async fn measure(stand: &Stand, items: NonZeroU32) -> Result<Findings> {
    let processes = processes(stand);
    let files = template();
    let render = |number| one(stand, &files, number);
    let warming = Instant::now();
    future::try_join_all((0..processes).map(|_| render(0))).await?;
    let (warm_up, memory) = (warming.elapsed().as_secs_f64(), Memory::begin());
    let progress = Progress::counting(items.get(), "PDFs");
    let began = Instant::now();
    let rendered = stream::iter(1..=items.get()).map(render).buffer_unordered(processes * AHEAD);
    let bytes = rendered
        .try_fold((0_i64, 0), |(count, bytes), rendered| {
            progress.at(count + 1);
            future::ready(Ok((count + 1, bytes + rendered.bytes.len())))
        })
        .await?
        .1;
    let (seconds, memory) = (began.elapsed().as_secs_f64(), memory.end());
    drop(progress);
    let (per_second, renderers) = (f64::from(items.get()) / seconds, memory::of_renderers());
    let used = renderers.map_or("unknown".to_owned(), |used| format!("{used:.0} MB"));
    Ok(Findings {
        figures: json!({
            "items": items,
            "processes": processes,
            "bytes": bytes,
            "seconds": rounded(seconds),
            "warm_up_seconds": rounded(warm_up),
            "items_per_second": rounded(per_second),
            "renderers_peak_memory_mb": renderers.map(rounded),
        }),
        sentence: format!(
            "{items} one-page PDFs of {} bytes each in {seconds:.2} s by {processes} processes, warm after \
             {warm_up:.2} s: {per_second:.0} PDFs/s; these processes' peak memory {used}",
            bytes / usize::try_from(items.get())?,
        ),
        memory,
    })
}

/// How many processes render.
pub(super) fn processes(stand: &Stand) -> usize {
    match stand.app.config.render.children {
        0 => RendererConfig::default().children,
        some => some,
    }
}

/// The folder with the template.
pub(super) fn template() -> Files {
    Files::from_iter([(TEMPLATE.to_owned(), include_bytes!("ten-rows.typ").as_slice().into())])
}

/// Renders the document of this number.
pub(super) async fn one(stand: &Stand, files: &Files, number: u32) -> Result<Rendered> {
    let document = Document {
        name: "orders".to_owned(),
        title: "Open orders".to_owned(),
        personal: true,
        params: Default::default(),
        source: Source::Template { template: TEMPLATE.to_owned() },
    };
    let rendered = document::render(&stand.app.engine.toolbox, &document, files, &context(number), LIMIT).await?;
    let rendered = rendered.map_err(|failure| anyhow!("PDF {number}: {}", failure.reason.text))?;
    ensure!(rendered.pages == Some(1), "PDF {number} has {:?} pages", rendered.pages);
    Ok(rendered)
}

fn context(number: u32) -> Value {
    let rows: Vec<_> = (1..=10)
        .map(|row| {
            let order = u64::from(number) * 10 + row;
            json!({ "order": order, "what": format!("Roof trusses, {} pieces", order % 97), "cents": order * 7919 % 1_000_000 })
        })
        .collect();
    json!({ "recipient": { "name": format!("Customer {number}") }, "business_date": "2026-04-01", "rows": rows })
}
