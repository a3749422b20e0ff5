//! Monitors: the users who are told.

pub mod alert;
pub mod outage;
