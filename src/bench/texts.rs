//! Text messages by a service that takes them over HTTP and calls back: from the first attempt to the last report.
//!
//! One run that sends words alone, by a node with its doors. Each message is delivered when the service's report was
//! received, kept and applied.

use std::{num::NonZeroU32, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::{Findings, memory::Memory, progress::Progress, rounded, setup, stand::Stand, text_service::Service};
use crate::{app::Roles, queue::Queue};

/// How often the book is looked at. The times are the book's own, so this bounds nothing.
const LOOK: Duration = Duration::from_millis(100);

/// Measures so many text messages with their reports.
pub(super) async fn measure(
    stand: &Stand,
    (messages, service): (NonZeroU32, &Service),
    stop: &CancellationToken,
) -> Result<Findings> {
    stand.set_up(setup::words(messages)).await?;
    let run = stand.hold().await?;
    stand.release(run).await?;
    let db = &stand.app.database.pool;
    let nodes = stop.child_token();
    let memory = Memory::begin();
    let node =
        stand.app.run(Roles { doors: true, triggers: false, queues: Queue::ALL.to_vec() }, nodes.clone(), |_| Ok(()));
    let work = async {
        let _stopping = nodes.drop_guard_ref();
        delivered(db, messages, service).await
    };
    let (seconds, node) = tokio::join!(work, node);
    node?;
    let (seconds, memory) = (seconds?, memory.end());
    let per_second = f64::from(messages.get()) / seconds;
    Ok(Findings {
        figures: json!({
            "messages": messages,
            "seconds": rounded(seconds),
            "messages_per_second": rounded(per_second),
        }),
        sentence: format!(
            "{messages} text messages over HTTP, each with its report, in {seconds:.2} s: {per_second:.0} messages/s"
        ),
        memory,
    })
}

/// Waits until all are delivered, and gives the seconds from the first attempt to the last report.
async fn delivered(db: &PgPool, messages: NonZeroU32, service: &Service) -> Result<f64> {
    let progress = Progress::counting(messages.get(), "text messages delivered");
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        ensure!(service.unheard() == 0, "{} reports were not taken at the door", service.unheard());
        let Told { count, failed, seconds } = told(db).await?;
        ensure!(failed == 0, "{failed} text messages were not delivered");
        if count == i64::from(messages.get()) {
            return seconds.context("no attempt was made");
        }
        progress.at(count);
    }
}

struct Told {
    count: i64,
    failed: i64,
    seconds: Option<f64>,
}

async fn told(db: &PgPool) -> Result<Told> {
    sqlx::query_as!(
        Told,
        r#"
        select count(*) filter (where transmission.state = 'delivered') as "count!",
               count(*) filter (where transmission.state in ('failed', 'uncertain')) as "failed!",
               extract(epoch from max(transmission.changed_at) - min(attempt.started_at))::float8 as seconds
          from transmission
          join attempt on attempt.transmission = transmission.id
         where transmission.channel = 'sms'
        "#
    )
    .fetch_one(db)
    .await
    .context("counting text messages")
}
