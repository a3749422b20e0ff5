//! Documents of the catalogue.

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        Admin, App, Operator, Page, Paging, PagingParams, Problem,
        body::{Name, named},
    },
    batches::status,
    document_body::{DocumentBody, DocumentForm},
};
use crate::{
    audit::{self, Deed},
    catalog::{self, Expect, Faults, Saved, document, input},
    document::Source,
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, replace, delete)).routes(routes!(content))
}

/// Lists documents by name.
#[utoipa::path(get, path = "/documents", tag = "documents", operation_id = "list_documents", params(PagingParams),
    responses((status = 200, body = Page<document::Summary>)))]
async fn list(State(app): State<App>, _: Operator, paging: Paging) -> Result<Json<Page<document::Summary>>, Problem> {
    let documents = document::list(&app.shelf.db, paging.after.as_deref(), paging.fetch()).await?;
    Ok(Json(paging.page(documents, |document| document.name.clone())))
}

/// Adds a document: as JSON, or a file from a form.
#[utoipa::path(post, path = "/documents", tag = "documents", operation_id = "create_document",
    request_body(content((input::Document = "application/json"), (DocumentForm = "multipart/form-data"))),
    responses(
        (status = 201, body = input::Document, headers(("location" = String), ("etag" = String))),
        (status = 409, description = "there is one of that name", body = Problem, content_type = "application/problem+json"),
    ))]
async fn create(
    State(app): State<App>,
    admin: Admin,
    DocumentBody(document, faults): DocumentBody,
) -> Result<impl IntoResponse, Problem> {
    let name = document.name.clone().unwrap_or_default();
    save(&app, &admin, (document, faults), Expect::Absent).await?;
    let location = [(header::LOCATION, format!("/api/v1/documents/{name}"))];
    Ok((StatusCode::CREATED, location, written(&app, &name).await?))
}

/// Gives a document; the bytes of a stored one are at `/content`.
#[utoipa::path(get, path = "/documents/{document}", tag = "documents", operation_id = "read_document",
    params(("document" = String, Path)),
    responses((status = 200, body = input::Document, headers(("etag" = String)))))]
async fn read(State(app): State<App>, _: Operator, Name(name): Name) -> Result<impl IntoResponse, Problem> {
    written(&app, &name).await
}

/// Replaces a document, or adds it. Runs that have begun keep the one they began with.
#[utoipa::path(put, path = "/documents/{document}", tag = "documents", operation_id = "replace_document",
    params(("document" = String, Path)),
    request_body(content((input::Document = "application/json"), (DocumentForm = "multipart/form-data"))),
    responses(
        (status = 200, body = input::Document, headers(("etag" = String))),
        (status = 201, body = input::Document, headers(("etag" = String))),
    ))]
async fn replace(
    State(app): State<App>,
    admin: Admin,
    Name(name): Name,
    DocumentBody(mut document, mut faults): DocumentBody,
) -> Result<impl IntoResponse, Problem> {
    named(name.clone(), &mut document.name, &mut faults);
    let saved = save(&app, &admin, (document, faults), Expect::Any).await?;
    Ok((status(saved), written(&app, &name).await?))
}

/// Deletes a document that no batch uses.
#[utoipa::path(delete, path = "/documents/{document}", tag = "documents", operation_id = "delete_document",
    params(("document" = String, Path)),
    responses(
        (status = 204, description = "it is gone"),
        (status = 409, description = "batches use it", body = Problem, content_type = "application/problem+json"),
    ))]
async fn delete(State(app): State<App>, admin: Admin, Name(name): Name) -> Result<StatusCode, Problem> {
    document::delete(&app.shelf.db, &admin.author(&app), &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives the bytes of a stored document.
#[utoipa::path(get, path = "/documents/{document}/content", tag = "documents", operation_id = "read_document_content",
    params(("document" = String, Path)),
    responses((status = 200, description = "the bytes", body = Vec<u8>, content_type = "*/*")))]
async fn content(State(app): State<App>, operator: Operator, Name(name): Name) -> Result<impl IntoResponse, Problem> {
    let found = document::find(&app.shelf.db, &name).await?;
    let (document, _) = found.ok_or_else(|| Problem::not_found("document", &name))?;
    let Source::Stored { media_type, digest, .. } = document.source else {
        return Err(Problem::new(StatusCode::NOT_FOUND, format!("the document `{name}` is made anew for each run")));
    };
    let deed = Deed { action: "document.read", object: &name, detail: json!({ "digest": digest }) };
    audit::note(&app.shelf.db, &operator.author(&app), deed).await?;
    let bytes = app.shelf.store.read(&digest).await?;
    let headers = [(header::CONTENT_TYPE, media_type), (header::CONTENT_DISPOSITION, "attachment".to_owned())];
    Ok((headers, Body::from_stream(bytes)))
}

async fn save(
    app: &App,
    admin: &Admin,
    (document, faults): (input::Document, Faults),
    expect: Expect,
) -> Result<Saved, Problem> {
    let draft = catalog::validate_document(document, faults)?;
    Ok(document::save(&app.shelf, &admin.author(app), draft, expect).await?)
}

async fn written(app: &App, name: &str) -> Result<impl IntoResponse + use<>, Problem> {
    let found = document::get(&app.shelf.db, name).await?;
    let (document, revision) = found.ok_or_else(|| Problem::not_found("document", name))?;
    Ok(([(header::ETAG, format!("\"{revision}\""))], Json(document)))
}
