//! How hard and how long the storm is.

use std::{env, fmt::Display, str::FromStr, time::Duration};

/// What becomes of mail that may have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    Repeat,
    Hold,
    /// One account repeats, the other holds.
    Mixed,
}

/// A storm as it is wanted.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    /// No fault begins later than this, once every kind has occurred.
    pub length: Duration,
    pub settle: Settle,
    pub workers: usize,
    pub lease: Duration,
    /// How long faults last that have no length of their own.
    pub span: Duration,
    /// How often a server at a far side is killed in one go.
    pub kills: usize,
    /// How long the database is away, the short and the long way.
    pub away: [Duration; 2],
    /// How long a transaction is kept open at least.
    pub open: Duration,
    /// Between two runs that are started.
    pub beat: Duration,
    /// How many must have been sent, so that nothing passes by doing nothing.
    pub minimum: usize,
    /// Whether a fault that is not possible here is a failure.
    pub strict: bool,
}

/// How long after its lease a fault may be felt.
const SLACK: Duration = Duration::from_secs(15);

impl Plan {
    /// The one that the environment asks for, else the short one.
    pub fn wanted() -> Self {
        let Some(minutes) = variable::<f64>("MINUTES") else { return Self::short() };
        Self {
            seed: variable("SEED").unwrap_or(1),
            length: Duration::from_secs_f64(minutes * 60.0),
            settle: variable("SETTLE").unwrap_or(Settle::Repeat),
            workers: variable("WORKERS").unwrap_or(3),
            lease: Duration::from_secs(10),
            span: Duration::from_secs(12),
            kills: 3,
            away: [Duration::from_secs(2), Duration::from_secs(40)],
            open: Duration::from_secs(120),
            beat: Duration::from_millis(500),
            minimum: (minutes * 300.0) as usize,
            strict: true,
        }
    }

    fn short() -> Self {
        Self {
            seed: variable("SEED").unwrap_or(7),
            length: Duration::ZERO,
            settle: Settle::Mixed,
            workers: 3,
            lease: Duration::from_secs(3),
            span: Duration::from_secs(3),
            kills: 1,
            away: [Duration::from_secs(1), Duration::from_secs(7)],
            open: Duration::from_secs(15),
            beat: Duration::from_millis(1000),
            minimum: 300,
            strict: false,
        }
    }

    /// How soon everything has to go on after a fault.
    pub fn patience(&self) -> Duration {
        self.lease + SLACK
    }
}

impl FromStr for Settle {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "repeat" => Ok(Self::Repeat),
            "hold" => Ok(Self::Hold),
            "mixed" => Ok(Self::Mixed),
            _ => Err(format!("{word} is not repeat, hold or mixed")),
        }
    }
}

fn variable<T: FromStr<Err: Display>>(name: &str) -> Option<T> {
    let name = format!("POSTBOOK_CHAOS_{name}");
    let value = env::var(&name).ok().filter(|it| !it.is_empty())?;
    Some(value.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}
