//! What the book says of every transmission, beside what the far sides have.

use std::collections::BTreeMap;

use sqlx::PgPool;

use crate::{load::is_wanted, record::Record};

/// A transmission as the book has it.
#[derive(Debug, sqlx::FromRow)]
#[expect(dead_code, reason = "the reason is shown when something is wrong")]
pub struct Entry {
    pub id: i64,
    pub channel: String,
    pub contact: String,
    pub state: String,
    pub possibly_twice: bool,
    pub account: String,
    pub reason: String,
    /// Of the first file it carries.
    pub digest: String,
}

pub async fn read(db: &PgPool) -> Vec<Entry> {
    sqlx::query_as(
        "select transmission.id, channel, contact, state, possibly_twice, coalesce(account, '') as account,
                coalesce(reason ->> 'text', '') as reason,
                coalesce((select artifact.digest
                            from transmission_item as carried
                            join item on item.id = carried.item
                            join artifact on artifact.id = item.artifact
                           where carried.transmission = transmission.id
                           order by carried.position
                           limit 1), '') as digest
           from transmission
          order by transmission.id",
    )
    .fetch_all(db)
    .await
    .unwrap()
}

/// How many transmissions are what, and what is wrong with single ones.
#[derive(Debug, Default)]
pub struct Comparison {
    pub transmissions: usize,
    pub delivered: usize,
    /// The same by channel and account.
    pub ways: BTreeMap<String, usize>,
    /// Refused by the far side, as they were meant to be.
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
    /// The book says failed, and the far side has it.
    pub untrue: Vec<String>,
    /// Taken by the far side, and not in the book.
    pub unknown: Vec<String>,
}

impl Comparison {
    /// `holds` says of an account whether what is uncertain waits for a person.
    pub fn of(book: &[Entry], record: &Record, holds: impl Fn(&str) -> bool) -> Self {
        let mut seen = Self { transmissions: book.len(), unknown: record.unknown(book), ..Self::default() };
        for entry in book {
            seen.add(entry, record.times(entry), holds(&entry.account));
        }
        seen
    }

    fn add(&mut self, entry: &Entry, times: usize, holds: bool) {
        let line = || format!("{times} times {entry:?}");
        match entry.state.as_str() {
            "delivered" | "accepted" if times == 0 => self.lost.push(line()),
            "delivered" | "accepted" => {
                self.delivered += 1;
                *self.ways.entry(format!("{} by {}", entry.channel, entry.account)).or_default() += 1;
            }
            "uncertain" => self.uncertain += 1,
            "failed" if times > 0 && !entry.possibly_twice => self.untrue.push(line()),
            "failed" if !is_wanted(&entry.contact) => self.refused += 1,
            _ => self.lost.push(line()),
        }
        match (entry.possibly_twice, times) {
            (false, 2..) => self.denied.push(line()),
            (true, 2..) => self.admitted += 1,
            (true, 1) => self.for_nothing += 1,
            _ => {}
        }
        if holds && times > 1 {
            self.twice_although_held.push(line());
        }
    }
}
