//! A HylaFAX server that is killed while faxes are submitted. It has no modems: to call two hundred times takes hours.

use std::collections::BTreeMap;

use sqlx::PgPool;

use crate::{
    peers::FaxServer,
    ride::{FarSide, Storm},
    server::Server,
};

impl FarSide for Server {
    fn kill(&mut self) {
        Server::kill(self);
    }

    fn restart(&mut self) {
        self.revive();
    }

    fn arrived(&mut self) -> BTreeMap<String, usize> {
        let mut jobs = BTreeMap::new();
        for number in self.numbers() {
            *jobs.entry(number).or_default() += 1;
        }
        jobs
    }
}

#[sqlx::test]
async fn a_fax_server_that_is_killed_has_each_job_once(db: PgPool) {
    let server = Server::start();
    let account = FaxServer::running().account(&server.port.to_string());
    let storm = Storm::new("fax", account, |number| format!("+1312555{:04}", 1000 + number));

    let verdict = storm.ride_out(db, server).await;

    verdict.is_true_of_all_but(0);
    assert_eq!((verdict.twice, verdict.marked), (0, 0), "{verdict}");
}
