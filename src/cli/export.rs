//! Writing what is set up as files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::{Place, print};
use crate::{
    account,
    app::App,
    catalog::{batch, calendar, document, input},
    document::Source,
};

/// Writes what is set up as files.
#[derive(Debug, Args)]
pub(super) struct Export {
    dir: PathBuf,
}

/// Everything there is, in one page.
const ALL: i64 = i32::MAX as i64;

impl Export {
    pub(super) async fn run(self, place: &Place) -> Result<()> {
        let app = place.open().await?;
        let db = &app.database.pool;
        let mut count = 0;
        for user in account::list(db, None, ALL).await? {
            write(&self.dir.join("users"), &user.name, &user)?;
            count += 1;
        }
        for summary in document::list(db, None, ALL).await? {
            export_document(&app, &self.dir.join("documents"), &summary.name).await?;
            count += 1;
        }
        for summary in calendar::list(db, (None, ALL)).await? {
            export_calendar(&app, &self.dir.join("calendars"), &summary.name).await?;
            count += 1;
        }
        for summary in batch::list(db, None, (None, ALL)).await? {
            if let Some((batch, _)) = batch::get(&app.shelf, &summary.name, None).await? {
                write(&self.dir.join("batches"), &summary.name, &batch)?;
                count += 1;
            }
        }
        print::line(format_args!("{count} files written below {}", self.dir.display()))?;
        app.database.close().await
    }
}

/// A stored document's bytes stand beside it.
async fn export_document(app: &App, dir: &Path, name: &str) -> Result<()> {
    let Some((document, _)) = document::find(&app.database.pool, name).await? else { return Ok(()) };
    let Some((written, _)) = document::get(&app.database.pool, name).await? else { return Ok(()) };
    let Source::Stored { file, digest, .. } = &document.source else {
        return write(dir, name, &written);
    };
    let extension = Path::new(file).extension().map(|it| it.to_string_lossy().into_owned());
    let beside = format!("{name}.{}", extension.unwrap_or_else(|| "bin".to_owned()));
    let mut value = serde_json::to_value(input::Document { digest: None, content: None, ..written })?;
    value["path"] = Value::String(beside.clone());
    write(dir, name, &value)?;
    let path = dir.join(beside);
    let bytes = app.shelf.store.get(digest).await?;
    std::fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))
}

/// One that is an iCalendar file and nothing else is written as that.
async fn export_calendar(app: &App, dir: &Path, name: &str) -> Result<()> {
    let Some(calendar) = calendar::get(&app.database.pool, name).await? else { return Ok(()) };
    let bare = calendar::Written { name: None, title: None, ics: None, ..calendar.clone() } == Default::default();
    match &calendar.ics {
        Some(ics) if bare && calendar.title == calendar.name => write_text(dir, &format!("{name}.ics"), ics),
        _ => write(dir, name, &calendar),
    }
}

fn write(dir: &Path, name: &str, value: &impl Serialize) -> Result<()> {
    let text = toml::to_string_pretty(value).with_context(|| format!("writing {name} as TOML"))?;
    write_text(dir, &format!("{name}.toml"), &text)
}

fn write_text(dir: &Path, name: &str, text: &str) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    let path = dir.join(name);
    std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
}
