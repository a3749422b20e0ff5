//! Links that stand for files: shown to those who send, and withdrawn.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{App, Operator, Problem, body::Id},
    transmissions::note,
};
use crate::{
    id::TransmissionId,
    run::{
        act,
        pickup::{self, Shown},
    },
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(revoke))
}

/// A link with what became of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct PickupLink {
    #[serde(flatten)]
    shown: Shown,
    /// The link itself. Whoever has it has the files. Nothing when its account has another secret by now.
    link: Option<String>,
}

/// Gives the link that stands for the files of a transmission, and who fetched what by it.
#[utoipa::path(get, path = "/transmissions/{transmission}/pickup", tag = "transmissions",
    operation_id = "read_pickup", params(("transmission" = i64, Path)), responses((status = 200, body = PickupLink)))]
async fn read(State(app): State<App>, operator: Operator, Id(id): Id) -> Result<Json<PickupLink>, Problem> {
    let shown = find(&app, id).await?;
    let link = pickup::link(&app.engine, TransmissionId(id)).await?;
    note(&app, &operator.0, ("pickup.read", id)).await?;
    Ok(Json(PickupLink { shown, link }))
}

/// Withdraws the link of a transmission: from now on it leads nowhere.
#[utoipa::path(post, path = "/transmissions/{transmission}/revoke", tag = "transmissions",
    operation_id = "revoke_pickup", params(("transmission" = i64, Path)),
    responses(
        (status = 200, body = Shown),
        (status = 409, description = "it has no link that leads anywhere", body = Problem, content_type = "application/problem+json"),
    ))]
async fn revoke(State(app): State<App>, operator: Operator, Id(id): Id) -> Result<Json<Shown>, Problem> {
    act::revoke(&app.engine, TransmissionId(id), &operator.0.user).await?;
    find(&app, id).await.map(Json)
}

async fn find(app: &App, id: i64) -> Result<Shown, Problem> {
    let shown = pickup::shown(&app.shelf.db, TransmissionId(id)).await?;
    shown.ok_or_else(|| Problem::not_found("link of transmission", id))
}
