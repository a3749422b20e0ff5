//! Idling: what a worker node costs that has nothing to do, in memory and processor time of its process.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::{
    Findings,
    memory::{self, Memory},
    node::Node,
    progress::Progress,
    rounded,
    stand::Stand,
};

/// How long a node has to come to rest before it is looked at.
const REST: Duration = Duration::from_secs(3);

/// Watches a node for so many seconds.
pub(super) async fn measure(stand: &Stand, seconds: u32) -> Result<Findings> {
    let node = Node::start(stand.program()?).await?;
    let process = node.process()?;
    let progress = Progress::of(format!("watching a node for {seconds} s"));
    let memory = Memory::begin();
    tokio::time::sleep(REST).await;
    let (before, began) = (memory::processor_seconds(&process), std::time::Instant::now());
    tokio::time::sleep(Duration::from_secs(seconds.into())).await;
    let (after, watched) = (memory::processor_seconds(&process), began.elapsed().as_secs_f64());
    let used = memory::resident(&process);
    drop(progress);
    node.end().await?;
    let used = used.context("this system does not tell what a process uses")?;
    let busy = after.zip(before).map(|(after, before)| after - before);
    let share = busy.context("this system does not tell what a process uses")? / watched * 100.0;
    Ok(Findings {
        figures: json!({
            "seconds": rounded(watched),
            "node_memory_mb": used,
            "processor_percent": rounded(share),
        }),
        sentence: format!("a node that has nothing to do takes {used:.0} MB and {share:.2} % of a core"),
        memory: memory.end(),
    })
}
