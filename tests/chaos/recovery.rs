//! How soon work goes on after a fault.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::fault::Fault;

/// What followed a fault.
#[derive(Debug, Clone)]
pub struct Recovery {
    pub fault: Fault,
    pub lasted: Duration,
    /// From its end to the next one that was delivered. `None`: not while somebody looked.
    pub sending: Option<Duration>,
    /// From its end until no step was overdue and no lease had run out.
    pub on_time: Option<Duration>,
}

/// How long a step may wait in a queue without being called late.
const LATE: f64 = 2.0;

/// How often is looked.
const LOOK: Duration = Duration::from_millis(100);

impl Recovery {
    /// Watches what follows `fault`, which has ended just now.
    pub async fn watch(db: &PgPool, fault: Fault, lasted: Duration, patience: Duration) -> Self {
        let (ended, ended_at) = (Instant::now(), Utc::now());
        let mut seen = Self { fault, lasted, sending: None, on_time: None };
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // Twice as long as is fair, to tell slow from never.
        while ended.elapsed() < patience * 2 && (seen.sending.is_none() || seen.on_time.is_none()) {
            looks.tick().await;
            let Ok((sent, late)) = look(db, ended_at).await else { continue };
            seen.sending = seen.sending.or(sent.then(|| ended.elapsed()));
            seen.on_time = seen.on_time.or((!late).then(|| ended.elapsed()));
        }
        seen
    }
}

async fn look(db: &PgPool, since: DateTime<Utc>) -> sqlx::Result<(bool, bool)> {
    sqlx::query_as(
        "select exists (select from attempt where outcome in ('accepted', 'delivered') and ended_at > $1),
                exists (select from step where state = 'ready' and due_at < $2 - make_interval(secs => $3))
                or exists (select from step where state = 'running' and lease_until < $2)",
    )
    .bind(since)
    .bind(Utc::now())
    .bind(LATE)
    .fetch_one(db)
    .await
}
