//! The nodes: one with the doors, and workers. Who ends unasked is noted and replaced.

use std::{fs, path::Path, time::Duration};

use crate::{
    api::Api,
    node::Node,
    outside::Outside,
    peers::steady,
    plan::{Plan, Settle},
    site::Site,
};

pub struct Fleet {
    pub doors: Node,
    pub workers: Vec<Node>,
    /// After the nodes, which write into its folder to their end.
    site: Site,
    started: usize,
    /// What happened to nodes that nobody had told to end.
    pub deaths: Vec<String>,
}

impl Fleet {
    /// Starts all nodes of `site`.
    pub async fn launch(site: Site, workers: usize) -> Self {
        let doors = site.start(&["serve"]).await;
        let mut fleet = Self { site, doors, workers: Vec::new(), started: 0, deaths: Vec::new() };
        for _ in 0..workers {
            let worker = fleet.worker().await;
            fleet.workers.push(worker);
        }
        fleet
    }

    pub fn api(&self) -> Api {
        self.site.api(&self.doors)
    }

    async fn worker(&mut self) -> Node {
        self.started += 1;
        self.site.start(&["work", "--name", &format!("w{}", self.started)]).await
    }

    /// Kills a worker and starts another.
    pub async fn kill(&mut self, which: usize) {
        self.workers.swap_remove(which).kill();
        let worker = self.worker().await;
        self.workers.push(worker);
    }

    /// Restarts all nodes, one by one, and waits for each to end by itself.
    pub async fn roll(&mut self) {
        for _ in 0..self.workers.len() {
            let old = self.workers.remove(0);
            self.retire(old).await;
            let worker = self.worker().await;
            self.workers.push(worker);
        }
        self.doors.terminate();
        let status = self.doors.ended().await;
        self.note(!status.success(), "the doors", &status.to_string());
        self.doors = self.site.start(&["serve"]).await;
    }

    async fn retire(&mut self, mut node: Node) {
        node.terminate();
        let status = node.ended().await;
        self.note(!status.success(), "a worker that was asked to stop", &format!("{status}: {}", node.logged()));
    }

    /// Replaces nodes that ended although nobody wanted them to.
    pub async fn mend(&mut self) {
        if let Some(status) = self.doors.is_gone() {
            self.note(true, "the doors", &format!("{status}: {}", self.doors.logged()));
            self.doors = self.site.start(&["serve"]).await;
        }
        for _ in 0..self.workers.len() {
            let mut worker = self.workers.remove(0);
            if let Some(status) = worker.is_gone() {
                self.note(true, "a worker", &format!("{status}: {}", worker.logged()));
                worker = self.worker().await;
            }
            self.workers.push(worker);
        }
    }

    fn note(&mut self, bad: bool, who: &str, how: &str) {
        if bad {
            self.deaths.push(format!("{who} ended: {how}"));
        }
    }

    /// Whether a worker has logged `words`.
    pub fn has_logged(&self, words: &str) -> bool {
        self.workers.iter().any(|worker| worker.logged().contains(words))
    }

    /// Asks all to end, and gives back what has to outlive them.
    pub async fn rest(mut self) -> (Site, Vec<String>) {
        for node in std::mem::take(&mut self.workers) {
            self.retire(node).await;
        }
        let Self { site, doors, deaths, .. } = self;
        doors.stop().await;
        (site, deaths)
    }
}

/// Where the nodes are installed, with the book at `url`.
pub fn install(plan: &Plan, url: &str, outside: &Outside) -> Site {
    let settle = |repeats: bool| if repeats { "repeat" } else { "hold" };
    let (postfix, sink) = (settle(plan.settle != Settle::Hold), settle(plan.settle == Settle::Repeat));
    let site = Site::on(url, &outside.accounts((postfix, sink)));
    patient(&site.path("workflows/quick/workflow.toml"));
    let (blobs, doors) = (format!("file://{}", site.path("blobs").display()), format!("127.0.0.1:{}", steady().port()));
    site.with("http.public", format!("http://{doors}"))
        .with("http.listen", doors)
        .with("engine.lease", seconds(plan.lease))
        // Here it is we who take workers down, not what they do.
        .with("engine.deaths", 20)
        .with("database.pool", 8)
        .with("render.children", 1)
        .with("blobs.url", blobs)
}

/// Far sides are away for longer than the workflow of other tests tries.
fn patient(workflow: &Path) {
    let text = fs::read_to_string(workflow).unwrap();
    fs::write(workflow, text.replace("attempts = 4", "attempts = 12")).unwrap();
}

fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs())
}
