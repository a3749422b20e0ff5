//! The storm from its first fault to the last transmission.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use sqlx::{PgPool, Postgres, Transaction};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{Api, unique},
    book::{self, Comparison, Entry},
    disk::Disk,
    fault::{Fault, Means, OTHERS, OUTAGES, shuffled},
    fleet::{self, Fleet},
    load::Load,
    node::until,
    outside::Outside,
    plan::{Plan, Settle},
    record::{self, Record},
    recovery::Recovery,
    report::{Report, Settled},
    server::Server,
};

/// Connections of the server: enough for the nodes, few enough to take nine of ten away.
const CONNECTIONS: &str = "max_connections=80";

/// Puts a load on nodes, lets everything go wrong, waits until all is quiet, and compares.
pub async fn ride_out(plan: Plan) -> Report {
    let word = unique();
    let server = Server::start(&[CONNECTIONS]).await;
    let outside = Outside::start();
    let site = fleet::install(&plan, &server.url, &outside);
    let disk = Disk::mount(&site.path("blobs"));
    let fleet = Fleet::launch(site, plan.workers).await;
    let (api, db) = (fleet.api(), server.pool.clone());
    let load = Load::new(&word);
    load.set_up(&api).await;
    let stop = CancellationToken::new();
    let load = tokio::spawn(load.go_on(api.clone(), db.clone(), plan.clone(), stop.clone()));
    until("the first are sent", async || is_sending(&db).await.then_some(())).await;

    let begun = Instant::now();
    let rng = StdRng::seed_from_u64(plan.seed);
    let means = Means { plan: plan.clone(), server, fleet, outside, disk, rng, long: false };
    let mut storm = Storm { begun, means, recoveries: Vec::new(), occurred: BTreeSet::new() };
    storm.rage().await;
    let lasted = begun.elapsed();
    stop.cancel();
    let started = load.await.expect("the load goes on to the end");
    let (quiet, mut stuck) = rest(&db).await;

    let holds = |account: &str| match plan.settle {
        Settle::Repeat => false,
        Settle::Hold => true,
        Settle::Mixed => account == "sink",
    };
    let book = book::read(&db).await;
    let record = record::read(&storm.means.outside).await;
    let settled = settle(&storm.means.fleet.api(), &book, &record).await;
    let before = Comparison::of(&book, &record, holds);
    stuck.extend(rest(&db).await.1);
    let after = Comparison::of(&book::read(&db).await, &record::read(&storm.means.outside).await, holds);
    let runs = sqlx::query_scalar("select count(*) from run where batch <> '.monitors'").fetch_one(&db).await.unwrap();
    // The servers and the disk outlive the nodes.
    let Storm { means: Means { fleet, server: _server, disk: _disk, outside: _outside, .. }, recoveries, .. } = storm;
    let (_site, deaths) = fleet.rest().await;
    Report { plan, lasted, recoveries, started, runs, quiet, stuck, before, settled, after, deaths }
}

/// How long it may take until nothing is left to be done.
const REST: Duration = Duration::from_secs(120);

/// Waits until nothing is left to be done. Gives how long that took, and what is left when it took too long.
async fn rest(db: &PgPool) -> (Duration, Vec<String>) {
    let begun = Instant::now();
    let mut looks = tokio::time::interval(Duration::from_millis(200));
    loop {
        looks.tick().await;
        let left: Vec<String> = sqlx::query_scalar(
            "select to_jsonb(step)::text from step where state in ('ready', 'running')
              union all select to_jsonb(run)::text from run where ended_at is null",
        )
        .fetch_all(db)
        .await
        .unwrap();
        if left.is_empty() || begun.elapsed() > REST {
            return (begun.elapsed(), left);
        }
    }
}

/// Settles what is uncertain by the far sides' record, as a person would.
async fn settle(api: &Api, book: &[Entry], record: &Record) -> Settled {
    let mut settled = Settled::default();
    for entry in book.iter().filter(|it| it.state == "uncertain") {
        let there = record.times(entry) > 0;
        let (outcome, count) =
            if there { ("delivered", &mut settled.delivered) } else { ("again", &mut settled.again) };
        let finding = json!({ "outcome": outcome, "why": "by the server's record" });
        api.post(&format!("/transmissions/{}/settle", entry.id), finding).await;
        *count += 1;
        settled.lines.push(format!("transmission {} to {}, settled as {outcome}", entry.id, entry.contact));
    }
    settled
}

struct Storm {
    begun: Instant,
    means: Means,
    recoveries: Vec<Recovery>,
    occurred: BTreeSet<Fault>,
}

impl Storm {
    async fn rage(&mut self) {
        while !self.is_over() {
            let others = OTHERS.into_iter().filter(|it| *it != Fault::DiskFull || self.means.disk.is_some()).collect();
            let others = shuffled(others, &mut self.means.rng);
            let outages = shuffled(OUTAGES.to_vec(), &mut self.means.rng);
            if self.means.rng.random() {
                self.all(&outages).await;
                self.all_in_a_transaction(&others).await;
            } else {
                self.all_in_a_transaction(&others).await;
                self.all(&outages).await;
            }
            // What was short becomes long.
            self.means.long = !self.means.long;
        }
    }

    /// Every kind has occurred, and the time is up.
    fn is_over(&self) -> bool {
        let kinds = OTHERS.len() + OUTAGES.len() + usize::from(self.means.disk.is_some());
        self.occurred.len() >= kinds && self.begun.elapsed() >= self.means.plan.length
    }

    async fn all(&mut self, faults: &[Fault]) {
        for fault in faults {
            if self.is_over() {
                return;
            }
            let begun = Instant::now();
            self.means.cause(*fault).await;
            self.note(*fault, begun).await;
        }
    }

    /// The faults, while a transaction that has written something is kept open.
    async fn all_in_a_transaction(&mut self, faults: &[Fault]) {
        if self.is_over() {
            return;
        }
        let begun = Instant::now();
        let transaction = open(&self.means.server.pool).await;
        self.all(faults).await;
        if !self.is_over() {
            tokio::time::sleep(self.means.plan.open.saturating_sub(begun.elapsed())).await;
        }
        transaction.rollback().await.expect("nobody ends this transaction");
        self.note(Fault::TransactionOpen, begun).await;
    }

    async fn note(&mut self, fault: Fault, begun: Instant) {
        let (db, patience) = (self.means.server.pool.clone(), self.means.plan.patience());
        let recovery = Recovery::watch(&db, fault, begun.elapsed(), patience).await;
        println!("{:>5} s  {}", self.begun.elapsed().as_secs(), recovery);
        self.recoveries.push(recovery);
        self.occurred.insert(fault);
        self.means.fleet.mend().await;
    }
}

/// A transaction with a number of its own, which keeps every row that is outdated from being cleaned away.
async fn open(db: &PgPool) -> Transaction<'static, Postgres> {
    let mut transaction = db.begin().await.unwrap();
    sqlx::query("select pg_current_xact_id()").execute(&mut *transaction).await.unwrap();
    transaction
}

async fn is_sending(db: &PgPool) -> bool {
    let query = "select exists (select from transmission where state in ('accepted', 'delivered'))";
    sqlx::query_scalar(query).fetch_one(db).await.unwrap()
}
