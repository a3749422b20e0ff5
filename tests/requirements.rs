//! What is asked of batches, one test each, where no other test shows it already; `tests/README.md` says which.

mod harness;

#[path = "requirements/batches.rs"]
mod batches;
#[path = "requirements/book.rs"]
mod book;
#[path = "requirements/fax.rs"]
mod fax;
#[path = "requirements/reports.rs"]
mod reports;

use harness::TestApp;

/// A batch called `morning` with these documents and recipients.
fn morning(documents: &str, recipients: &str) -> String {
    format!(
        "[[batch]]\nname = \"morning\"\nworkflow = \"quick\"\nrun_as = \"site-a\"\n\
         documents = [{documents}]\nrecipients = [{recipients}]\n"
    )
}

/// A note that the batch holds itself. `content` is base64.
fn note(name: &str, content: &str) -> String {
    format!(r#"{{ name = "{name}", file = "{name}.txt", media_type = "text/plain", content = "{content}" }}"#)
}

const ANN: &str = r#"{ name = "Ann", email = "ann@example.org" }"#;
const YARD: &str = r#"{ name = "Yard", email = "yard@example.org" }"#;

/// What is wrong with `toml`.
async fn complaint(app: &TestApp, toml: &str) -> String {
    app.try_apply(toml).await.expect_err("a complaint").to_string()
}
