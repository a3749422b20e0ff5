//! The kinds of faults, and how each is brought about. A fault is over when its function returns.

use std::time::Duration;

use rand::{Rng, RngExt, rngs::StdRng};
use sqlx::{Connection, PgConnection, PgPool};

use crate::{
    disk::Disk,
    fleet::Fleet,
    node::until,
    outside::{Outside, Peer},
    plan::Plan,
    server::{Death, Server},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// Workers are killed every few seconds, and others started.
    WorkersKilled,
    /// A worker is stopped for longer than its lease, and continued.
    WorkerPaused,
    /// All processes of Postgres end at once, and it comes back.
    PostgresQuit,
    /// The first process of Postgres is killed, and it comes back.
    PostgresKilled,
    /// Backends are terminated at random.
    BackendsTerminated,
    /// Nine of ten connections are taken.
    ConnectionsTaken,
    /// A transaction that has written something is kept open, while other things go wrong.
    TransactionOpen,
    /// The rows of runs that are under way are locked.
    RunsLocked,
    /// All nodes are restarted, one by one.
    NodesRestarted,
    /// No room is left for rendered documents.
    DiskFull,
    /// A server at a far side is killed and started again, perhaps several times.
    Killed(Peer),
}

/// Faults during which a transaction of ours would not survive.
pub const OUTAGES: [Fault; 2] = [Fault::PostgresQuit, Fault::PostgresKilled];

/// Faults that may happen while a transaction is open.
pub const OTHERS: [Fault; 11] = [
    Fault::WorkersKilled,
    Fault::WorkerPaused,
    Fault::BackendsTerminated,
    Fault::ConnectionsTaken,
    Fault::RunsLocked,
    Fault::NodesRestarted,
    Fault::DiskFull,
    Fault::Killed(Peer::Mail),
    Fault::Killed(Peer::Sink),
    Fault::Killed(Peer::Files),
    Fault::Killed(Peer::Fax),
];

impl Fault {
    pub fn name(self) -> &'static str {
        match self {
            Self::WorkersKilled => "workers killed",
            Self::WorkerPaused => "worker paused past its lease",
            Self::PostgresQuit => "Postgres down at once",
            Self::PostgresKilled => "Postgres killed",
            Self::BackendsTerminated => "backends terminated",
            Self::ConnectionsTaken => "nine of ten connections taken",
            Self::TransactionOpen => "transaction kept open",
            Self::RunsLocked => "rows of runs locked",
            Self::NodesRestarted => "nodes restarted one by one",
            Self::DiskFull => "disk full",
            Self::Killed(Peer::Mail) => "mail server killed",
            Self::Killed(Peer::Sink) => "slow mail server killed",
            Self::Killed(Peer::Files) => "SFTP server killed",
            Self::Killed(Peer::Fax) => "fax service killed",
        }
    }
}

/// What faults are brought about with.
pub struct Means {
    pub plan: Plan,
    pub fleet: Fleet,
    pub outside: Outside,
    pub disk: Option<Disk>,
    pub server: Server,
    pub rng: StdRng,
    /// The next outage is a long one.
    pub long: bool,
}

impl Means {
    /// Brings `fault` about, to its end.
    pub async fn cause(&mut self, fault: Fault) {
        match fault {
            Fault::WorkersKilled => self.kill_workers().await,
            Fault::WorkerPaused => self.pause_a_worker().await,
            Fault::PostgresQuit => self.down(Death::Quit).await,
            Fault::PostgresKilled => self.down(Death::Kill).await,
            Fault::BackendsTerminated => self.terminate_backends().await,
            Fault::ConnectionsTaken => self.take_connections().await,
            Fault::RunsLocked => self.lock_runs().await,
            Fault::NodesRestarted => self.fleet.roll().await,
            Fault::DiskFull => self.fill_the_disk().await,
            Fault::Killed(peer) => self.kill_peer(peer).await,
            Fault::TransactionOpen => unreachable!("it goes on while others happen"),
        }
    }

    fn any_worker(&mut self) -> usize {
        self.rng.random_range(0..self.fleet.workers.len())
    }

