//! Who tries links that do not exist: counted by where they are, so that nobody tries many.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use moka::future::Cache;

use super::page::Refusal;

/// How many links that lead nowhere one source may try within a while. People mistype a few; one who tries this many for
/// a year has seen a part of all links that no number of zeros after the point shows.
const MANY: u32 = 30;

/// How long a source is remembered after its first one.
const WHILE: Duration = Duration::from_secs(60);

/// Sources kept in mind. More cost memory; beyond them the oldest are forgotten.
const SOURCES: u64 = 10_000;

/// What each source has tried in vain, on this node.
#[derive(Debug, Clone)]
pub struct Guesses(Cache<IpAddr, Arc<AtomicU32>>);

impl Default for Guesses {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(SOURCES).time_to_live(WHILE).build())
    }
}

impl Guesses {
    /// Whether `source` may go on.
    pub(super) async fn check(&self, source: Option<IpAddr>) -> Result<(), Refusal> {
        let Some(source) = source else { return Ok(()) };
        let missed = self.0.get(&network(source)).await.map_or(0, |missed| missed.load(Ordering::Relaxed));
        if missed < MANY { Ok(()) } else { Err(Refusal::Guessing(WHILE)) }
    }

    /// Notes that `source` tried one in vain.
    pub(super) async fn missed(&self, source: Option<IpAddr>) {
        let Some(source) = source else { return };
        self.0.get_with(network(source), async { Arc::default() }).await.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whoever has one IPv6 address has the whole network of 64 bits (RFC 6177).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & (u128::MAX << 64)).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_tries_many_links_has_to_wait_and_others_do_not() {
        let guesses = Guesses::default();
        let (one, other) = ("2001:db8::1".parse().ok(), "203.0.113.7".parse().ok());
        for _ in 0..MANY {
            assert!(guesses.check(one).await.is_ok());
            guesses.missed(one).await;
        }
        assert!(guesses.check(one).await.is_err());
        assert!(guesses.check("2001:db8::2".parse().ok()).await.is_err(), "a neighbour in the same network");
        assert!(guesses.check(other).await.is_ok());
    }
}
