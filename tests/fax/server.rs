//! A fax server of a test's own, without modems, which can be killed and started again.
#![allow(dead_code, reason = "every test program uses its own part of this")]

use std::{
    fs,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::peers::steady;

/// hfaxd and its scheduler on a spool of their own.
pub struct Server {
    folder: TempDir,
    pub port: u16,
    scheduler: Group,
    hfaxd: Option<Group>,
}

/// A process with all that it starts.
struct Group(Child);

impl Server {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let spool = folder.path().join("spool");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/fax/spool.sh");
        assert!(Command::new(script).arg(&spool).status().unwrap().success());
        let port = steady().port();
        let scheduler = Group::start(Command::new("/usr/sbin/faxq").arg("-D").arg("-q").arg(&spool));
        let mut server = Self { folder, port, scheduler, hfaxd: None };
        server.revive();
        server
    }

    /// Takes hfaxd away in the middle of what it does.
    pub fn kill(&mut self) {
        drop(self.hfaxd.take());
    }

    /// Takes the scheduler away; hfaxd goes on.
    pub fn kill_scheduler(&mut self) {
        self.scheduler.kill();
    }

    /// Starts the scheduler again.
    pub fn revive_scheduler(&mut self) {
        self.scheduler = Group::start(Command::new("/usr/sbin/faxq").arg("-D").arg("-q").arg(self.spool()));
    }

    /// Starts hfaxd again.
    pub fn revive(&mut self) {
        let (spool, port) = (self.spool(), self.port.to_string());
        let mut hfaxd = Command::new("/usr/sbin/hfaxd");
        hfaxd.arg("-d").arg("-q").arg(spool).args(["-l", "127.0.0.1", "-i", &port]);
        self.hfaxd = Some(Group::start(&mut hfaxd));
    }

    /// Waits until hfaxd answers.
    pub async fn listens(&self) {
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        let answers = tokio::time::timeout(crate::PATIENCE, async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                looks.tick().await;
            }
        });
        answers.await.expect("hfaxd answers");
    }

    /// The tags of all jobs that it has.
    pub fn tags(&self) -> Vec<String> {
        self.jobs().iter().filter_map(|job| told(job, "jobtag")).collect()
    }

    /// The numbers that its jobs call.
    pub fn numbers(&self) -> Vec<String> {
        let ours = self.jobs().into_iter().filter(|job| told(job, "jobtag").is_some_and(|tag| !tag.is_empty()));
        ours.filter_map(|job| told(&job, "number")).collect()
    }

    /// All jobs as it writes them down.
    fn jobs(&self) -> Vec<String> {
        let jobs = ["sendq", "doneq"].map(|queue| fs::read_dir(self.spool().join(queue)).unwrap());
        let jobs = jobs.into_iter().flatten().map(|it| it.unwrap().path());
        let jobs = jobs.filter(|it| it.file_name().is_some_and(|it| it.to_string_lossy().starts_with('q')));
        jobs.filter_map(|it| fs::read_to_string(it).ok()).collect()
    }

    fn spool(&self) -> PathBuf {
        self.folder.path().join("spool")
    }
}

/// What a job says of `name`.
fn told(job: &str, name: &str) -> Option<String> {
    job.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.to_owned()))
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        self.scheduler.kill();
    }
}

impl Group {
    fn start(command: &mut Command) -> Self {
        Self(command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn kill(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.0.wait();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