    async fn kill_workers(&mut self) {
        for _ in 0..3 {
            let which = self.any_worker();
            self.fleet.kill(which).await;
            let pause = self.plan.span.mul_f64(self.rng.random_range(0.2..0.4));
            tokio::time::sleep(pause).await;
        }
    }

    async fn kill_peer(&mut self, peer: Peer) {
        for _ in 0..self.plan.kills {
            self.outside.kill(peer).await;
            tokio::time::sleep(self.plan.span.mul_f64(self.rng.random_range(0.1..0.3))).await;
            self.outside.restart(peer);
            tokio::time::sleep(self.plan.span.mul_f64(self.rng.random_range(0.1..0.2))).await;
        }
    }

    async fn pause_a_worker(&mut self) {
        let which = self.any_worker();
        self.fleet.workers[which].pause();
        let length = self.plan.lease.mul_f64(self.rng.random_range(1.5..2.5));
        tokio::time::sleep(length).await;
        self.fleet.workers[which].wake();
    }

    async fn down(&mut self, death: Death) {
        let away = self.plan.away[usize::from(self.long)];
        self.long = !self.long;
        self.server.die(death).await;
        tokio::time::sleep(away).await;
        self.server.revive().await;
    }

    async fn terminate_backends(&mut self) {
        let mut beats = tokio::time::interval(Duration::from_millis(300));
        let begun = std::time::Instant::now();
        while begun.elapsed() < self.plan.span {
            beats.tick().await;
            let count = self.rng.random_range(1..4_i64);
            let mut backends = backends(&self.server.pool).await;
            for _ in 0..count.min(backends.len() as i64) {
                let pid = backends.swap_remove(self.rng.random_range(0..backends.len()));
                terminate(&self.server.pool, pid).await;
            }
        }
    }

    /// Takes the places of connections that it ends, until it has nine of ten.
    async fn take_connections(&mut self) {
        let wanted: i64 = sqlx::query_scalar("select current_setting('max_connections')::bigint * 9 / 10")
            .fetch_one(&self.server.pool)
            .await
            .unwrap();
        let mut taken = Vec::new();
        let (pool, url) = (&self.server.pool, &self.server.url);
        until("nine of ten connections are taken", async || {
            while (taken.len() as i64) < wanted {
                match PgConnection::connect(&format!("{url}?application_name=thief")).await {
                    Ok(connection) => taken.push(connection),
                    Err(_) => {
                        for pid in backends(pool).await {
                            terminate(pool, pid).await;
                        }
                        return None;
                    }
                }
            }
            Some(())
        })
        .await;
        tokio::time::sleep(self.plan.span).await;
        for connection in taken {
            connection.close().await.unwrap();
        }
    }

    async fn lock_runs(&mut self) {
        let mut transaction = self.server.pool.begin().await.unwrap();
        let locked = sqlx::query("select from run where ended_at is null for update");
        let locked = locked.fetch_all(&mut *transaction).await.unwrap();
        assert!(!locked.is_empty(), "no run is under way");
        tokio::time::sleep(self.plan.lease.mul_f64(1.3)).await;
        transaction.rollback().await.unwrap();
    }

    async fn fill_the_disk(&mut self) {
        let disk = self.disk.as_ref().expect("only where there is a disk");
        disk.fill();
        let fleet = &self.fleet;
        until("a worker finds no room", async || fleet.has_logged("No space left on device").then_some(())).await;
        tokio::time::sleep(self.plan.span).await;
        disk.free();
    }
}

/// The nodes' connections.
async fn backends(db: &PgPool) -> Vec<i32> {
    let query = "select pid from pg_stat_activity where usename = 'postbook' and application_name = 'postbook'";
    sqlx::query_scalar(query).fetch_all(db).await.unwrap()
}

async fn terminate(db: &PgPool, pid: i32) {
    sqlx::query("select pg_terminate_backend($1)").bind(pid).execute(db).await.unwrap();
}

/// The same things in an order of chance.
pub fn shuffled<T>(mut things: Vec<T>, rng: &mut impl Rng) -> Vec<T> {
    for at in (1..things.len()).rev() {
        things.swap(at, rng.random_range(0..=at));
    }
    things
}
