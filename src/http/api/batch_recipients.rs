//! The recipients of a batch from a table.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    Admin, App, Problem,
    body::{Name, is},
};
use crate::catalog::{self, Expect, Faults, Saved, batch, csv};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(replace))
}

/// What became of a table.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Imported {
    batch: String,
    /// How many recipients the batch lists now.
    recipients: usize,
    /// False when it listed exactly these already.
    changed: bool,
}

/// Replaces the recipients of a batch by the rows of a table, all of them or none. The first line names the columns: one
/// called like a channel is a contact, `name` is the name, all others are parameters of the recipient.
#[utoipa::path(post, path = "/batches/{batch}/recipients", tag = "batches", operation_id = "replace_batch_recipients",
    params(("batch" = String, Path)),
    request_body(content = String, content_type = "text/csv",
        example = "name,email,fax,account\nAnn Baker,ann@example.org,+48 12 123 45 67,4711\n"),
    responses((status = 200, body = Imported)))]
async fn replace(
    State(app): State<App>,
    admin: Admin,
    Name(name): Name,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Imported>, Problem> {
    if !is(&headers, "text/csv") {
        let detail = "send the table with the header `Content-Type: text/csv`";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let found = batch::get(&app.shelf, &name, None).await?;
    let (mut batch, _) = found.ok_or_else(|| Problem::not_found("batch", &name))?;
    let mut faults = Faults::default();
    batch.recipients = csv::recipients(&body, &mut faults);
    let recipients = batch.recipients.len();
    let known = catalog::known(&app.shelf.db, &batch, &app.outside()).await?;
    let draft = catalog::validate::batch(batch, &known, faults)?;
    let saved = catalog::save(&app.shelf, &admin.author(&app), draft, Expect::Any).await?;
    Ok(Json(Imported { batch: name, recipients, changed: saved != Saved::Unchanged }))
}
