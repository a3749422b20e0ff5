//! Storms: one run of two hundred transmissions by each channel, whose far side is killed and started again. Then the
//! book is held against what the far side has.

mod harness;
mod peers;

#[path = "storms/cloud.rs"]
mod cloud;
#[path = "storms/mail.rs"]
mod mail;
#[path = "storms/node.rs"]
mod node;
#[path = "storms/ride.rs"]
mod ride;
#[path = "cloud/services/mod.rs"]
mod services;
#[path = "storms/verdict.rs"]
mod verdict;
