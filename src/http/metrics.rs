//! Numbers for whoever watches over an installation, in the text format of Prometheus: what this node answered, and
//! what all nodes have to do.

use std::{
    fmt::{Display, Write as _},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use tokio::time::timeout;

use super::{App, health::PATIENCE};
use crate::run::tally::{self, Tally};

/// Counters of this node since it started.
#[derive(Debug, Default)]
pub struct Metrics {
    /// By the first digit of their status, 1 to 5.
    answers: [AtomicU64; 5],
    /// By how long they took: each one is counted in the first that it is no longer than.
    durations: [AtomicU64; BUCKETS.len() + 1],
    microseconds: AtomicU64,
    /// Calls to accounts' doors that were not listened to, by why.
    calls: [AtomicU64; CALLS.len()],
    /// When the log was last told of one, and how many there were then.
    told: Mutex<Option<(Instant, u64)>>,
}

/// Why calls are not listened to.
const CALLS: [&str; 4] = ["forged", "stale", "unreadable", "not_expected"];

/// In seconds. Most answers take milliseconds; archives and uploads may take seconds until they begin.
const BUCKETS: [f64; 8] = [0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];

impl Metrics {
    /// Counts one answer that began after `duration`.
    pub fn answered(&self, status: StatusCode, duration: Duration) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        let bucket = BUCKETS.iter().position(|most| duration.as_secs_f64() <= *most).unwrap_or(BUCKETS.len());
        let counters = [self.answers.get(class), self.durations.get(bucket)];
        for counter in counters.into_iter().flatten() {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    /// Counts a call to an account's door that was not listened to. When the log has not been told of one for `quiet`,
    /// says how many others there were since.
    pub fn turned_away(&self, kind: &str, quiet: Duration) -> Option<u64> {
        if let Some(counter) = CALLS.iter().position(|call| *call == kind).and_then(|at| self.calls.get(at)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let all = self.calls.iter().map(|counter| counter.load(Ordering::Relaxed)).sum();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match *told {
            Some((at, _)) if at.elapsed() < quiet => return None,
            Some((_, before)) => before,
            None => 0,
        };
        *told = Some((Instant::now(), all));
        Some(all.saturating_sub(before + 1))
    }

    fn write(&self, page: &mut Page) {
        page.about("http_answers_total", "counter", "Answers of this node by class of status.");
        for (index, counter) in self.answers.iter().enumerate() {
            let class = format!("{}xx", index + 1);
            page.line("http_answers_total", Some(("class", &class)), counter.load(Ordering::Relaxed));
        }
        page.about("http_answer_duration_seconds", "histogram", "How long this node took until an answer began.");
        let mut count = 0;
        for (index, counter) in self.durations.iter().enumerate() {
            count += counter.load(Ordering::Relaxed);
            let most = BUCKETS.get(index).map_or("+Inf".to_owned(), f64::to_string);
            page.line("http_answer_duration_seconds_bucket", Some(("le", &most)), count);
        }
        let seconds = Duration::from_micros(self.microseconds.load(Ordering::Relaxed)).as_secs_f64();
        page.line("http_answer_duration_seconds_sum", None, seconds);
        page.line("http_answer_duration_seconds_count", None, count);
        page.about("callbacks_turned_away_total", "counter", "Calls to accounts' doors that were not listened to.");
        for (call, counter) in CALLS.iter().zip(&self.calls) {
            page.line("callbacks_turned_away_total", Some(("why", call)), counter.load(Ordering::Relaxed));
        }
    }
}

/// `GET /metrics`. Without the database there are still this node's own numbers, and the one that says so.
pub async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let mut page = Page(String::new());
    page.about("build_info", "gauge", "The version of this node.");
    page.line("build_info", Some(("version", env!("CARGO_PKG_VERSION"))), 1);
    app.metrics.write(&mut page);
    let tally = timeout(PATIENCE, tally::tally(&app.shelf.db, app.clock.now())).await;
    let tally = tally.ok().and_then(Result::ok);
    page.gauge("database_up", "Whether the database answers.", u8::from(tally.is_some()));
    if let Some(tally) = tally {
        tallied(&tally, &mut page);
        accounts(&app, &tally, &mut page);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page.0)
}

fn tallied(tally: &Tally, page: &mut Page) {
    page.about("runs_open", "gauge", "Runs that have not ended, by state.");
    for (state, count) in &tally.open_runs {
        page.line("runs_open", Some(("state", state)), count);
    }
    page.gauge("steps_due", "Steps that wait for a worker.", tally.due_steps);
    page.gauge("steps_late_seconds", "How long the oldest of them has been waiting.", tally.late_seconds);
    page.gauge(
        "sending_paused",
        "Whether sending is paused for the whole installation.",
        u8::from(tally.sending_paused),
    );
    page.gauge("transmissions_uncertain", "Transmissions that somebody has to settle.", tally.uncertain);
    page.gauge("transmissions_awaited", "Transmissions whose runs wait for the far side's word.", tally.awaited);
    page.gauge("receipts_due", "Words of far sides that are not applied.", tally.receipts_due);
    let undelivered = "Notices and digests that were not delivered, or may not have been.";
    page.gauge("notices_undelivered", undelivered, tally.undelivered_notices);
    let unreachable = "Monitors without an address on the channel they are told by.";
    page.gauge("monitors_unreachable", unreachable, tally.unreachable_monitors);
}

fn accounts(app: &App, tally: &Tally, page: &mut Page) {
    page.about("account_paused", "gauge", "Whether nothing is sent by the account.");
    for name in app.accounts.keys() {
        page.line("account_paused", Some(("account", name)), u8::from(tally.paused_accounts.contains(name)));
    }
}

/// A page of numbers while it is written. Writing to a string cannot fail.
struct Page(String);

impl Page {
    fn about(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP postbook_{name} {help}\n# TYPE postbook_{name} {kind}");
    }

    fn line(&mut self, name: &str, label: Option<(&str, &str)>, value: impl Display) {
        let label = label.map_or_else(String::new, |(label, word)| format!("{{{label}=\"{}\"}}", escaped(word)));
        let _ = writeln!(self.0, "postbook_{name}{label} {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.about(name, "gauge", help);
        self.line(name, None, value);
    }
}

/// Names of accounts are whatever somebody wrote.
fn escaped(word: &str) -> String {
    word.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}
