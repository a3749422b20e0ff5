//! What monitors are told, and when: notices at once, the digest in the morning, and the reports.

mod harness;
mod peers;

#[path = "monitors/digests.rs"]
mod digests;
#[path = "monitors/large.rs"]
mod large;
#[path = "monitors/notices.rs"]
mod notices;
#[path = "monitors/reports.rs"]
mod reports;
#[path = "monitors/seen.rs"]
mod seen;

use chrono::{DateTime, Utc};
use harness::TestApp;
use postbook::{run::Engine, sweep};

/// Sets the clock of `app` forward to `instant`. Far in the future, so that everything written before is old.
fn set(app: &TestApp, instant: &str) {
    let instant: DateTime<Utc> = instant.parse().expect("an instant");
    let ahead = (instant - app.engine.clock.now()).to_std().expect("an instant that is yet to come");
    app.engine.clock.advance(ahead);
}

/// One round of the duties about monitors on one node, then everything that is due.
async fn round(app: &TestApp) {
    sweep(&app.engine).await;
    app.drain().await;
}

async fn sweep(engine: &Engine) {
    sweep::alarm(engine).await.expect("alarms");
    sweep::digest(engine).await.expect("digests");
}

/// A round at `instant`.
async fn round_at(app: &TestApp, instant: &str) {
    set(app, instant);
    round(app).await;
}

/// A batch of one document.
fn batch(name: &str, recipients: &str) -> String {
    format!(
        "[[batch]]\nname = \"{name}\"\ntitle = \"Morning checklists\"\nworkflow = \"quick\"\nrun_as = \"site-a\"\n\
         documents = [{{ document = \"checklist\" }}]\nrecipients = [{recipients}]\n"
    )
}

const ANN: &str = r#"{ name = "Ann", email = "ann@example.org" }"#;
const CARLA: &str = r#"{ name = "Carla", email = "refused@example.org" }"#;

/// The zone of Mona, who is a monitor in all tests.
async fn mona_in(app: &TestApp, zone: &str) {
    let mona = format!(
        "[[user]]\nname = \"mona\"\ntitle = \"Mona\"\nrole = \"operator\"\nmonitor = true\nzone = \"{zone}\"\n\
         contacts = {{ email = \"mona@example.org\" }}"
    );
    app.apply(&mona).await;
}
