//! The API, one file for each kind of thing.

mod accounts;
mod audit;
mod batch_recipients;
mod batches;
mod calendar;
mod calendars;
mod document_body;
mod documents;
mod events;
mod files;
mod pages;
mod pickups;
mod recipients;
mod reports;
mod run_acts;
mod run_events;
mod run_files;
mod runs;
mod schedules;
mod sending;
mod starts;
mod suppressions;
mod tokens;
mod transmissions;
mod users;

use utoipa_axum::router::OpenApiRouter;

use super::App;

/// Every path below `/api/v1`.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(batches::router())
        .merge(batch_recipients::router())
        .merge(starts::router())
        .merge(schedules::router())
        .merge(calendar::router())
        .merge(runs::router())
        .merge(run_acts::router())
        .merge(run_files::router())
        .merge(run_events::router())
        .merge(transmissions::router())
        .merge(pages::router())
        .merge(pickups::router())
        .merge(sending::router())
        .merge(documents::router())
        .merge(calendars::router())
        .merge(recipients::router())
        .merge(users::router())
        .merge(tokens::router())
        .merge(suppressions::router())
        .merge(accounts::router())
        .merge(events::router())
        .merge(files::router())
        .merge(audit::router())
        .merge(reports::router())
}
