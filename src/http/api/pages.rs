//! Pages of a fax as pictures.

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::IntoResponse,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{Anyone, App, Problem},
    transmissions::{find, note},
};
use crate::{
    id::TransmissionId,
    run::pages::{self, NoPage},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(page))
}

/// Gives a page of a fax as it was sent, or as it will arrive: a PNG in black and white.
#[utoipa::path(get, path = "/transmissions/{transmission}/pages/{page}", tag = "transmissions", operation_id = "read_page",
    params(("transmission" = i64, Path), ("page" = String, Path, description = "`1.png` is the first", example = "1.png")),
    responses(
        (status = 200, description = "the page", body = Vec<u8>, content_type = "image/png"),
        (status = 404, description = "it has no such page", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "it is not rendered yet, or its files cannot become pages", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "its files were purged", body = Problem, content_type = "application/problem+json"),
    ))]
async fn page(
    State(app): State<App>,
    Anyone(caller): Anyone,
    Path((id, name)): Path<(String, String)>,
) -> Result<impl IntoResponse, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("transmission", &id))?;
    let transmission = find(&app, &caller, TransmissionId(id)).await?;
    let number = name.strip_suffix(".png").and_then(|number| number.parse().ok());
    let number = number.ok_or_else(|| Problem::not_found("page", &name))?;
    let png = pages::png(&app.engine, &transmission, number).await?.map_err(|none| refused(&none))?;
    note(&app, &caller, ("transmission.page_seen", id)).await?;
    Ok(([(header::CONTENT_TYPE, "image/png")], png))
}

fn refused(none: &NoPage) -> Problem {
    let status = match none {
        NoPage::NotFax(_) | NoPage::Beyond(_) => StatusCode::NOT_FOUND,
        NoPage::NotRendered(_) | NoPage::Unfit(_) => StatusCode::CONFLICT,
        NoPage::Purged(_) => StatusCode::GONE,
    };
    Problem::new(status, none.to_string())
}
