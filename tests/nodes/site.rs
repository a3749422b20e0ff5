//! One installation: a folder with settings, workflows and an outbox, and where its book is kept.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output},
    sync::OnceLock,
};

use tempfile::TempDir;

use crate::{api::Api, database::TestDatabase, node::Node};

/// Where a Postbook is installed.
pub struct Site {
    /// Set when its book is on the tests' server.
    database: Option<TestDatabase>,
    folder: TempDir,
    /// Settings that differ from those in the file.
    environment: Vec<(String, String)>,
    token: OnceLock<String>,
}

impl Site {
    /// With a database of its own on the tests' server. `settings` are added to the usual ones.
    pub async fn new(settings: &str) -> Self {
        let database = TestDatabase::create().await;
        let mut site = Self::on(&database.url, settings);
        site.database = Some(database);
        site
    }

    /// With a Postgres of its own.
    pub fn private(settings: &str) -> Self {
        Self::on("", settings)
    }

    /// With its book at `url`.
    pub fn on(url: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Self { database: None, folder, environment: Vec::new(), token: OnceLock::new() };
        fs::create_dir(site.outbox()).unwrap();
        quick_workflow(&site.path("workflows/quick"));
        let usual = format!(
            r#"
[database]
url = "{url}"
pool = 10

[http]
listen = "127.0.0.1:0"
body_limit = "256MB"

[engine]
lease = "5s"
sweep = "200ms"
steps = 16
workflows = "{}"

[log]
level = "warn"
"#,
            site.path("workflows").display()
        );
        fs::write(site.config(), usual + &settings.replace("OUTBOX", &site.outbox().display().to_string())).unwrap();
        site
    }

    /// The same, with another value for a setting such as `engine.lease`.
    pub fn with(mut self, setting: &str, value: impl ToString) -> Self {
        let name = format!("POSTBOOK__{}", setting.to_uppercase().replace('.', "__"));
        self.environment.push((name, value.to_string()));
        self
    }

    /// Starts the program with `arguments` and waits until it is ready.
    pub async fn start(&self, arguments: &[&str]) -> Node {
        let log = self.path(&format!("log-{:08x}", rand::random::<u32>()));
        let node = Node::start(self.command(arguments), &log).await;
        if let Some(token) = node.token() {
            self.token.set(token).expect("only the first start shows a token");
        }
        node
    }

    /// The API at the doors of `node`.
    pub fn api(&self, node: &Node) -> Api {
        Api::new(node.address(), self.token.get().expect("a node with doors was started first"))
    }

    /// Runs the program to its end.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// The same, which reads `input`.
    pub async fn run_on(&self, arguments: &[&str], input: &Path) -> Output {
        let mut command = self.command(arguments);
        command.stdin(fs::File::open(input).unwrap());
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// The same, with nobody at the other end of what it prints.
    pub async fn run_unread(&self, arguments: &[&str]) -> ExitStatus {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = self.command(arguments);
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        tokio::task::spawn_blocking(move || command.status().unwrap()).await.unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.arg("--config").arg(self.config()).arg("--data").arg(self.data()).args(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub fn database(&self) -> &TestDatabase {
        self.database.as_ref().expect("a site on the tests' server")
    }

    /// What a query counts.
    pub async fn count(&self, query: &'static str) -> i64 {
        self.database().count(query).await
    }

    pub fn outbox(&self) -> PathBuf {
        self.path("outbox")
    }

    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub fn config(&self) -> PathBuf {
        self.path("postbook.toml")
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // The private Postgres of a test that failed.
        let Ok(text) = fs::read_to_string(self.data().join("postgres/postmaster.pid")) else { return };
        if let Some(pid) = text.lines().next() {
            let _ = Command::new("kill").args(["-QUIT", pid]).status();
        }
    }
}

/// The program under test.
pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_postbook"))
}

/// The workflow that comes along, with short pauses: four tries, a second apart.
fn quick_workflow(folder: &Path) {
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("workflows/batch-documents");
    fs::create_dir_all(folder.join("templates")).unwrap();
    let text = fs::read_to_string(original.join("workflow.toml")).unwrap();
    let quick = text.lines().map(|line| match line.starts_with("retry =") {
        true => "retry = { attempts = 4, first = \"1s\", factor = 1, limit = \"1s\" }\n".to_owned(),
        false => format!("{line}\n"),
    });
    fs::write(folder.join("workflow.toml"), quick.collect::<String>()).unwrap();
    for entry in fs::read_dir(original.join("templates")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join("templates").join(path.file_name().unwrap())).unwrap();
    }
}
