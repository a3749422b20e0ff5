//! Connections of one account, kept open between messages.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::connection::Connection;

/// How long a connection is kept without use. Servers hang up after minutes; sooner means more handshakes.
const IDLE: Duration = Duration::from_secs(60);

/// The connections that wait for the next message.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<(Connection, Instant)>>,
}

impl Pool {
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
