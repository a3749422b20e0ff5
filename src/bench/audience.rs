//! Audiences: recipients that a query gives, looked at by the preview and then expanded by the step itself.
//!
//! The query makes its rows up, so that what is measured is the way from a row to a transmission and not the business
//! database. No worker is there, so that nothing else happens at the same time.

use std::{num::NonZeroU32, time::Instant};

use anyhow::{Result, anyhow, ensure};
use serde_json::{Map, json};

use super::{
    Findings,
    expand::expanded,
    memory::Memory,
    progress::Progress,
    rounded,
    setup::{self, Source, To},
    stand::{BATCH, Stand},
};
use crate::run;

/// Measures the preview and the expansion of a run to so many recipients from a query.
pub(super) async fn measure(stand: &mut Stand, recipients: NonZeroU32) -> Result<Findings> {
    stand.ask_itself()?;
    stand.set_up(setup::text(&Source::Stored, false, &To::Asked(recipients))).await?;
    let (preview, preview_memory) = previewed(stand, recipients).await?;
    let (seconds, memory) = expanded(stand, recipients).await?;
    let per_second = f64::from(recipients.get()) / seconds;
    Ok(Findings {
        figures: json!({
            "recipients": recipients,
            "seconds": rounded(seconds),
            "recipients_per_second": rounded(per_second),
            "preview_seconds": rounded(preview),
            "preview_memory": preview_memory,
        }),
        sentence: format!(
            "{recipients} recipients from a query in {seconds:.2} s: {per_second:.0} recipients/s; previewed in \
             {preview:.2} s ({preview_memory})"
        ),
        memory,
    })
}

/// Has the run previewed, and says how long that took.
async fn previewed(stand: &Stand, recipients: NonZeroU32) -> Result<(f64, Memory)> {
    let _progress = Progress::of(format!("previewing {recipients} recipients"));
    let (memory, began) = (Memory::begin(), Instant::now());
    let preview = run::preview(&stand.app.engine, BATCH, None, &Map::new()).await;
    let preview = preview.map_err(|error| anyhow!("{error:#}"))?;
    let (seconds, memory) = (began.elapsed().as_secs_f64(), memory.end());
    let expected = usize::try_from(recipients.get())?;
    ensure!(preview.queued == expected, "{} of {recipients} would be sent: {:?}", preview.queued, preview.faults);
    Ok((seconds, memory))
}
