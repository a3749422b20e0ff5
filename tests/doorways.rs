//! What fires batches besides schedules: events and files, in folders, on an SFTP server and in an S3 bucket.

mod harness;
mod peers;

#[path = "doorways/crashes.rs"]
mod crashes;
#[path = "doorways/events.rs"]
mod events;
#[path = "doorways/folders.rs"]
mod folders;
#[path = "doorways/inbox.rs"]
mod inbox;
#[path = "doorways/limits.rs"]
mod limits;
#[path = "doorways/servers.rs"]
mod servers;
