//! Files put on servers: SFTP, FTP, WebDAV and S3 while they are killed, and the steps that carry files.

mod harness;
mod peers;

#[path = "files/allowance.rs"]
mod allowance;
#[path = "files/errands.rs"]
mod errands;
#[path = "files/kills.rs"]
mod kills;
#[path = "files/names.rs"]
mod names;
#[path = "files/parcels.rs"]
mod parcels;
#[path = "files/troubles.rs"]
mod troubles;
