//! The API, one file for each kind of thing.

mod accounts;
mod audit;
mod batches;
mod document_body;
mod documents;
mod suppressions;
mod tokens;
mod users;

use utoipa_axum::router::OpenApiRouter;

use super::App;

/// Every path below `/api/v1`.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(batches::router())
        .merge(documents::router())
        .merge(users::router())
        .merge(tokens::router())
        .merge(suppressions::router())
        .merge(accounts::router())
        .merge(audit::router())
}
