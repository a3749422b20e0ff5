//! The rows of an answer, some at a time.

use std::time::Duration;

use futures::TryStreamExt;
use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    task::JoinHandle,
};

use super::{failed, refused};
use crate::source::Failure;

/// One row: values by the names of their columns.
pub type Row = Map<String, Value>;

/// Rows handed over at once. More take more memory.
const PIECE: usize = 500;

/// An answer that is being read. Dropping it ends the question.
#[derive(Debug)]
pub struct Rows {
    pieces: Receiver<Result<Vec<Row>, Failure>>,
    reader: JoinHandle<()>,
}

impl Rows {
    /// The next rows, or nothing when all were given.
    ///
    /// # Errors
    /// When the database goes away, refuses the statement after all, or takes or gives more than it may.
    pub async fn next(&mut self) -> Result<Option<Vec<Row>>, Failure> {
        self.pieces.recv().await.transpose()
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Begins to read what `statement` gives.
pub(super) fn stream(
    connection: PgConnection,
    question: (String, Vec<Option<String>>),
    (timeout, most): (Duration, u64),
) -> Rows {
    // One piece is read while another is written to the book.
    let (sender, pieces) = mpsc::channel(1);
    let reader = tokio::spawn(async move {
        let reading = tokio::time::timeout(timeout, read(connection, question, (timeout, most), &sender));
        let late = || Err(refused("data-57014", format!("the statement took longer than {} s", timeout.as_secs())));
        if let Err(failure) = reading.await.unwrap_or_else(|_| late()) {
            // Nobody listens when the asker has gone.
            let _ = sender.send(Err(failure)).await;
        }
    });
    Rows { pieces, reader }
}

async fn read(
    mut connection: PgConnection,
    (statement, values): (String, Vec<Option<String>>),
    (timeout, most): (Duration, u64),
    sender: &Sender<Result<Vec<Row>, Failure>>,
) -> Result<(), Failure> {
    let fault = |error: sqlx::Error| failed(&error);
    let mut reading = connection.begin_with("begin isolation level repeatable read, read only").await.map_err(fault)?;
    sqlx::query("select set_config('statement_timeout', $1, true)")
        .bind(timeout.as_millis().to_string())
        .execute(&mut *reading)
        .await
        .map_err(fault)?;
    let mut question = sqlx::query_scalar::<_, Value>(AssertSqlSafe(statement));
    for value in values {
        question = question.bind(value);
    }
    let mut rows = question.fetch(&mut *reading);
    let (mut piece, mut count) = (Vec::with_capacity(PIECE), 0);
    while let Some(row) = rows.try_next().await.map_err(fault)? {
        count += 1;
        if count > most {
            let text =
                format!("the statement gives more than {most} rows; narrow it, or raise the `rows` of the database");
            return Err(refused("data-rows", text));
        }
        if let Value::Object(row) = row {
            piece.push(row);
        }
        if piece.len() == PIECE && sender.send(Ok(std::mem::take(&mut piece))).await.is_err() {
            return Ok(());
        }
    }
    if !piece.is_empty() {
        let _ = sender.send(Ok(piece)).await;
    }
    Ok(())
}
