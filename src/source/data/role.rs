//! What the role of a registered database may do. It should only read; the transactions that ask it do in any case.

use sqlx::{Connection as _, PgConnection};

use super::{Database, failed, refused};
use crate::source::Failure;

/// Connects as a batch would, and looks at the role.
pub(super) async fn probe(database: &Database) -> Result<String, Failure> {
    let looking = tokio::time::timeout(database.timeout, look(database));
    let (superuser, writable) = match looking.await {
        Ok(seen) => seen.map_err(|error| failed(&error))?,
        Err(_) => return Err(refused("data-away", "the database does not answer".to_owned())),
    };
    if superuser {
        return Err(refused("data-role", "its role is a superuser; give it one that may only read".to_owned()));
    }
    match writable.as_slice() {
        [] => Ok("answers, and its role may only read".to_owned()),
        [first, rest @ ..] => {
            let others = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            let text = format!("its role may write to {first}{others}; give it one that may only read");
            Err(refused("data-role", text))
        }
    }
}

/// Whether the role is a superuser, and the tables that it may change.
async fn look(database: &Database) -> Result<(bool, Vec<String>), sqlx::Error> {
    let mut connection = PgConnection::connect_with(&database.options).await?;
    let superuser = sqlx::query_scalar("select rolsuper from pg_roles where rolname = current_user")
        .fetch_one(&mut connection)
        .await?;
    let writable = sqlx::query_scalar(
        r#"
        select pg_class.oid::regclass::text
          from pg_class
          join pg_namespace on pg_namespace.oid = pg_class.relnamespace
         where pg_class.relkind in ('r', 'p', 'f')
           and pg_namespace.nspname not in ('pg_catalog', 'information_schema')
           and has_schema_privilege(pg_namespace.oid, 'usage')
           and has_table_privilege(pg_class.oid, 'insert, update, delete, truncate')
         order by 1
        "#,
    )
    .fetch_all(&mut connection)
    .await?;
    Ok((superuser, writable))
}
