//! How batches fire by their schedules: on a real database, with the clock set forward by the tests.

mod harness;

#[path = "firing/acts.rs"]
mod acts;
#[path = "firing/changes.rs"]
mod changes;
#[path = "firing/downtime.rs"]
mod downtime;
#[path = "firing/nodes.rs"]
mod nodes;
#[path = "firing/overlaps.rs"]
mod overlaps;
#[path = "firing/site.rs"]
mod site;
#[path = "firing/speed.rs"]
mod speed;
#[path = "firing/year.rs"]
mod year;
