//! Counters of this node, in the text format of Prometheus.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};

use super::{App, Problem};
use crate::run::tally::{self, Tally};

/// Answers by the first digit of their status, 1 to 5.
#[derive(Debug, Default)]
pub struct Metrics {
    answers: [AtomicU64; 5],
}

impl Metrics {
    /// Counts one answer.
    pub fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.answers.get(class) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn write(&self, text: &mut String) {
        text.push_str("# HELP postbook_http_answers_total Answers of this node by class of status.\n");
        text.push_str("# TYPE postbook_http_answers_total counter\n");
        for (index, counter) in self.answers.iter().enumerate() {
            let count = counter.load(Ordering::Relaxed);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "postbook_http_answers_total{{class=\"{}xx\"}} {count}", index + 1);
        }
    }
}

/// `GET /metrics`
pub async fn metrics(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let mut text = String::new();
    app.metrics.write(&mut text);
    tallied(&tally::tally(&app.shelf.db, app.clock.now()).await?, &mut text);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

fn tallied(tally: &Tally, text: &mut String) {
    text.push_str("# HELP postbook_runs_open Runs that have not ended, by state.\n# TYPE postbook_runs_open gauge\n");
    for (state, count) in &tally.open_runs {
        let _ = writeln!(text, "postbook_runs_open{{state=\"{state}\"}} {count}");
    }
    let gauges = [
        ("steps_due", "Steps that wait for a worker.", tally.due_steps),
        ("steps_late_seconds", "How long the oldest of them has been waiting.", tally.late_seconds),
        ("transmissions_uncertain", "Transmissions that somebody has to settle.", tally.uncertain),
    ];
    for (name, help, value) in gauges {
        let _ = writeln!(text, "# HELP postbook_{name} {help}\n# TYPE postbook_{name} gauge\npostbook_{name} {value}");
    }
}
