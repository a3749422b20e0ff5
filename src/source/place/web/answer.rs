//! What a web server's refusals mean.

use std::time::Duration;

use reqwest::{Response, StatusCode, header::RETRY_AFTER};

use crate::{
    reason::{Reason, Scope},
    source::{
        cause,
        place::{Failure, lasting, passing, refused},
    },
};

/// Why the server at `base` did not do as it was asked.
pub(super) fn refusal(base: &str, answer: Response) -> Failure {
    let status = answer.status();
    let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let failure = judged(status, format!("{base} answers {status}"));
    Failure { after: after.map(Duration::from_secs), ..failure }
}

/// RFC 9110, section 15, and RFC 4918, section 11.
fn judged(status: StatusCode, told: String) -> Failure {
    let code = format!("webdav-{}", status.as_u16());
    match status.as_u16() {
        401 | 402 | 407 | 429 => lasting(&code, told),
        // Where it is full, it is full for all.
        507 => lasting("webdav-full", told),
        413 => Failure { reason: Reason::new(Scope::Document, code, told), again: false, after: None },
        403 | 409 | 414 => refused(&code, told),
        405 | 501 => {
            lasting(&code, format!("{told}; where it only takes PUT, write `method=put` after the `?` in `url`"))
        }
        300..=399 => lasting(&code, format!("{told}, and leads elsewhere; write the address it leads to")),
        404 => lasting("webdav-missing", told),
        _ => passing(&code, told),
    }
}

/// The server did not answer, or not to the end.
pub(super) fn unanswered(base: &str, error: &reqwest::Error) -> Failure {
    let told = cause::told(error);
    match told.contains("certificate") {
        true => lasting("webdav-tls", format!("{base}: {told}")),
        false => passing("webdav-connection", format!("{base}: {told}")),
    }
}
