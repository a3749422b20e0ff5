//! Steps whose worker is gone, and steps that are due.

use anyhow::Result;

use crate::run::{Engine, rescue};

/// Takes up lapsed steps, and gives hints to those that are due or whose hint got lost.
pub(super) async fn rescue(engine: &Engine) -> Result<()> {
    let lapsed = rescue::lapsed(engine).await?;
    if lapsed > 0 {
        tracing::warn!(steps = lapsed, "leases ran out; their steps are taken up");
    }
    rescue::hints(engine).await?;
    Ok(())
}
