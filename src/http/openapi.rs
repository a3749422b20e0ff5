//! The description of the API: what the handlers say, and what holds for all of them.

use axum::{body::Bytes, http::header, response::IntoResponse};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Content, OpenApi as Description, Ref, RefOr, Response, ResponseBuilder, Schema,
        path::{Operation, PathItem},
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

use super::Problem;
use crate::run::book::Line;

/// The parts of the description that belong to no single path.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Postbook",
        description = "Sends documents on a schedule and keeps the book of what was sent, when, to whom, and with what \
                       proof. Lists are paged with `after` and `limit`; whatever is refused is answered with a problem.",
    ),
    components(schemas(Problem, Line)),
    security(("token" = [])),
    modifiers(&Tokens)
)]
pub struct Api;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, api: &mut Description) {
        if let Some(components) = &mut api.components {
            let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
            components.add_security_scheme("token", scheme);
        }
    }
}

/// `GET /api/v1/openapi.json`
pub fn answer(description: Bytes) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], description)
}

/// Adds the problems that follow from what an operation takes.
pub fn complete(mut api: Description) -> Description {
    for (path, item) in &mut api.paths.paths {
        for operation in operations(item) {
            for (status, text) in problems(path, operation) {
                let responses = &mut operation.responses.responses;
                responses.entry(status.to_owned()).or_insert_with(|| problem(text).into());
            }
            describe(operation);
        }
    }
    let schemas = api.components.iter_mut().flat_map(|components| components.schemas.values_mut());
    schemas.for_each(no_default_where_required);
    api
}

/// What has to be written has no default, and the one of our lists, an empty one, is refused.
fn no_default_where_required(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    for name in &object.required {
        match object.properties.get_mut(name) {
            Some(RefOr::T(Schema::Array(array))) => array.default = None,
            Some(RefOr::T(Schema::Object(field))) => field.default = None,
            _ => {}
        }
    }
}

/// OpenAPI asks for a description of every answer; those without one have the operation's own.
fn describe(operation: &mut Operation) {
    let summary = operation.summary.clone().unwrap_or_default();
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description.clone_from(&summary);
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten()
}

fn problems(path: &str, operation: &Operation) -> Vec<(&'static str, &'static str)> {
    let mut problems = vec![("401", "no valid token"), ("403", "the token may not do that"), ("500", "a fault")];
    if path.contains('{') {
        problems.push(("400", "the path cannot be read"));
        problems.push(("404", "there is none that the caller may see"));
    }
    if operation.parameters.as_ref().is_some_and(|params| !params.is_empty()) {
        problems.push(("422", "a parameter is not valid"));
    }
    if operation.request_body.is_some() {
        problems.extend([
            ("400", "the body cannot be read"),
            ("413", "the body is too large"),
            ("415", "the body has an unknown media type"),
            ("422", "the body is not valid"),
        ]);
    }
    problems
}

fn problem(text: &str) -> Response {
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    ResponseBuilder::new().description(text).content("application/problem+json", content).build()
}
