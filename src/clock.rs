//! The only reader of the clock; everything else is handed the time.
//!
//! The time is the database's: each node learns how far its own clock is off and heeds that, because leases are
//! compared between nodes. In between, time passes as a counter that nobody can set, so that a clock that is put right
//! by five minutes moves no lease.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};

/// The slowest answer that still says what time it is. A slower one is wrong by up to half of what it took.
const PROMPT: Duration = Duration::from_secs(1);

/// Tells the time.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Hands>);

#[derive(Debug)]
struct Hands {
    /// What time it was when the counter began, as far as this machine knew.
    began: (DateTime<Utc>, Instant),
    /// How far that was off, in microseconds.
    off: AtomicI64,
    /// How far it is set forward, in microseconds.
    ahead: AtomicI64,
}

impl Default for Clock {
    fn default() -> Self {
        Self::from(Utc::now())
    }
}

impl From<DateTime<Utc>> for Clock {
    /// A clock that believes it is `now`.
    fn from(now: DateTime<Utc>) -> Self {
        let hands = Hands { began: (now, Instant::now()), off: AtomicI64::default(), ahead: AtomicI64::default() };
        Self(Arc::new(hands))
    }
}

impl Clock {
    /// The present instant, to the microsecond, which is what Postgres keeps.
    pub fn now(&self) -> DateTime<Utc> {
        let moved = self.0.off.load(Ordering::Relaxed) + self.0.ahead.load(Ordering::Relaxed);
        self.counted(Instant::now()) + TimeDelta::microseconds(moved)
    }

    /// The time by the counter alone.
    fn counted(&self, at: Instant) -> DateTime<Utc> {
        let (began, start) = self.0.began;
        let passed = i64::try_from((at - start).as_micros()).unwrap_or(i64::MAX);
        let whole = DateTime::from_timestamp_micros(began.timestamp_micros()).unwrap_or(began);
        whole + TimeDelta::microseconds(passed)
    }

    /// Follows the time that `tell` says, unless that took too long to be of use.
    ///
    /// # Errors
    /// Those of `tell`; the clock goes on as before.
    pub async fn follow(&self, tell: impl Future<Output = Result<DateTime<Utc>>>) -> Result<()> {
        let asked = Instant::now();
        let told = tell.await?;
        let took = asked.elapsed();
        if took <= PROMPT {
            let off = told - self.counted(asked + took / 2);
            self.0.off.store(off.num_microseconds().unwrap_or_default(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Sets this clock and its clones forward, for rehearsals of what happens later.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.0.ahead.fetch_add(micros, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(a: &Clock, b: &Clock) -> TimeDelta {
        (a.now() - b.now()).abs()
    }

    #[tokio::test]
    async fn clocks_that_are_minutes_off_agree_once_they_follow_the_same_time() {
        let right = Clock::default();
        for minutes in [-5, 5] {
            let wrong = Clock::from(Utc::now() + TimeDelta::minutes(minutes));
            assert!(apart(&right, &wrong) > TimeDelta::minutes(4));

            wrong.follow(async { Ok(right.now()) }).await.expect("told");

            assert!(apart(&right, &wrong) < TimeDelta::seconds(1), "{:?}", apart(&right, &wrong));
        }
    }

    #[tokio::test]
    async fn a_clock_that_cannot_ask_goes_on() {
        let clock = Clock::default();
        clock.follow(async { Err(anyhow::anyhow!("away")) }).await.expect_err("away");
        assert!(apart(&clock, &Clock::default()) < TimeDelta::seconds(1));
    }

    #[tokio::test]
    async fn a_rehearsal_stays_set_forward() {
        let clock = Clock::default();
        clock.advance(Duration::from_secs(3600));
        clock.follow(async { Ok(Utc::now()) }).await.expect("told");
        assert!(apart(&clock, &Clock::default()) > TimeDelta::minutes(59));
    }
}
