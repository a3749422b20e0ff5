//! Runs: one firing of a batch, from its cause to its last notice.
//!
//! The steps of a run stand in files of their own, in the order they happen: `expand`, `render`, `transmit`, `record`,
//! `notify`; `fetch`, `put` and `move` carry files when all that is done. Each claims its row, does its work with no transaction open, and commits its result together with what
//! comes next. A worker that lost its claim can write nothing: every write names the lease it holds.

pub mod act;
pub mod allowance;
mod artifact;
mod attempt;
mod awaited;
pub mod book;
mod claim;
mod current;
mod engine;
mod errand;
mod expand;
mod fetch;
pub mod files;
mod followed;
mod frozen;
mod item;
mod late;
pub mod letter;
mod link;
pub mod log;
mod r#move;
mod notify;
mod once;
pub mod pages;
mod parcel;
mod perform;
pub mod pickup;
mod plan;
mod preview;
pub mod purge;
mod put;
pub mod receipt;
mod received;
pub mod recipient;
mod record;
mod release;
mod render;
mod rendition;
pub mod rescue;
pub mod sending;
mod start;
mod state;
mod survey;
pub mod tally;
mod together;
mod transmit;
mod turn;
mod turned_out;
mod verdict;

pub use claim::Leases;
pub use engine::{Engine, Settings};
pub use perform::{due, hand_back, perform};
pub use preview::{NextContact, Preview, PreviewDocument, PreviewTransmission, preview};
pub use start::{Cause, CauseKind, Start, StartError, Started, start, start_all, start_in};
pub use state::{Counts, Event, RunState, StepState, TransmissionState};
