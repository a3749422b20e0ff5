//! Accounts: the configured ways to use a channel, without their secrets; whether they work, and holding them back.

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    App, Operator, Page, Problem,
    body::{MaybeBody, Name},
};
use crate::{
    catalog::check,
    run::allowance::{self, Now},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(pause)).routes(routes!(resume))
}

/// Lists all accounts by name, and whether they are paused.
#[utoipa::path(get, path = "/accounts", tag = "accounts", operation_id = "list_accounts",
    responses((status = 200, body = Page<Now>)))]
async fn list(State(app): State<App>, _: Operator) -> Result<Json<Page<Now>>, Problem> {
    let items = allowance::accounts(&app.engine).await?;
    Ok(Json(Page { items, next: None }))
}

/// Why an account is paused.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Hold {
    /// For whoever finds it paused.
    why: Option<String>,
}

/// Keeps anything from being sent by an account, until it is resumed. What was to be sent waits.
#[utoipa::path(post, path = "/accounts/{account}/pause", tag = "accounts", operation_id = "pause_account",
    params(("account" = String, Path)), request_body = Option<Hold>,
    responses(
        (status = 200, body = Now),
        (status = 409, description = "somebody has paused it", body = Problem, content_type = "application/problem+json"),
    ))]
async fn pause(
    State(app): State<App>,
    operator: Operator,
    Name(name): Name,
    MaybeBody(hold, mut faults): MaybeBody<Hold>,
) -> Result<Json<Now>, Problem> {
    let author = operator.author(&app);
    let why = hold.why.unwrap_or_else(|| allowance::by_hand(&author));
    faults.told("why", check::line(&why));
    faults.or(())?;
    allowance::pause(&app.engine, &author, (&name, &why)).await?;
    find(&app, &name).await
}

/// Lets an account be used again. What waits for it goes out.
#[utoipa::path(post, path = "/accounts/{account}/resume", tag = "accounts", operation_id = "resume_account",
    params(("account" = String, Path)),
    responses(
        (status = 200, body = Now),
        (status = 409, description = "it is not paused", body = Problem, content_type = "application/problem+json"),
    ))]
async fn resume(State(app): State<App>, operator: Operator, Name(name): Name) -> Result<Json<Now>, Problem> {
    allowance::resume(&app.engine, &operator.author(&app), &name).await?;
    find(&app, &name).await
}

async fn find(app: &App, name: &str) -> Result<Json<Now>, Problem> {
    let found = allowance::accounts(&app.engine).await?.into_iter().find(|it| it.name == name);
    found.map(Json).ok_or_else(|| Problem::not_found("account", name))
}
