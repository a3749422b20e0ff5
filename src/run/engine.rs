//! What every step has at hand.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use moka::future::Cache;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio_util::sync::CancellationToken;

use super::{
    Leases, allowance::Doubts, artifact::Keeping, attempt::Opening, frozen::Frozen, item::Taking, parcel::Wanted,
    together::Together, verdict::Closing,
};
use crate::{
    channel::account::Channels,
    clock::Clock,
    config,
    contact::Country,
    db,
    document::{Document, Toolbox},
    id::{DocumentRevisionId, RunId},
    queue::News,
    source::{data::Databases, place::Places},
};

/// The parts a node's steps work with. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub db: PgPool,
    /// Connections that no step uses, so that leases are renewed and lapsed ones found however busy the node is.
    pub(super) aside: PgPool,
    pub clock: Clock,
    pub channels: Arc<Channels>,
    pub toolbox: Arc<Toolbox>,
    /// Where files may come in.
    pub places: Arc<Places>,
    /// Business databases that audiences come from.
    pub data: Arc<Databases>,
    /// Where numbers are that do not say.
    pub country: Option<Country>,
    pub settings: Settings,
    /// The claims this node holds, so that they can be renewed.
    pub leases: Leases,
    /// What this node has seen of its accounts.
    pub(super) doubts: Doubts,
    /// Cancelled when this node is to begin nothing more.
    pub(super) stopping: CancellationToken,
    /// What this node's handlers ask of the database together.
    pub(super) together: Rounds,
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
    /// What monitors are told, and when.
    pub monitor: config::Monitor,
}

/// The rounds in which wishes of each kind are granted.
#[derive(Clone, Default)]
pub(super) struct Rounds {
    pub take: Together<Taking>,
    pub keep: Together<Keeping>,
    pub load: Together<Wanted>,
    pub open: Together<Opening>,
    pub close: Together<Closing>,
}

/// Runs whose frozen inputs are kept at hand. More costs memory (a batch without its recipients each), fewer costs
/// one look-up more per step of the runs that do not fit.
const FROZEN: u64 = 64;

/// Connections kept aside: one for the leases, one for the sweeper, one that hears of new jobs.
const ASIDE: u32 = 3;

/// Document definitions kept at hand; they are small.
const DOCUMENTS: u64 = 512;

impl Engine {
    /// Puts the parts together.
    pub fn new(db: PgPool, channels: Channels, toolbox: Toolbox, settings: Settings) -> Self {
        // Whoever renews leases cannot wait for a connection until they have run out.
        let aside = PgPoolOptions::new().max_connections(ASIDE).acquire_timeout(settings.lease / 3);
        Self {
            aside: aside.connect_lazy_with((*db.connect_options()).clone()),
            db,
            clock: Clock::default(),
            channels: Arc::new(channels),
            toolbox: Arc::new(toolbox),
            places: Arc::default(),
            data: Arc::default(),
            country: None,
            settings,
            leases: Leases::default(),
            doubts: Doubts::default(),
            stopping: CancellationToken::new(),
            together: Rounds::default(),
            frozen: Cache::new(FROZEN),
            documents: Cache::new(DOCUMENTS),
        }
    }
    /// The same with `clock`.
    pub fn on(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The same, to whose runs files may come in by `places`.
    pub fn watching(self, places: Places) -> Self {
        Self { places: Arc::new(places), ..self }
    }

    /// The same, whose batches may ask `data` for their audiences.
    pub fn asking(self, data: Databases) -> Self {
        Self { data: Arc::new(data), ..self }
    }

    /// The same, which takes numbers to be in `country` that do not say.
    pub fn calling_from(self, country: Option<Country>) -> Self {
        Self { country, ..self }
    }

    /// The same, which begins nothing more once `stopping` is cancelled.
    pub fn until(self, stopping: CancellationToken) -> Self {
        Self { stopping, ..self }
    }

    /// Listens for new jobs.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn news(&self) -> Result<News> {
        News::listen(&self.aside).await
    }

    /// Renews the claims that this node holds, by the database's time.
    ///
    /// # Errors
    /// When the database cannot be reached; the next renewal may come in time.
    pub async fn renew(&self) -> Result<()> {
        self.clock.follow(db::time(&self.aside)).await?;
        self.leases.renew(self).await
    }
}
