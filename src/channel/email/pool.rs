//! Connections of one account: as many at once as it allows, kept open between messages.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::connection::Connection;

/// How long a connection is kept without use. Servers hang up after minutes; sooner means more handshakes.
const IDLE: Duration = Duration::from_secs(60);

/// The connections that wait for the next message.
#[derive(Debug)]
pub(super) struct Pool {
    turns: Semaphore,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

impl Pool {
    pub(super) fn new(connections: usize) -> Self {
        Self { turns: Semaphore::new(connections), idle: Mutex::default() }
    }

    /// Waits until fewer connections are in use than allowed.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // Only a closed semaphore gives nothing, and this one is never closed.
        self.turns.acquire().await.ok()
    }

    /// The connection that was used last, unless it waited too long.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < IDLE);
        idle.pop().map(|(connection, _)| connection)
    }

    /// Keeps `connection` for the next message.
    pub(super) fn keep(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((connection, Instant::now()));
    }
}
