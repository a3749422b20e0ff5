//! A process of the program: started, watched, stopped by its number, killed when it is dropped.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// How long anything may take here. Only reached when something is wrong; a busy machine needs the time.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often is looked.
const LOOK: Duration = Duration::from_millis(10);

/// Looks until `look` gives something, and panics when it never does.
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, look).await
}

/// The same, for what takes longer than anything else.
pub async fn until_within<T>(patience: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while begun.elapsed() < patience {
        looks.tick().await;
        if let Some(seen) = look().await {
            return seen;
        }
    }
    panic!("not within {patience:?}: {what}");
}

/// A running process.
pub struct Node {
    child: Child,
    /// What it printed.
    printed: Arc<Mutex<Vec<String>>>,
    /// The file with what it logged.
    log: PathBuf,
}

impl Node {
    /// Starts `command` and waits until it says that it is ready.
    pub async fn start(mut command: Command, log: &Path) -> Self {
        let file = File::create(log).unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file).spawn().unwrap();
        let printed = Arc::new(Mutex::new(Vec::new()));
        let (lines, kept) = (BufReader::new(child.stdout.take().unwrap()).lines(), printed.clone());
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| kept.lock().unwrap().push(line)));
        let mut node = Self { child, printed, log: log.to_owned() };
        until("the node is ready", async || {
            assert!(node.child.try_wait().unwrap().is_none(), "it ended at once: {}", node.logged());
            node.line("; ^C stops it").map(drop)
        })
        .await;
        node
    }

    /// Where its doors are.
    pub fn address(&self) -> String {
        let line = self.line("postbook is open at ").expect("a node with doors");
        line.trim_start_matches("postbook is open at ").split_once("/api/docs").unwrap().0.to_owned()
    }

    /// The first administrator's token, if it was this node that made one.
    pub fn token(&self) -> Option<String> {
        self.line("  pb_").map(|line| line.trim().to_owned())
    }

    fn line(&self, part: &str) -> Option<String> {
        self.printed.lock().unwrap().iter().find(|line| line.contains(part)).cloned()
    }

    /// What it logged.
    pub fn logged(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Takes it away without a chance to tidy up.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, with SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Stops its clock, so to say: it does nothing until it is woken.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    pub fn wake(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let signal = format!("-{name}");
        assert!(Command::new("kill").args([&signal, &self.pid().to_string()]).status().unwrap().success());
    }

    /// How it ended, if it did.
    pub fn is_gone(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        until("the node ends", async || self.child.try_wait().unwrap()).await
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(mut self) {
        self.terminate();
        let status = self.ended().await;
        assert!(status.success(), "{status}: {}", self.logged());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{} logged: {}", self.child.id(), self.logged());
        }
    }
}
