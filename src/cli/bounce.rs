//! Mails that come back, handed over by a mail server: `postbook bounce < message`.

use std::{io::Read, process::ExitCode};

use anyhow::{Context, Result};
use clap::Args;

use super::{Place, print};
use crate::run::receipt::{self, Taken};

/// What a mail server understands as "try again later" (sysexits.h, EX_TEMPFAIL).
const LATER: u8 = 75;

/// The most bytes of a mail that are read. A report comes first, the mail it is about after it.
const LIMIT: u64 = 1024 * 1024;

/// Takes in a mail that came back, from standard input.
#[derive(Debug, Args)]
pub(super) struct Bounce {}

impl Bounce {
    /// Ends with 75 when the mail could not be kept, so that the mail server brings it again.
    pub(super) async fn run(self, place: &Place) -> ExitCode {
        match take(place).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                print::note(format_args!("postbook: {error:#}"));
                ExitCode::from(LATER)
            }
        }
    }
}

async fn take(place: &Place) -> Result<()> {
    let mut mail = Vec::new();
    std::io::stdin().lock().take(LIMIT).read_to_end(&mut mail).context("reading the mail")?;
    let app = place.open().await?;
    let taken = receipt::take(&app.engine, &mail).await;
    app.database.close().await?;
    let text = match taken? {
        Taken::Report => "taken in",
        Taken::Strange => "it is about no mail of this installation",
        Taken::Other => "it is no report of a mail that came back",
    };
    if !place.json {
        print::line(text)?;
    }
    Ok(())
}
