//! Transmissions, one by one.

use axum::{Json, body::Body, extract::State, http::StatusCode, response::IntoResponse};
use serde::Deserialize;
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        Anyone, App, Operator, Page, Problem,
        auth::author,
        body::{Body as JsonBody, Id, MaybeBody},
        idempotency::{IdempotencyHeader, IdempotencyKey},
    },
    run_files::zipped,
};
use crate::{
    account::Caller,
    audit::{self, Deed},
    catalog::check,
    id::TransmissionId,
    run::{
        act::{self, Again, Settlement},
        book::{self, Attempt, Transmission},
        files,
    },
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(read))
        .routes(routes!(attempts))
        .routes(routes!(resend))
        .routes(routes!(settle))
        .routes(routes!(cancel))
        .routes(routes!(evidence))
}

/// Gives a transmission.
#[utoipa::path(get, path = "/transmissions/{transmission}", tag = "transmissions", operation_id = "read_transmission",
    params(("transmission" = i64, Path)), responses((status = 200, body = Transmission)))]
async fn read(State(app): State<App>, Anyone(caller): Anyone, Id(id): Id) -> Result<Json<Transmission>, Problem> {
    find(&app, &caller, TransmissionId(id)).await.map(Json)
}

/// Lists the attempts at a transmission, with what was said on the wire.
#[utoipa::path(get, path = "/transmissions/{transmission}/attempts", tag = "transmissions",
    operation_id = "list_attempts", params(("transmission" = i64, Path)),
    responses((status = 200, body = Page<Attempt>)))]
async fn attempts(State(app): State<App>, Anyone(caller): Anyone, Id(id): Id) -> Result<Json<Page<Attempt>>, Problem> {
    let transmission = find(&app, &caller, TransmissionId(id)).await?;
    let items = book::attempts(&app.shelf.db, transmission.id).await?;
    Ok(Json(Page { items, next: None }))
}

/// How a transmission is sent again.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Resend {
    /// Render the documents anew instead of sending the same bytes.
    render: Option<bool>,
    /// Send it also to a contact to which nothing is sent any more; the audit log says who did.
    despite_suppression: Option<bool>,
}

/// Sends a transmission again, as a new one.
#[utoipa::path(post, path = "/transmissions/{transmission}/resend", tag = "transmissions",
    operation_id = "resend_transmission", params(("transmission" = i64, Path), IdempotencyHeader),
    request_body = Option<Resend>,
    responses(
        (status = 202, body = Transmission),
        (status = 409, description = "it cannot be sent again now", body = Problem, content_type = "application/problem+json"),
    ))]
async fn resend(
    State(app): State<App>,
    operator: Operator,
    Id(id): Id,
    IdempotencyKey(key): IdempotencyKey,
    MaybeBody(wanted, faults): MaybeBody<Resend>,
) -> Result<impl IntoResponse, Problem> {
    faults.or(())?;
    let despite_suppression = wanted.despite_suppression.unwrap_or_default();
    let (render, by) = (wanted.render.unwrap_or_default(), operator.0.user.clone());
    let again = Again { render, despite_suppression, key, by };
    let new = act::resend(&app.engine, TransmissionId(id), &again).await?;
    Ok((StatusCode::ACCEPTED, Json(find(&app, &operator.0, new).await?)))
}

/// What a person found out about a transmission.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Finding {
    #[schema(required)]
    outcome: Option<Settlement>,
    /// How they know; for the book.
    why: Option<String>,
}

/// Settles an uncertain transmission.
#[utoipa::path(post, path = "/transmissions/{transmission}/settle", tag = "transmissions",
    operation_id = "settle_transmission", params(("transmission" = i64, Path)), request_body = Finding,
    responses(
        (status = 200, body = Transmission),
        (status = 409, description = "it is not uncertain", body = Problem, content_type = "application/problem+json"),
    ))]
async fn settle(
    State(app): State<App>,
    operator: Operator,
    Id(id): Id,
    JsonBody(finding, mut faults): JsonBody<Finding>,
) -> Result<Json<Transmission>, Problem> {
    let why = finding.why.unwrap_or_else(|| "settled by hand".to_owned());
    faults.told("why", check::line(&why));
    let outcome = faults.need("outcome", finding.outcome, "write `delivered`, `failed` or `again`");
    let Some(outcome) = faults.or(outcome)? else { return Err(Problem::at("outcome", "is missing")) };
    act::settle(&app.engine, TransmissionId(id), outcome, (&operator.0.user, &why)).await?;
    find(&app, &operator.0, TransmissionId(id)).await.map(Json)
}

/// Keeps a queued transmission from being sent.
#[utoipa::path(post, path = "/transmissions/{transmission}/cancel", tag = "transmissions",
    operation_id = "cancel_transmission", params(("transmission" = i64, Path)),
    responses(
        (status = 200, body = Transmission),
        (status = 409, description = "it is not queued", body = Problem, content_type = "application/problem+json"),
    ))]
async fn cancel(State(app): State<App>, operator: Operator, Id(id): Id) -> Result<Json<Transmission>, Problem> {
    act::cancel_transmission(&app.engine, TransmissionId(id), &operator.0.user).await?;
    find(&app, &operator.0, TransmissionId(id)).await.map(Json)
}

/// Gives what proves a transmission: the bytes sent, their digests, attempts, transcripts and later words.
#[utoipa::path(get, path = "/transmissions/{transmission}/evidence.zip", tag = "transmissions",
    operation_id = "download_evidence", params(("transmission" = i64, Path)),
    responses((status = 200, description = "the archive", body = Vec<u8>, content_type = "application/zip")))]
async fn evidence(State(app): State<App>, Anyone(caller): Anyone, Id(id): Id) -> Result<impl IntoResponse, Problem> {
    let transmission = find(&app, &caller, TransmissionId(id)).await?;
    note(&app, &caller, ("transmission.downloaded", id)).await?;
    let bytes = files::evidence(&app.shelf.db, &app.shelf.store, transmission).await?;
    Ok((zipped(&format!("evidence-{id}.zip")), Body::from_stream(bytes)))
}

/// A transmission of a run that the caller may see.
pub(super) async fn find(app: &App, caller: &Caller, id: TransmissionId) -> Result<Transmission, Problem> {
    let found = book::transmission(&app.shelf.db, id).await?;
    let found = found.ok_or_else(|| Problem::not_found("transmission", id))?;
    let seen = book::run(&app.shelf.db, found.run, caller.only()).await?;
    seen.map(|_| found).ok_or_else(|| Problem::not_found("transmission", id))
}

pub(super) async fn note(app: &App, caller: &Caller, (action, id): (&str, i64)) -> Result<(), Problem> {
    let deed = Deed { action, object: &id.to_string(), detail: json!({}) };
    Ok(audit::note(&app.shelf.db, &author(caller, app), deed).await?)
}
