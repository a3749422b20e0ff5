//! What a server's refusals mean.

use suppaftp::{FtpError, types::Response};

use crate::source::place::{Failure, lasting, passing, refused};

/// What went wrong with `server`.
pub(super) fn trouble(server: &str, error: &FtpError) -> Failure {
    match error {
        FtpError::UnexpectedResponse(response) => answered(server, response),
        error => passing("ftp-connection", format!("{server}: {error}")),
    }
}

/// RFC 959, section 4.2.2; a first digit of 4 means that it may go better later.
fn answered(server: &str, response: &Response) -> Failure {
    let code = response.status.code();
    let told = format!("{server} says: {}", words(response));
    match code {
        530 | 532 => lasting("ftp-login", told),
        452 | 552 => lasting("ftp-full", told),
        522 | 534..=537 => lasting("ftp-tls", told),
        550 | 553 => refused("ftp-denied", told),
        _ => passing("ftp-refused", told),
    }
}

fn words(response: &Response) -> String {
    let words = response.as_string().unwrap_or_default();
    words.chars().filter(|letter| !letter.is_control()).take(300).collect()
}
