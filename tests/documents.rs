//! Documents with real rendering processes, a real report server and a real store.

#[path = "documents/archive.rs"]
mod archive;
#[path = "documents/fax.rs"]
mod fax;
mod peers;
#[path = "documents/remote.rs"]
mod remote;
#[path = "documents/render.rs"]
mod render;
#[path = "documents/workbench.rs"]
mod workbench;
