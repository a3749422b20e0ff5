//! The book: what doors show of runs and transmissions. Only reads.

mod attempt;
mod log;
mod run;
mod step;
mod transmission;

pub use attempt::{Attempt, attempts};
pub use log::{Line, log};
pub use run::{Asked, Awaited, Run, RunCause, awaited, is_quiet, latest, run, runs};
pub use step::{Step, steps};
pub use transmission::{Purpose, Transmission, TransmissionDocument, transmission, transmissions};

/// A piece of a list: what comes after an id, and how much of it.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    /// The id of the last one seen.
    pub after: Option<i64>,
    pub limit: i64,
}
