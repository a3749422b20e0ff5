//! A storm: real mail, files, faxes and links through several nodes while they, their database, their disk and the
//! servers at the far sides are taken away in every way; then the servers' own record is compared with the book.
//!
//! Without more being said it is a short one, with all kinds of faults. `ops/chaos` makes it as long as one likes.

#[allow(dead_code, reason = "the storm uses a part of it")]
#[path = "nodes/api.rs"]
mod api;
#[allow(dead_code, reason = "the storm has a server of its own")]
#[path = "nodes/database.rs"]
mod database;
#[allow(dead_code, reason = "the storm uses a part of it")]
#[path = "nodes/node.rs"]
mod node;
mod peers;
#[path = "nodes/server.rs"]
mod server;
#[path = "cloud/services/mod.rs"]
mod services;
#[allow(dead_code, reason = "the storm uses a part of it")]
#[path = "nodes/site.rs"]
mod site;

#[path = "chaos/book.rs"]
mod book;
#[path = "chaos/disk.rs"]
mod disk;
#[path = "chaos/fault.rs"]
mod fault;
#[path = "chaos/fleet.rs"]
mod fleet;
#[path = "chaos/load.rs"]
mod load;
#[path = "chaos/outside.rs"]
mod outside;
#[path = "chaos/plan.rs"]
mod plan;
#[path = "chaos/record.rs"]
mod record;
#[path = "chaos/recovery.rs"]
mod recovery;
#[path = "chaos/report.rs"]
mod report;
#[path = "chaos/storm.rs"]
mod storm;

use plan::Plan;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_loses_nothing_and_the_book_admits_what_came_twice() {
    let report = storm::ride_out(Plan::wanted()).await;
    println!("{report}");
    assert_eq!(report.complaints(), Vec::<String>::new());
}
