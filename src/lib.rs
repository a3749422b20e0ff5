//! Postbook sends documents on a schedule and keeps the book of what was sent, when, to whom, and with what proof.

pub mod catalog;
pub mod channel;
pub mod clock;
pub mod config;
pub mod contact;
pub mod db;
pub mod document;
pub mod id;
pub mod reason;
pub mod secret;
