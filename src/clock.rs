//! The only reader of the clock; everything else is handed the time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};

/// Tells the time.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// How far it is set forward, in microseconds.
    ahead: Arc<AtomicI64>,
}

impl Clock {
    /// The present instant, to the microsecond, which is what Postgres keeps.
    pub fn now(&self) -> DateTime<Utc> {
        let now = Utc::now();
        let micros = now.timestamp_micros() + self.ahead.load(Ordering::Relaxed);
        DateTime::from_timestamp_micros(micros).unwrap_or(now)
    }

    /// Sets this clock and its clones forward, for rehearsals of what happens later.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.ahead.fetch_add(micros, Ordering::Relaxed);
    }
}
