//! How far a measure is, live, for whoever waits at a terminal.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line on a terminal's standard error; gone when dropped.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Something that cannot be counted.
    pub(super) fn of(what: impl Into<String>) -> Self {
        Self::new(0, "  {elapsed:>4} {spinner} {msg}", what.into())
    }

    /// Something that has `total` parts.
    pub(super) fn counting(total: u32, what: impl Into<String>) -> Self {
        Self::new(u64::from(total), "  {elapsed:>4} [{bar:30}] {pos}/{len} {msg}", what.into())
    }

    fn new(total: u64, style: &str, what: String) -> Self {
        let target = match std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// Shows that `done` parts are done.
    pub(super) fn at(&self, done: i64) {
        self.0.set_position(u64::try_from(done).unwrap_or_default());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
