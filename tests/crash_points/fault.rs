//! The one fault of a case: which exchange of which connection is cut, on which side of the far end, and whether the
//! whole engine dies with it.

use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// Whom the engine talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Database,
    Mail,
}

/// Where an exchange is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The far side does not get the request.
    Before,
    /// The far side has done what it was asked; the engine does not hear of it.
    After,
}

/// What becomes of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It dies: none of its connections carries anything any more.
    Crash,
    /// One connection breaks, the engine lives on.
    Break,
}

/// Cuts exchange number `number`, counted from one; zero cuts none.
#[derive(Debug)]
pub struct Fault {
    pub peer: Peer,
    pub cut: Cut,
    pub end: End,
    pub number: usize,
    seen: Mutex<Seen>,
    dead: CancellationToken,
}

#[derive(Debug, Default)]
struct Seen {
    count: usize,
    struck: Option<String>,
}

impl Fault {
    pub fn new((peer, cut, end): (Peer, Cut, End), number: usize) -> Self {
        Self { peer, cut, end, number, seen: Mutex::default(), dead: CancellationToken::new() }
    }

    /// Whether the exchange that is at `cut` with `peer` is the one to be cut.
    pub fn strikes(&self, peer: Peer, cut: Cut, what: &str) -> bool {
        if (peer, cut) != (self.peer, self.cut) {
            return false;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.count += 1;
        if seen.count != self.number {
            return false;
        }
        seen.struck = Some(what.to_owned());
        if self.end == End::Crash {
            self.dead.cancel();
        }
        true
    }

    /// What was cut, once it was.
    pub fn struck(&self) -> Option<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).struck.clone()
    }

    /// Returns when the engine is dead.
    pub async fn death(&self) {
        self.dead.cancelled().await;
    }

    /// Makes sure that whatever is left of the engine reaches nobody.
    pub fn bury(&self) {
        self.dead.cancel();
    }
}
