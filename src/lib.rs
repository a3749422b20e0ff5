//! Postbook sends documents on a schedule and keeps the book of what was sent, when, to whom, and with what proof.

pub mod account;
pub mod app;
pub mod audit;
pub mod bench;
pub mod catalog;
pub mod channel;
pub mod cli;
pub mod clock;
pub mod config;
pub mod contact;
pub mod db;
pub mod document;
pub mod http;
pub mod id;
pub mod monitor;
pub mod queue;
pub mod reason;
pub mod run;
pub mod secret;
pub mod setup;
pub mod source;
pub mod sweep;
pub mod worker;
pub mod workflow;
