//! A real Postfix that is killed while mail goes out by it.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use sqlx::PgPool;

use crate::{
    peers::{Own, Postfix},
    ride::{DOUBTS, FarSide, Storm},
};

/// How long the server may take to deliver what it took.
const PATIENCE: Duration = Duration::from_secs(120);

struct Mail {
    own: Own,
    postfix: Postfix,
}

impl FarSide for Mail {
    fn kill(&mut self) {
        self.own.kill();
    }

    fn restart(&mut self) {
        self.own.restart();
    }

    /// Having taken a mail once, it may put it into the inbox twice when it is killed in between: that is one message of
    /// its queue.
    fn arrived(&mut self) -> BTreeMap<String, usize> {
        let begun = Instant::now();
        while !self.postfix.is_idle() {
            assert!(begun.elapsed() < PATIENCE, "the server does not deliver what it took");
            thread::sleep(Duration::from_millis(50));
        }
        let mut queued: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for mail in self.postfix.kept() {
            queued.entry(mail.to).or_default().insert(mail.queued_as);
        }
        queued.into_iter().map(|(contact, ids)| (contact, ids.len())).collect()
    }
}

#[sqlx::test]
async fn a_mail_server_that_is_killed_loses_none_and_what_comes_twice_is_marked(db: PgPool) {
    let own = Own::start("smtp");
    let postfix = Postfix::of(&own);
    let storm = Storm::new("email", postfix.plain(), |number| format!("r{number}@test.local"));

    let verdict = storm.ride_out(db, Mail { own, postfix }).await;

    verdict.is_true_of_all_but(0);
    assert!(verdict.marked <= DOUBTS, "{verdict}");
}
