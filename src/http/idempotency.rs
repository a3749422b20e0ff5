//! The header `Idempotency-Key`: the same key again is the same wish, and starts nothing twice.

use axum::{extract::FromRequestParts, http::request::Parts};
use utoipa::IntoParams;

use super::{App, Problem};

/// What makes a wish the same as an earlier one; new each time when the caller does not say.
#[derive(Debug)]
pub struct IdempotencyKey(pub String);

/// The header as it is described.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IdempotencyHeader {
    /// The same key again starts nothing, and is answered with what the first one started.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 200)]
    #[expect(dead_code, reason = "describes the header")]
    key: Option<String>,
}

/// The longest key.
const LONGEST: usize = 200;

impl FromRequestParts<App> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Some(written) = parts.headers.get("idempotency-key") else {
            let now = app.clock.now().format("%Y-%m-%dT%H:%M:%S%.3fZ");
            return Ok(Self(format!("{now} {:08x}", rand::random::<u32>())));
        };
        let written = written.to_str().ok().map(str::trim).filter(|key| (1..=LONGEST).contains(&key.len()));
        let key = written.ok_or_else(|| {
            Problem::at("Idempotency-Key", format!("write 1 to {LONGEST} plain letters, digits and signs"))
        })?;
        Ok(Self(key.to_owned()))
    }
}
