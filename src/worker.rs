//! Workers: from a job to its steps. The only reader of apalis.
//!
//! apalis ends a worker at the first error of the database and drops what it was doing. So each step runs in a task of
//! its own that outlives the worker, and a worker that ended is built anew, under a new name, after a pause. What a
//! dropped hint pointed to is found by the sweeper. Called by the node.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use apalis::prelude::{BoxDynError, Data, WorkerBuilder, WorkerBuilderExt, WorkerContext};
use apalis_postgres::{Config, PostgresStorage};
use futures::StreamExt;
use rand::RngExt;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, MissedTickBehavior},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    queue::{Hint, Queue, Stretch},
    run::{self, Engine},
};

/// How much a node does at once.
#[derive(Debug, Clone)]
pub struct Load {
    /// The queues it serves.
    pub queues: Vec<Queue>,
    /// Steps at once on each queue.
    pub steps: usize,
    /// Loops that fetch, in each queue.
    pub loops: usize,
}

/// Jobs fetched at once. Few spread the work over nodes, many cost fewer round trips.
const FETCH: usize = 32;

/// Jobs that render which one node takes at a time: what waits here for a processor is not done by a node that has
/// one to spare. Fewer make rounds smaller, and leave processors idle between fetches.
const RENDERING: usize = 16;

impl Load {
    /// Jobs at once in each loop.
    fn jobs(&self, queue: Queue) -> usize {
        match queue {
            Queue::Render => self.steps.min(RENDERING),
            Queue::Run | Queue::Transmit => self.steps,
        }
    }
}

/// How long the steps of a job wait for seats before the rest is handed back, so that a node with seats to spare can
/// have them. Shorter writes more jobs, longer leaves others idle.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often an idle queue is looked at, about. That is what is relied on; news only make it quicker.
const POLL: Duration = Duration::from_millis(500);

/// How long news are gathered before they are passed on. All nodes look at each piece of news; sooner makes them look
/// for single jobs while thousands are being written, later makes a single job wait.
const GATHER: Duration = Duration::from_millis(20);

/// How long a worker that lost the database waits before it is built anew, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// Serves the queues of `load` until `stop`, then waits for the steps that are being done.
pub async fn work(engine: Engine, load: Load, stop: CancellationToken) {
    let engine = engine.until(stop.clone());
    let steps = TaskTracker::new();
    let workers = TaskTracker::new();
    let news: HashMap<_, _> = load.queues.iter().map(|queue| (*queue, Arc::new(Notify::new()))).collect();
    for queue in &load.queues {
        let shop = Shop {
            engine: engine.clone(),
            steps: steps.clone(),
            seats: Arc::new(Semaphore::new(load.steps)),
            news: news[queue].clone(),
            stop: stop.clone(),
        };
        for _ in 0..load.loops {
            let shop = shop.clone();
            workers.spawn(serve(shop, *queue, load.clone(), stop.clone()));
        }
    }
    let worked = async {
        workers.close();
        workers.wait().await;
        steps.close();
        steps.wait().await;
    };
    tokio::select! {
        () = worked => {}
        () = keep_leases(&engine) => {}
        () = pass_on(&engine, &news) => {}
    }
}

/// What handlers are given.
#[derive(Clone)]
struct Shop {
    engine: Engine,
    /// The steps being done, which outlive the worker that began them.
    steps: TaskTracker,
    /// How many more of them may be begun on this queue.
    seats: Arc<Semaphore>,
    /// Told when the queue has new jobs.
    news: Arc<Notify>,
    stop: CancellationToken,
}

async fn serve(shop: Shop, queue: Queue, load: Load, stop: CancellationToken) {
    let mut pause = BACKOFF.0;
    let mut incarnation = 0_u32;
    while !stop.is_cancelled() {
        incarnation += 1;
        let name =
            format!("{}-{}-{incarnation}-{:08x}", shop.engine.settings.worker, queue.name(), rand::random::<u32>());
        let began = std::time::Instant::now();
        run_worker(&shop, queue, &load, &name, &stop).await;
        if stop.is_cancelled() {
            break;
        }
        if began.elapsed() > BACKOFF.1 {
            pause = BACKOFF.0;
        }
        tracing::warn!(queue = queue.name(), pause_ms = pause.as_millis(), "a worker ended and is built anew");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => break,
        }
        pause = (pause * 2).min(BACKOFF.1);
    }
}

