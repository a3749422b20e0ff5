//! Accounts: the configured ways to use a channel, without their secrets.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{App, Operator, Page};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A configured way to use a channel.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Account {
    name: String,
    channel: String,
}

/// Lists all accounts by name.
#[utoipa::path(get, path = "/accounts", tag = "accounts", operation_id = "list_accounts",
    responses((status = 200, body = Page<Account>)))]
async fn list(State(app): State<App>, _: Operator) -> Json<Page<Account>> {
    let accounts = app.accounts.iter();
    let items = accounts.map(|(name, channel)| Account { name: name.clone(), channel: channel.clone() }).collect();
    Json(Page { items, next: None })
}
