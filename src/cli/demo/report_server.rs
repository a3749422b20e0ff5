//! A small report server of the demo's own, so that a remote document has somewhere to come from.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result, anyhow};
use axum::{
    Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::json;

use crate::{document::template::Typesetter, workflow::Files};

/// A running server; it ends with the process.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) url: String,
}

const TEMPLATE: &str = "demo/report-server/hours.typ";

/// Starts it on loopback, with its template from the samples of the workflow.
pub(super) async fn start(samples: &Files) -> Result<Server> {
    let template = samples.get(TEMPLATE).context("the report server's template is missing")?.clone();
    let listener = tokio::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))
        .await
        .context("opening the demo's report server")?;
    let address = listener.local_addr().context("asking for the report server's address")?;
    let files = Files::from_iter([(TEMPLATE.to_owned(), template)]);
    let typesetter = tokio::task::spawn_blocking(move || Typesetter::new(&files)).await.context("reading fonts")?;
    let router = Router::new().route("/reports/hours", get(hours)).with_state(Arc::new(typesetter));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(Server { address, url: format!("http://{address}") })
}

#[derive(Deserialize)]
struct Asked {
    company: String,
    date: String,
}

/// Hours worked in a company on a day, as a PDF.
async fn hours(State(typesetter): State<Arc<Typesetter>>, Query(asked): Query<Asked>) -> Response {
    let context = json!({
        "company": asked.company,
        "date": asked.date,
        "business_date": asked.date,
        "crews": [
            { "name": "Framing", "hours": 41 },
            { "name": "Roofing", "hours": 38 },
            { "name": "Electrical", "hours": 27 },
            { "name": "Site office", "hours": 16 },
        ],
    });
    let typeset = tokio::task::spawn_blocking(move || typesetter.render(TEMPLATE, &context)).await;
    match typeset.map_err(|error| anyhow!(error).to_string()).and_then(|pdf| pdf) {
        Ok(pdf) => ([(header::CONTENT_TYPE, "application/pdf")], pdf.bytes).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error).into_response(),
    }
}
