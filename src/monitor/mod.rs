//! Monitors: the users who are told.
//!
//! What went wrong becomes an [`alarm`], once, and soon after a [`notice`]; what a notice of a failed run says is an
//! [`alert`]. Once a day a [`digest`] tells everything. This module finds out what is to be told and to whom; sending it
//! is up to the sweeper, which hands it to `run` as a letter.

pub mod alarm;
pub mod alert;
pub mod digest;
pub mod notice;
pub mod outage;
pub mod people;
pub mod scheduled;
pub mod unusual;
pub mod watch;
pub mod words;
