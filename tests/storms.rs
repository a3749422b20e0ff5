//! Storms: one run of two hundred transmissions by each channel, whose far side is killed and started again. Then the
//! book is held against what the far side has.

mod harness;
mod peers;

#[path = "storms/cloud.rs"]
mod cloud;
#[path = "storms/fax.rs"]
mod fax;
#[path = "storms/files.rs"]
mod files;
#[path = "storms/mail.rs"]
mod mail;
#[path = "storms/node.rs"]
mod node;
#[path = "storms/ride.rs"]
mod ride;
#[path = "fax/server.rs"]
mod server;
#[path = "cloud/services/mod.rs"]
mod services;
#[path = "storms/text.rs"]
mod text;
#[path = "storms/verdict.rs"]
mod verdict;

use std::time::Duration;

/// How long anything may take. Only reached when something is wrong.
const PATIENCE: Duration = Duration::from_secs(120);
