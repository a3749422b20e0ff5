//! Where documents come from outside this server.

use std::time::Duration;

use crate::reason::Reason;

pub(crate) mod cause;
pub(crate) mod client;
pub mod data;
pub mod http;
pub mod place;
pub(crate) mod tls;

/// Why something could not be had, and whether trying again may help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub reason: Reason,
    pub again: bool,
    /// The least time to wait, when the far side named one.
    pub after: Option<Duration>,
}
