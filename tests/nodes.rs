//! The real program as processes: many nodes, killed and stopped in every way, and what its doors, its commands and
//! the mail servers then say. Each test has a folder and a database of its own.

mod peers;

#[path = "nodes/accounts.rs"]
mod accounts;
#[path = "nodes/acts.rs"]
mod acts;
#[path = "nodes/api.rs"]
mod api;
#[path = "nodes/archives.rs"]
mod archives;
#[path = "nodes/bounces.rs"]
mod bounces;
#[path = "nodes/calendars.rs"]
mod calendars;
#[path = "nodes/checks.rs"]
mod checks;
#[path = "nodes/commands.rs"]
mod commands;
#[path = "nodes/crashes.rs"]
mod crashes;
#[path = "nodes/database.rs"]
mod database;
#[path = "nodes/demo.rs"]
mod demo;
#[path = "nodes/events.rs"]
mod events;
#[path = "nodes/faxes.rs"]
mod faxes;
#[path = "nodes/files.rs"]
mod files;
#[path = "nodes/mails.rs"]
mod mails;
#[path = "nodes/node.rs"]
mod node;
#[path = "nodes/outages.rs"]
mod outages;
#[allow(dead_code, reason = "faxes of nodes are made by nodes")]
#[path = "fax/pages.rs"]
mod pages;
#[path = "nodes/private.rs"]
mod private;
#[path = "nodes/safety.rs"]
mod safety;
#[allow(dead_code, reason = "the storm kills servers in more ways")]
#[path = "nodes/server.rs"]
mod server;
#[path = "nodes/site.rs"]
mod site;
#[path = "nodes/starts.rs"]
mod starts;
#[path = "fax/wire.rs"]
mod wire;
