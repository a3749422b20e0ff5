//! Monitors: the users who are told.

pub mod alert;
