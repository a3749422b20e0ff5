//! Whether this node is alive, and whether it can do its work.

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use sqlx::Connection;

use super::{App, Problem};

/// How long the database may take. Longer than the pause between two questions of whoever asks makes them pile up.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// `GET /healthz`
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`
pub async fn readyz(State(app): State<App>) -> Result<&'static str, Problem> {
    let asked = tokio::time::timeout(PATIENCE, async { app.shelf.db.acquire().await?.ping().await }).await;
    match asked {
        Ok(Ok(())) => Ok("ready\n"),
        Ok(Err(_)) | Err(_) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer")),
    }
}
