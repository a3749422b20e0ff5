//! Migrating: nodes that start together, databases of a newer version, and databases without hstore.

use apalis_postgres::PostgresStorage;
use postbook::db::{DatabaseError, migrate};
use sqlx::{Connection, PgConnection, PgPool, postgres::PgPoolOptions};

async fn queue(pool: &PgPool) -> Result<(), apalis_postgres::Error> {
    PostgresStorage::setup(pool).await
}

#[sqlx::test(migrations = false)]
async fn nodes_that_start_together_do_not_collide(pool: PgPool) {
    let (a, b, c) = tokio::join!(migrate(&pool, queue), migrate(&pool, queue), migrate(&pool, queue));
    a.and(b).and(c).unwrap();
    let tables: Vec<String> =
        sqlx::query_scalar("select schemaname || '.' || tablename from pg_tables").fetch_all(&pool).await.unwrap();
    assert!(tables.contains(&"apalis.jobs".to_owned()) && tables.contains(&"public.run".to_owned()), "{tables:?}");
}

#[sqlx::test(migrations = false)]
async fn a_database_of_a_newer_postbook_is_left_alone(pool: PgPool) {
    migrate(&pool, queue).await.unwrap();
    let later = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                 values (9999, 'later', true, '', 0)";
    sqlx::query(later).execute(&pool).await.unwrap();
    let refused = migrate(&pool, queue).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::Newer(9999)), "{refused}");
}

#[sqlx::test(migrations = false)]
async fn without_hstore_the_error_says_what_to_do(pool: PgPool) {
    let name: String = sqlx::query_scalar("select current_database()").fetch_one(&pool).await.unwrap();
    let guest = format!("guest_{}", name.trim_start_matches('_').to_lowercase());
    let setup = format!("create role {guest} login; revoke create on database \"{name}\" from public");
    sqlx::raw_sql(sqlx::AssertSqlSafe(setup)).execute(&pool).await.unwrap();

    let options = pool.connect_options().as_ref().clone().username(&guest).password("");
    let theirs = PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
    let refused = migrate(&theirs, queue).await.unwrap_err();
    theirs.close().await;
    let mut owner = PgConnection::connect_with(&pool.connect_options()).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("drop role {guest}"))).execute(&mut owner).await.unwrap();

    let text = refused.to_string();
    assert!(text.contains("postgresql-contrib") && text.contains("create extension hstore"), "{text}");
}
