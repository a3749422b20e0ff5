//! An engine at work: a worker, a sweeper, and a clock that skips the time in which there is only waiting to be done.
//!
//! So the pauses of accounts, of retries and of questions stay as long as they are. An outage is over at once by that
//! clock: the seconds that a server takes to start would be hours, in which all tries are used up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use postbook::{
    config::{Age, Retention},
    queue::Queue,
    run::Engine,
    sweep::{self, Duties},
    worker::{self, Load},
};
use tokio::{task::JoinSet, time::interval};
use tokio_util::sync::CancellationToken;

use crate::harness::TestApp;

/// Steps at once, and so the most transmissions that one death can leave in doubt.
pub const AT_ONCE: usize = 8;

/// How often is looked whether there is something to do, and how far the clock is set forward if not.
const LOOK: Duration = Duration::from_millis(10);
const SKIP: Duration = Duration::from_secs(10);

/// How often it is swept.
const SWEEP: Duration = Duration::from_millis(50);

/// Longer than a storm by a clock that is set forward, so that only a dead worker would lose its leases.
const LEASE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// An engine at work until it is told to stop.
pub struct Node {
    stop: CancellationToken,
    duties: JoinSet<()>,
    /// Whether its clock skips.
    pub skips: Arc<AtomicBool>,
}

impl Node {
    pub fn start(app: &TestApp) -> Self {
        let mut engine = app.engine.clone();
        engine.settings.lease = LEASE;
        let stop = CancellationToken::new();
        let load = Load { queues: Queue::ALL.to_vec(), steps: AT_ONCE, loops: 1 };
        let keep = Retention { runs: Age::FOREVER, files: Age::FOREVER, logs: Age::FOREVER };
        let (mut duties, skips) = (JoinSet::new(), Arc::new(AtomicBool::new(true)));
        duties.spawn(worker::work(engine.clone(), load, stop.clone()));
        duties.spawn(sweep::sweep(engine.clone(), Duties { interval: SWEEP, keep }, stop.clone()));
        duties.spawn(skip(engine, skips.clone(), stop.clone()));
        Self { stop, duties, skips }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.duties.join_all().await;
    }
}

/// Sets the clock forward while there is nothing to do.
async fn skip(engine: Engine, skips: Arc<AtomicBool>, stop: CancellationToken) {
    let mut looks = interval(LOOK);
    while stop.run_until_cancelled(looks.tick()).await.is_some() {
        if skips.load(Ordering::Relaxed) && is_idle(&engine).await {
            engine.clock.advance(SKIP);
        }
    }
}

async fn is_idle(engine: &Engine) -> bool {
    sqlx::query_scalar(
        "select not exists (select from step where state = 'running' or state = 'ready' and due_at <= $1)
                and not exists (select from awaited where doubt and ask_at <= $1)",
    )
    .bind(engine.clock.now())
    .fetch_one(&engine.db)
    .await
    .unwrap()
}
