//! A Postgres server for one test, which may be killed and started again.

use std::{fs, process::Output};

use sqlx::{PgPool, postgres::PgPoolOptions};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::node::until;

/// A running server with an empty database of its own for the role `postbook`, who is no administrator. Deleted with
/// this.
pub struct Server {
    folder: TempDir,
    /// The database, for its owner.
    pub url: String,
    /// The administrator's connections, opened when they are used.
    pub pool: PgPool,
    address: String,
}

/// How a server is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// All its processes end at once.
    Quit,
    /// The first one is taken away, and the others have to notice.
    Kill,
}

impl Server {
    /// Starts one with these `settings` (`name=value`).
    pub async fn start(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The server may have to run as another user.
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let output = script("up", &folder, settings).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let administrator = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let pool = PgPoolOptions::new().max_connections(2).connect_lazy(&administrator).unwrap();
        for statement in ["create role postbook login", "create database postbook owner postbook"] {
            sqlx::raw_sql(statement).execute(&pool).await.unwrap();
        }
        pool.close().await;
        let (scheme_and_role, place) = administrator.split_once("postgres@").unwrap();
        let address = place.split_once('/').unwrap().0.to_owned();
        let url = |role: &str| format!("{scheme_and_role}{role}@{address}/postbook");
        let pool = PgPoolOptions::new().max_connections(4).connect_lazy(&url("postgres")).unwrap();
        Self { url: url("postbook"), pool, folder, address }
    }

    /// Kills it, and waits until nobody answers.
    pub async fn die(&self, death: Death) {
        let file = fs::read_to_string(self.path("data/postmaster.pid")).unwrap();
        let signal = if death == Death::Quit { "-QUIT" } else { "-KILL" };
        let kill = tokio::process::Command::new("kill").args([signal, file.lines().next().unwrap()]).status().await;
        assert!(kill.unwrap().success());
        until("the server is gone", async || TcpStream::connect(&self.address).await.is_err().then_some(())).await;
    }

    /// Starts it again, once the processes of the killed one have left.
    pub async fn revive(&self) {
        until("the server is back", async || script("start", &self.folder, &[]).await.status.success().then_some(()))
            .await;
    }

    fn path(&self, below: &str) -> std::path::PathBuf {
        self.folder.path().join("server").join(below)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let down = std::process::Command::new(SCRIPT).arg("down").arg(self.path("")).status();
        if !down.is_ok_and(|status| status.success()) {
            eprintln!("the server in {} is left over", self.folder.path().display());
        }
    }
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ops/postgres");

async fn script(verb: &str, folder: &TempDir, settings: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(SCRIPT);
    command.arg(verb).arg(folder.path().join("server")).args(settings);
    command.output().await.unwrap()
}