/// Drives one worker to its end.
async fn run_worker(shop: &Shop, queue: Queue, load: &Load, name: &str, stop: &CancellationToken) {
    let config = Config::default().queue(queue.name()).batch_size(load.jobs(queue).min(FETCH)).lock_tasks(false);
    let backend = PostgresStorage::<serde_json::Value>::new(&shop.engine.db).with_config(config);
    let context = WorkerContext::new(name);
    let worker = WorkerBuilder::new(&context)
        .backend(backend)
        .concurrency(load.jobs(queue))
        .data(Arc::new(shop.clone()))
        .build(handle);
    let mut events = std::pin::pin!(worker.stream());
    let mut stopping = false;
    // An idle worker looks for jobs whenever it is polled. The backend's own interval is not used: a tick that comes
    // together with the answer to a fetch is lost there, and the next look is the heartbeat's, half a minute later.
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(_)) => {}
                // It ends here: it would fetch no more, and never say so. Its steps go on, its jobs are only hints.
                Some(Err(error)) => return tracing::warn!(queue = queue.name(), %error, "a worker met an error"),
                None => return,
            },
            () = tokio::time::sleep(look()) => {}
            () = shop.news.notified() => {}
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                if context.stop().is_err() {
                    return;
                }
            }
        }
    }
}

/// Does the steps a job tells of. Always answers `Ok`: what went wrong stands in our own rows or will be found there.
async fn handle(job: serde_json::Value, shop: Data<Arc<Shop>>) -> Result<(), BoxDynError> {
    let Ok(stretch) = serde_json::from_value::<Stretch>(job) else {
        tracing::error!("a job is none of ours; it is dropped");
        return Ok(());
    };
    let doing = do_all(Arc::clone(&shop), stretch);
    if let Ok(Err(error)) = shop.steps.spawn(doing).await {
        tracing::error!(?stretch, error = format!("{error:#}"), "a job met a fault; its steps are found when due");
    }
    Ok(())
}

/// Does the steps of `stretch`, as many at once as there are seats, and hands back those that get none soon.
async fn do_all(shop: Arc<Shop>, stretch: Stretch) -> Result<()> {
    let mut hints = run::due(&shop.engine, stretch).await?;
    let mut begun = Vec::with_capacity(hints.len());
    let soon = Instant::now() + PATIENCE;
    while let Some(hint) = hints.pop() {
        let seat = tokio::time::timeout_at(soon, shop.seats.clone().acquire_owned());
        match shop.stop.run_until_cancelled(seat).await {
            Some(Ok(seat)) => begun.push(shop.steps.spawn(do_one(shop.engine.clone(), hint, seat?))),
            Some(Err(_)) | None => {
                hints.push(hint);
                break;
            }
        }
    }
    // The last ones come first.
    if let (Some(last), Some(first)) = (hints.first(), hints.last()) {
        run::hand_back(&shop.engine, Stretch { id: first.id, to: last.id, ..stretch }).await?;
    }
    for step in begun {
        if step.await.is_err() {
            tracing::error!(?stretch, "a step panicked; it is taken up when its lease runs out");
        }
    }
    Ok(())
}

async fn do_one(engine: Engine, hint: Hint, _seat: OwnedSemaphorePermit) {
    if let Err(error) = run::perform(&engine, hint).await {
        tracing::error!(step.id = hint.id.0, kind = %hint.kind, error = format!("{error:#}"), "a step met a fault");
    }
}

/// When an idle queue is looked at next: loops and nodes that began together do not look together.
fn look() -> Duration {
    POLL.mul_f64(rand::rng().random_range(0.75..1.25))
}

/// Tells the loops of a queue when it has new jobs, for as long as it is polled. While that cannot be heard, they look
/// by themselves.
async fn pass_on(engine: &Engine, news: &HashMap<Queue, Arc<Notify>>) {
    loop {
        if let Err(error) = hear(engine, news).await {
            tracing::debug!(error = format!("{error:#}"), "new jobs are not heard of at present");
        }
        tokio::time::sleep(BACKOFF.1).await;
    }
}

async fn hear(engine: &Engine, news: &HashMap<Queue, Arc<Notify>>) -> Result<()> {
    let mut heard = engine.news().await?;
    loop {
        let mut queues = HashSet::from([heard.next().await?]);
        let told = Instant::now() + GATHER;
        while let Ok(more) = tokio::time::timeout_at(told, heard.next()).await {
            queues.insert(more?);
        }
        for loops in queues.into_iter().flatten().filter_map(|queue| news.get(&queue)) {
            loops.notify_waiters();
        }
    }
}

/// Renews the leases of the steps being done, by the database's time, for as long as it is polled.
async fn keep_leases(engine: &Engine) {
    let mut ticks = tokio::time::interval(engine.settings.lease / 3);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = engine.renew().await {
            tracing::warn!(error = format!("{error:#}"), "leases could not be renewed");
        }
    }
}
