//! What keeps an installation from sending what it should not, and from keeping what it need not.

mod harness;

#[path = "safety/purge.rs"]
mod purge;
#[path = "safety/retention.rs"]
mod retention;
#[path = "safety/sending.rs"]
mod sending;
