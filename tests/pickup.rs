//! Files that are fetched by a link: the mail that brings it, the page, the downloads, and what the book says of them.

mod harness;
mod peers;

#[path = "pickup/fetching.rs"]
mod fetching;
#[path = "pickup/large.rs"]
mod large;
#[path = "pickup/site.rs"]
mod site;
#[path = "pickup/strangers.rs"]
mod strangers;
#[path = "pickup/suppressed.rs"]
mod suppressed;
