//! A Postbook that watches a place.

use std::{fs, path::PathBuf, time::Duration};

use postbook::{
    source::place::{Pattern, Places, PlacesConfig},
    trigger::file::{self, FileState, Listed, Watch},
};
use sqlx::PgPool;

use crate::harness::TestApp;

/// How long a file has to stay as it is.
pub const STABLE: Duration = Duration::from_secs(10);

/// A Postbook, and the folder where files come in for it.
pub struct Inbox {
    pub app: TestApp,
    pub watch: Watch,
}

impl Inbox {
    /// One that watches the folder `in` below its root.
    pub async fn start(db: PgPool) -> Self {
        let inbox = Self::on(db, PlacesConfig { timeout: Duration::from_secs(10), ..PlacesConfig::default() }).await;
        let folder = inbox.folder();
        fs::create_dir_all(&folder).unwrap();
        inbox.subscribe(&format!("folder = \"{}\", match = \"*.csv\"", folder.display())).await;
        inbox
    }

    /// One that may watch what `config` says, and everything below the test's folder.
    pub async fn on(db: PgPool, mut config: PlacesConfig) -> Self {
        let mut app = TestApp::start(db).await;
        config.roots.push(app.folder.path().to_owned());
        app.engine = app.engine.clone().watching(Places::open(&config).unwrap());
        app.apply("[[document]]\nname = \"incoming\"\ntitle = \"Incoming file\"\nkind = \"object\"\n").await;
        let ignore = ["*.part", "*.filepart", "*.tmp", "*~", ".*"];
        let ignore = ignore.map(|text| Pattern::try_from(text.to_owned()).unwrap()).to_vec();
        let watch = Watch { look: Duration::from_secs(1), ignore, limit: 1 << 20, timeout: Duration::from_secs(1) };
        Self { app, watch }
    }

    /// Sets up a batch that sends each file in `place` to Ann.
    pub async fn subscribe(&self, place: &str) {
        self.subscribe_as("orders-in", place, "ann@example.org").await;
    }

    /// As `subscribe`, under another name and to somebody else.
    pub async fn subscribe_as(&self, name: &str, place: &str, to: &str) {
        let batch = format!(
            "[[batch]]\nname = \"{name}\"\nworkflow = \"quick\"\nrun_as = \"site-a\"\n\
             documents = [{{ document = \"incoming\" }}]\nrecipients = [{{ name = \"Ann\", email = \"{to}\" }}]\n\
             message = {{ subject = \"{{{{ file.name }}}}, {{{{ file.size }}}} bytes\" }}\nfile = [{{ {place} }}]\n"
        );
        self.app.apply(&batch).await;
    }

    pub fn folder(&self) -> PathBuf {
        self.app.folder.path().join("in")
    }

    pub fn put(&self, name: &str, bytes: &str) {
        fs::write(self.folder().join(name), bytes).unwrap();
    }

    /// Looks, does what is due, and lets time pass.
    pub async fn round(&self) {
        file::round(&self.app.engine, &self.watch).await.unwrap();
        self.app.drain().await;
        self.app.engine.clock.advance(STABLE);
    }

    /// Goes on until every file has come to its end.
    pub async fn settle(&self) {
        for _ in 0..20 {
            self.round().await;
            let open = self.app.count("select count(*) from file where ended_at is null").await;
            let waiting = self.app.count("select count(*) from sighting").await;
            if open == 0 && waiting == 0 {
                return;
            }
        }
        panic!("files do not come to an end: {:#?}", self.files().await);
    }

    /// The files, the first one first.
    pub async fn files(&self) -> Vec<Listed> {
        let mut files = file::files(&self.app.db, (None, None), (None, 10_000)).await.unwrap();
        files.reverse();
        files
    }

    /// Name and state of each file.
    pub async fn states(&self) -> Vec<(String, FileState)> {
        self.files().await.into_iter().map(|file| (file.name, file.state)).collect()
    }

    /// The paths of all files in the inbox, sorted.
    pub fn paths(&self) -> Vec<String> {
        paths(&self.folder())
    }

    pub async fn runs(&self) -> i64 {
        self.app.count("select count(*) from run").await
    }
}

/// The paths of all files below `root`, sorted.
pub fn paths(root: &std::path::Path) -> Vec<String> {
    let mut paths = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => paths.push(path.strip_prefix(root).unwrap().display().to_string()),
            }
        }
    }
    paths.sort();
    paths
}

/// Claims what has been seen, as a node does that goes away right after.
pub async fn claim(inbox: &Inbox) {
    sqlx::query(
        "insert into file (batch, place, name, size, stamp, trigger, due_at, claimed_at, changed_at)
         select 'orders-in', place, name, size, stamp,
                (select definition -> 'file' -> 0 from batch_revision where batch = 'orders-in'),
                since_at, since_at, since_at
           from sighting",
    )
    .execute(&inbox.app.db)
    .await
    .unwrap();
}
