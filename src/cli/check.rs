//! Checking everything that can be checked without sending, and telling all faults at once.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::{Place, log_to_stderr, print};
use crate::{app, config::Config, db};

/// One thing that was looked at.
struct Finding {
    what: String,
    result: Result<String, String>,
}

pub(super) async fn check(place: &Place) -> Result<ExitCode> {
    let config = place.config()?;
    log_to_stderr(&config, "error");
    let mut findings = vec![Finding { what: "settings".to_owned(), result: Ok("fit".to_owned()) }];
    let folders = app::folders(&config).map(|folders| {
        let names: Vec<_> = folders.iter().map(|folder| folder.name.as_str()).collect();
        names.join(", ")
    });
    findings.push(Finding { what: "workflows".to_owned(), result: folders.map_err(|error| format!("{error:#}")) });
    let zones = format!("as tzdata {} has them", chrono_tz::IANA_TZDB_VERSION);
    findings.push(Finding { what: "zones".to_owned(), result: Ok(zones) });
    findings.push(Finding { what: "database".to_owned(), result: database(place, &config).await });
    findings.extend(accounts(&config).await);
    findings.extend(business_databases(&config).await);
    let sound = findings.iter().all(|finding| finding.result.is_ok());
    told(place, &findings)?;
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The accounts that send, and those that are only places of files.
async fn accounts(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    match app::channels(config) {
        Ok(channels) => {
            for account in channels.accounts() {
                let what = format!("account {}", account.name());
                findings.push(Finding { what, result: account.probe().await.map_err(|reason| reason.text) });
            }
        }
        Err(error) => findings.push(Finding { what: "accounts".to_owned(), result: Err(format!("{error:#}")) }),
    }
    match app::places(config).and_then(|places| app::watch(config).map(|_| places)) {
        Ok(places) => {
            for (name, _) in places.accounts() {
                let what = format!("account {name}");
                if findings.iter().all(|finding| finding.what != what) {
                    let result = places.probe(name).await.map_err(|failure| failure.reason.text);
                    findings.push(Finding { what, result });
                }
            }
        }
        Err(error) => findings.push(Finding { what: "files".to_owned(), result: Err(format!("{error:#}")) }),
    }
    findings
}

async fn business_databases(config: &Config) -> Vec<Finding> {
    let country = app::country(config).map(|country| match country {
        Some(country) => format!("numbers that say no country are taken to be in {country}"),
        None => "numbers have to say their country".to_owned(),
    });
    let mut findings =
        vec![Finding { what: "contacts".to_owned(), result: country.map_err(|error| format!("{error:#}")) }];
    match app::databases(config) {
        Ok(databases) => {
            for name in databases.names() {
                let result = databases.probe(name).await.map_err(|failure| failure.reason.text);
                findings.push(Finding { what: format!("data {name}"), result });
            }
        }
        Err(error) => findings.push(Finding { what: "data".to_owned(), result: Err(format!("{error:#}")) }),
    }
    findings
}

async fn database(place: &Place, config: &Config) -> Result<String, String> {
    let database = db::Database::join(&config.database, &place.data).await.map_err(|error| chain(&error))?;
    let migrated = db::migrate(&database.pool, crate::queue::setup).await.map_err(|error| chain(&error));
    database.close().await.map_err(|error| format!("{error:#}"))?;
    migrated.map(|()| "answers, and its schema is up to date".to_owned())
}

fn chain(error: &db::DatabaseError) -> String {
    match error {
        db::DatabaseError::Fault(fault) => format!("{fault:#}"),
        refusal => refusal.to_string(),
    }
}

fn told(place: &Place, findings: &[Finding]) -> Result<()> {
    if place.json {
        let items: Vec<_> = findings
            .iter()
            .map(|finding| match &finding.result {
                Ok(text) => json!({ "what": finding.what, "ok": true, "text": text }),
                Err(text) => json!({ "what": finding.what, "ok": false, "text": text }),
            })
            .collect();
        return print::json(&json!({ "items": items }));
    }
    for finding in findings {
        match &finding.result {
            Ok(text) => print::line(format_args!("ok     {}: {text}", finding.what))?,
            Err(text) => print::line(format_args!("FAULT  {}: {text}", finding.what))?,
        }
    }
    Ok(())
}
