//! The description of the API as a page for people, without scripts.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use axum::{
    body::Bytes,
    http::{HeaderName, header},
    response::{Html, IntoResponse},
};
use minijinja::Environment;
use serde_json::Value;

/// Writes the page once, when the doors open.
///
/// # Errors
/// When the page's template does not fit the description.
pub fn page(api: &Value) -> Result<String> {
    let mut environment = Environment::new();
    environment.add_template("docs.html", include_str!("docs.html")).context("reading the page of the API")?;
    let page = environment.get_template("docs.html").context("finding the page of the API")?;
    page.render(minijinja::context! { api => minijinja::value::Serde(api), tags => minijinja::value::Serde(tags(api)) })
        .context("writing the page of the API")
}

/// What the operations are about, by name.
fn tags(api: &Value) -> BTreeSet<String> {
    let items = api["paths"].as_object().into_iter().flat_map(|paths| paths.values());
    let operations = items.filter_map(Value::as_object).flat_map(|item| item.values());
    operations.filter_map(|operation| operation["tags"][0].as_str()).map(str::to_owned).collect()
}

/// The page allows its own style, and nothing else.
const POLICY: (HeaderName, &str) =
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");

/// `GET /api/docs`
pub fn answer(page: Bytes) -> impl IntoResponse {
    ([POLICY], Html(page))
}
