//! A business database: tables of its own beside the book of the test, and a role that may only read them.

use std::{collections::BTreeMap, time::Duration};

use postbook::source::data::{DatabaseConfig, Databases};
use sqlx::PgPool;

use crate::harness::TestApp;

/// The role; it belongs to the whole server, which other tests use at the same time.
const ROLE: &str = "do $$ begin create role postbook_reader login; exception when others then null; end $$";

/// Runs statements of the business.
pub async fn execute(db: &PgPool, statements: &str) {
    let statements = sqlx::AssertSqlSafe(statements.to_owned());
    sqlx::raw_sql(statements).execute(db).await.expect("sound statements");
}

/// Registers the business database as `crm`, with a table `crm.customer` that has these `rows`.
pub async fn register(app: &mut TestApp, rows: &str) {
    execute(&app.db, ROLE).await;
    execute(
        &app.db,
        "create schema crm;
         create table crm.customer (id int primary key, name text, email text, fax text, site text, active boolean,
                                    since date, balance numeric(10, 2));
         grant usage on schema crm to postbook_reader;
         grant select on crm.customer to postbook_reader;",
    )
    .await;
    if !rows.is_empty() {
        execute(
            &app.db,
            &format!("insert into crm.customer (id, name, email, fax, site, active, since, balance) {rows}"),
        )
        .await;
    }
    let config = config(&app.db, "postbook_reader");
    app.engine = app.engine.clone().asking(databases(config));
}

/// How the role reaches the database of the test.
pub fn config(db: &PgPool, role: &str) -> DatabaseConfig {
    let options = db.connect_options();
    let place = format!("{}:{}/{}", options.get_host(), options.get_port(), options.get_database().expect("a name"));
    DatabaseConfig { url: format!("postgres://{role}@{place}").into(), timeout: Duration::from_secs(60), rows: 100_000 }
}

pub fn databases(config: DatabaseConfig) -> Databases {
    Databases::open(&BTreeMap::from([("crm".to_owned(), config)])).expect("a database")
}
