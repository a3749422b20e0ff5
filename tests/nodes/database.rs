//! A database for one test, on the server that DATABASE_URL names.

use std::str::FromStr;

use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// An empty database; dropped with this, whoever is still connected.
pub struct TestDatabase {
    name: String,
    pub url: String,
    pub pool: PgPool,
}

impl TestDatabase {
    pub async fn create() -> Self {
        let name = format!("postbook_{:016x}", rand::random::<u64>());
        let mut server = connect().await;
        sqlx::query(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(&mut server).await.unwrap();
        let options = server_options().database(&name);
        let pool = PgPoolOptions::new().max_connections(2).connect_lazy_with(options.clone());
        Self { url: options.to_url_lossy().to_string(), name, pool }
    }

    /// What a query counts.
    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
    }

    /// Runs statements on the server, as its administrator, in this database.
    pub async fn administer(&self, statements: String) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&self.pool).await.unwrap();
    }

    /// The address of this database for another role.
    pub fn url_as(&self, role: &str) -> String {
        server_options().database(&self.name).username(role).to_url_lossy().to_string()
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let drop = format!("drop database {} with (force)", self.name);
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut server = connect().await;
                sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&mut server).await.unwrap();
                server.close().await.unwrap();
            });
        });
        if dropping.join().is_err() {
            eprintln!("the database {} is left over", self.name);
        }
    }
}

fn server_options() -> PgConnectOptions {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL names the tests' Postgres; ops/test starts one");
    PgConnectOptions::from_str(&url).unwrap()
}

async fn connect() -> PgConnection {
    server_options().connect().await.unwrap()
}
