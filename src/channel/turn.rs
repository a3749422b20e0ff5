//! How many things an account may have under way on one node.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::config::{AccountConfig, AccountFault};

/// The connections that an account may have on this node.
#[derive(Debug)]
pub(super) struct Turns(Semaphore);

impl Turns {
    /// As many as `config` says, which are none at all only by mistake.
    pub(super) fn of(config: &AccountConfig) -> Result<Self, AccountFault> {
        match config.connections {
            0 => Err(AccountFault::NoConnections),
            connections => Ok(Self(Semaphore::new(connections))),
        }
    }

    /// Waits until fewer are in use than allowed.
    pub(super) async fn next(&self) -> Turn<'_> {
        // Only a closed semaphore gives nothing, and this one is never closed.
        Turn { _connection: self.0.acquire().await.ok() }
    }
}

/// The right to use one of the connections that an account has on this node, until it is dropped.
pub struct Turn<'a> {
    _connection: Option<SemaphorePermit<'a>>,
}

impl Turn<'_> {
    /// Of what has no limit.
    pub(super) fn free() -> Self {
        Self { _connection: None }
    }
}
