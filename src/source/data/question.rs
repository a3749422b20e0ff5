//! One statement: made safe, its values bound as the types that it wants them in.
//!
//! Which type a value has is told by the server, which has the statement prepared with none. The value goes over as text
//! and is cast to that type there, so that dates, numbers and enumerations are read as the database reads them.

use sqlx::{
    AssertSqlSafe, Connection as _, Either, Executor as _, PgConnection, SqlSafeStr as _, Statement as _, TypeInfo as _,
};

use super::{Database, Rows, Values, failed, placeholder, refused, rows};
use crate::source::Failure;

/// Asks `database`.
pub(super) async fn ask(database: &Database, statement: &str, values: &Values) -> Result<Rows, Failure> {
    let connecting = tokio::time::timeout(database.timeout, PgConnection::connect_with(&database.options));
    let mut connection = match connecting.await {
        Ok(connected) => connected.map_err(|error| failed(&error))?,
        Err(_) => {
            return Err(Failure { again: true, ..refused("data-away", "the database does not answer".to_owned()) });
        }
    };
    let numbered = placeholder::number(inner(statement));
    let bound = numbered.names.iter().map(|name| {
        let missing = || refused("data-param", format!("the statement has `:{name}`, which has no value"));
        values.get(name).cloned().ok_or_else(missing)
    });
    let bound = bound.collect::<Result<Vec<_>, _>>()?;
    let untyped = wrapped(&numbered.text(|place| format!("${}", place + 1)));
    let types = types(&mut connection, untyped).await.map_err(|error| failed(&error))?;
    let typed = wrapped(&numbered.text(|place| match types.get(place) {
        Some(name) => format!("(${}::text::{name})", place + 1),
        None => format!("${}", place + 1),
    }));
    Ok(rows::stream(connection, (typed, bound), (database.timeout, database.rows)))
}

/// The statement without the semicolon that people end it with.
fn inner(statement: &str) -> &str {
    statement.trim_end().trim_end_matches(';')
}

/// A subquery can only read: what changes rows is refused there, and so is a second statement.
fn wrapped(statement: &str) -> String {
    format!("select to_jsonb(given) from (\n{statement}\n) as given")
}

/// The types of the statement's numbers.
async fn types(connection: &mut PgConnection, statement: String) -> Result<Vec<String>, sqlx::Error> {
    let prepared = connection.prepare(AssertSqlSafe(statement).into_sql_str()).await?;
    let Some(Either::Left(types)) = prepared.parameters() else { return Ok(Vec::new()) };
    Ok(types.iter().map(|one| cast(one.name())).collect())
}

/// The type as a cast names it. `char` alone would be one character long.
fn cast(name: &str) -> String {
    match name {
        "CHAR" | "\"CHAR\"" => "bpchar".to_owned(),
        "BIT" => "varbit".to_owned(),
        other => other.to_owned(),
    }
}
