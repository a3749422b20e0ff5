//! When to try again: the pauses grow by a factor up to a limit.

use std::time::Duration;

use serde::Deserialize;

/// How often a step is tried, and how long it pauses in between.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Tries in all, the first one included.
    pub attempts: u32,
    /// The pause after the first try.
    #[serde(with = "humantime_serde")]
    pub first: Duration,
    /// What each pause is multiplied by.
    pub factor: f64,
    /// The longest pause.
    #[serde(with = "humantime_serde")]
    pub limit: Duration,
}

impl Default for Retry {
    /// Five tries over about ten minutes: long enough for a server that restarts, short enough for a morning.
    fn default() -> Self {
        Self { attempts: 5, first: Duration::from_secs(10), factor: 3.0, limit: Duration::from_secs(15 * 60) }
    }
}

impl Retry {
    /// The pause after `tries` tries, or `None` when there are no more. `after` is the least the far side asked for.
    pub fn pause(&self, tries: u32, after: Option<Duration>) -> Option<Duration> {
        if tries >= self.attempts {
            return None;
        }
        let grown = self.first.as_secs_f64() * self.factor.powi(tries.saturating_sub(1).min(64) as i32);
        let own = Duration::from_secs_f64(grown.clamp(0.0, self.limit.as_secs_f64()));
        Some(own.max(after.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_limit_and_end_with_the_attempts() {
        let retry = Retry { attempts: 5, first: Duration::from_secs(10), factor: 3.0, limit: Duration::from_secs(60) };
        let pauses: Vec<_> = (1..=5).map(|tries| retry.pause(tries, None).map(|pause| pause.as_secs())).collect();
        assert_eq!(pauses, [Some(10), Some(30), Some(60), Some(60), None]);
    }

    #[test]
    fn the_far_side_can_ask_for_a_longer_pause_but_not_for_a_shorter_one() {
        let retry = Retry::default();
        assert_eq!(retry.pause(1, Some(Duration::from_secs(300))), Some(Duration::from_secs(300)));
        assert_eq!(retry.pause(1, Some(Duration::from_secs(1))), Some(Duration::from_secs(10)));
    }
}
