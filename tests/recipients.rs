//! Who gets what: recipients from queries and tables, numbers and countries, policies, duplicates, what is sent only once,
//! and what is suppressed.

mod harness;

#[path = "recipients/audience.rs"]
mod audience;
#[path = "recipients/business.rs"]
mod business;
#[path = "recipients/fallback.rs"]
mod fallback;
#[path = "recipients/message.rs"]
mod message;
#[path = "recipients/number.rs"]
mod number;
#[path = "recipients/once.rs"]
mod once;
#[path = "recipients/scale.rs"]
mod scale;
#[path = "recipients/suppressed.rs"]
mod suppressed;
#[path = "recipients/twice.rs"]
mod twice;

use std::collections::BTreeMap;

use harness::TestApp;
use postbook::{channel::account::AccountConfig, id::RunId};
use sqlx::PgPool;

/// A Postbook whose faxes and text messages are thrown away.
async fn start(db: PgPool) -> TestApp {
    TestApp::start_on(db, stand_ins).await
}

fn stand_ins(accounts: &mut BTreeMap<String, AccountConfig>) {
    for channel in ["fax", "sms"] {
        let mut account = AccountConfig::new("discard:");
        account.channel = Some(channel.to_owned());
        accounts.insert(channel.to_owned(), account);
    }
}

/// A document that is made for each recipient alone.
const STATEMENT: &str = r#"
[[document]]
name = "statement"
title = "Statement"
kind = "template"
template = "templates/open-orders.typ"
params = { since = { type = "date", default = "2026-01-01" } }
personal = true
"#;

/// A batch called `letter` that sends a checklist, with these lines besides.
fn letter(lines: &str) -> String {
    format!(
        "[[batch]]\nname = \"letter\"\nworkflow = \"quick\"\nrun_as = \"site-a\"\n\
         documents = [{{ document = \"checklist\" }}]\n{lines}\n"
    )
}

/// `recipient channel contact state code` of each transmission of a run, in the order of the book.
async fn told(app: &TestApp, run: RunId) -> Vec<String> {
    let line = |it: postbook::run::book::Transmission| {
        let code = it.reason.as_ref().and_then(|reason| reason["code"].as_str()).unwrap_or_default().to_owned();
        format!("{} {} {} {} {code}", it.recipient, it.channel, it.contact, it.state.name()).trim_end().to_owned()
    };
    app.transmissions(run).await.into_iter().map(line).collect()
}
