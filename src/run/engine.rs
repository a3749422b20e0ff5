//! What every step has at hand.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use sqlx::PgPool;

use super::{Leases, frozen::Frozen};
use crate::{
    channel::account::Channels,
    clock::Clock,
    document::{Document, Toolbox},
    id::{DocumentRevisionId, RunId},
};

/// The parts a node's steps work with. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub db: PgPool,
    pub clock: Clock,
    pub channels: Arc<Channels>,
    pub toolbox: Arc<Toolbox>,
    pub settings: Settings,
    /// The claims this node holds, so that they can be renewed.
    pub leases: Leases,
    pub(super) frozen: Cache<RunId, Arc<Frozen>>,
    pub(super) documents: Cache<DocumentRevisionId, Arc<Document>>,
}

/// How long things may take before others step in.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of this node, new at every start.
    pub worker: String,
    /// How long a claim holds without being renewed. Shorter finds dead workers sooner; shorter than a pause of a
    /// healthy worker makes sends uncertain for nothing.
    pub lease: Duration,
    /// How many workers a step may take down before it is given up.
    pub deaths: i32,
}

/// Runs whose frozen inputs are kept at hand. More costs memory (a batch without its recipients each), fewer costs
/// one look-up more per step of the runs that do not fit.
const FROZEN: u64 = 64;

/// Document definitions kept at hand; they are small.
const DOCUMENTS: u64 = 512;

impl Engine {
    /// Puts the parts together.
    pub fn new(db: PgPool, channels: Channels, toolbox: Toolbox, settings: Settings) -> Self {
        Self {
            db,
            clock: Clock::default(),
            channels: Arc::new(channels),
            toolbox: Arc::new(toolbox),
            settings,
            leases: Leases::default(),
            frozen: Cache::new(FROZEN),
            documents: Cache::new(DOCUMENTS),
        }
    }
}
