//! The disk under the blob store: small, and filled to the last byte when it is wanted.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A disk of its own, unmounted with this.
pub struct Disk(PathBuf);

/// Enough for all that a storm renders.
const SIZE: &str = "size=512m";

impl Disk {
    /// Mounts one at `folder`. Only root may, so there is none for others.
    pub fn mount(folder: &Path) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "postbook"]).arg(folder).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(folder.to_owned()))
    }

    /// Leaves no room at all.
    pub fn fill(&self) {
        let mut ballast = File::create(self.ballast()).unwrap();
        let piece = vec![0; 1 << 20];
        while ballast.write_all(&piece).is_ok() {}
    }

    /// Makes room again.
    pub fn free(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Renderers that still live would keep it busy.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
