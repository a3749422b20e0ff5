//! Runs: one firing of a batch, from its cause to its last notice.
//!
//! The steps of a run stand in files of their own, in the order they happen: `expand`, `render`, `transmit`, `record`,
//! `notify`. Each claims its row, does its work with no transaction open, and commits its result together with what
//! comes next. A worker that lost its claim can write nothing: every write names the lease it holds.

pub mod act;
pub mod allowance;
mod artifact;
mod attempt;
pub mod book;
mod claim;
mod current;
mod engine;
mod expand;
pub mod files;
mod frozen;
mod item;
mod late;
pub mod letter;
pub mod log;
mod notify;
pub mod pages;
mod parcel;
mod perform;
mod plan;
mod preview;
pub mod purge;
pub mod recipient;
mod record;
mod release;
mod render;
mod rendition;
pub mod rescue;
pub mod sending;
mod start;
mod state;
pub mod tally;
mod together;
mod transmit;
mod verdict;

pub use claim::Leases;
pub use engine::{Engine, Settings};
pub use perform::{due, hand_back, perform};
pub use preview::{Preview, PreviewDocument, PreviewTransmission, preview};
pub use start::{Cause, CauseKind, Start, StartError, Started, start, start_all, start_in};
pub use state::{Counts, Event, RunState, StepState, TransmissionState};
