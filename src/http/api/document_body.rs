//! A document as JSON, or a file uploaded from a form.

use axum::{
    extract::{FromRequest, Multipart, Request, multipart::Field},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::super::{App, Problem, body};
use crate::catalog::{Faults, input, read};

/// A document that was sent, with what is wrong with its types.
#[derive(Debug)]
pub(super) struct DocumentBody(pub input::Document, pub Faults);

/// The form that uploads a file.
#[derive(Debug, utoipa::ToSchema)]
pub(super) struct DocumentForm {
    /// The key; the path's when there is one.
    #[expect(dead_code, reason = "describes the form, which is read part by part")]
    name: Option<String>,
    #[expect(dead_code, reason = "describes the form, which is read part by part")]
    title: Option<String>,
    /// The file, with its name and media type.
    #[expect(dead_code, reason = "describes the form, which is read part by part")]
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

impl FromRequest<App> for DocumentBody {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let value = if body::is(request.headers(), "multipart/form-data") {
            let form = Multipart::from_request(request, app).await.map_err(IntoResponse::into_response)?;
            uploaded(form).await?
        } else {
            body::json(request, app).await?
        };
        let mut faults = Faults::default();
        let document = read(value, &mut faults);
        Ok(Self(document, faults))
    }
}

/// What the parts of a form say, as the JSON that would have said it.
async fn uploaded(mut form: Multipart) -> Result<Value, Response> {
    let mut document = Map::from_iter([("kind".to_owned(), Value::from("stored"))]);
    while let Some(part) = form.next_field().await.map_err(IntoResponse::into_response)? {
        match part.file_name() {
            Some(_) => file(part, &mut document).await?,
            None => {
                let name = part.name().unwrap_or_default().to_owned();
                let text = part.text().await.map_err(IntoResponse::into_response)?;
                document.insert(name, Value::from(text));
            }
        }
    }
    Ok(Value::Object(document))
}

async fn file(part: Field<'_>, document: &mut Map<String, Value>) -> Result<(), Response> {
    if document.contains_key("content") {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "send one file in a form").into_response());
    }
    let name = part.file_name().unwrap_or_default().to_owned();
    let media_type = part.content_type().unwrap_or("application/octet-stream").to_owned();
    let bytes = part.bytes().await.map_err(IntoResponse::into_response)?;
    document.insert("file".to_owned(), Value::from(name));
    document.insert("media_type".to_owned(), Value::from(media_type));
    document.insert("content".to_owned(), Value::from(BASE64_STANDARD.encode(bytes)));
    Ok(())
}
