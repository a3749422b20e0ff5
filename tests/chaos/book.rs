//! What the book says of every mail, beside what the servers have.

use sqlx::PgPool;

use crate::{load::is_wanted, record::Record};

/// A transmission as the book has it.
#[derive(Debug, sqlx::FromRow)]
#[expect(dead_code, reason = "the reason is shown when something is wrong")]
pub struct Entry {
    pub id: i64,
    pub contact: String,
    pub state: String,
    pub possibly_twice: bool,
    pub account: String,
    pub reason: String,
}

pub async fn read(db: &PgPool) -> Vec<Entry> {
    sqlx::query_as(
        "select id, contact, state, possibly_twice, coalesce(account, '') as account,
                coalesce(reason ->> 'text', '') as reason
           from transmission order by id",
    )
    .fetch_all(db)
    .await
    .unwrap()
}

/// How many mails are what, and what is wrong with single ones.
#[derive(Debug, Default)]
pub struct Comparison {
    pub transmissions: usize,
    pub delivered: usize,
    /// Refused by the server, as they were meant to be.
    pub refused: usize,
    pub uncertain: usize,
    /// Marked, and came twice or more.
    pub admitted: usize,
    /// Marked, and came once.
    pub for_nothing: usize,
    pub lost: Vec<String>,
    pub denied: Vec<String>,
    /// Twice by an account that is to hold.
    pub twice_although_held: Vec<String>,
    /// The book says failed, and the server has it.
    pub untrue: Vec<String>,
    /// Taken by the server, and not in the book.
    pub unknown: Vec<String>,
}

impl Comparison {
    /// `holds` says of an account whether uncertain mails wait for a person.
    pub fn of(book: &[Entry], mut record: Record, holds: impl Fn(&str) -> bool) -> Self {
        let mut seen = Self { transmissions: book.len(), ..Self::default() };
        for entry in book {
            let mails = record.remove(&(entry.id, entry.contact.clone())).unwrap_or_default();
            seen.add(entry, mails, holds(&entry.account));
        }
        seen.unknown = record.into_iter().map(|((id, to), mails)| format!("{mails} mails of {id} to {to}")).collect();
        seen
    }

    fn add(&mut self, entry: &Entry, mails: usize, holds: bool) {
        let line = || format!("{mails} mails of {entry:?}");
        match entry.state.as_str() {
            "delivered" if mails == 0 => self.lost.push(line()),
            "delivered" => self.delivered += 1,
            "uncertain" => self.uncertain += 1,
            "failed" if mails > 0 && !entry.possibly_twice => self.untrue.push(line()),
            "failed" if !is_wanted(&entry.contact) => self.refused += 1,
            _ => self.lost.push(line()),
        }
        match (entry.possibly_twice, mails) {
            (false, 2..) => self.denied.push(line()),
            (true, 2..) => self.admitted += 1,
            (true, 1) => self.for_nothing += 1,
            _ => {}
        }
        if holds && mails > 1 {
            self.twice_although_held.push(line());
        }
    }
}
