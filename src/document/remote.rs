//! Documents from report servers: fills in the request, asks, and checks that a PDF is one.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;

use super::{Context, Document, Failure, Remote, Rendered, TextError, Toolbox, broken, name};
use crate::source::http::Request;

/// Asks for `document` with what `context` says.
pub(super) async fn render(
    toolbox: &Toolbox,
    document: &Document,
    remote: &Remote,
    context: &Context,
) -> Result<Result<Rendered, Failure>> {
    let (request, file) = match prepare(toolbox, document, remote, context) {
        Ok(prepared) => prepared,
        Err(failure) => return Ok(Err(failure)),
    };
    let bytes = match toolbox.http.fetch(&request).await {
        Ok(bytes) => bytes,
        Err(failure) => return Ok(Err(failure)),
    };
    let mut pages = None;
    if name::essence(&remote.media_type) == "application/pdf" {
        pages = match toolbox.renderer.count_pages(&bytes).await? {
            Ok(pages) => Some(pages),
            Err(mut failure) => {
                failure.reason.text = format!("the server's answer cannot be sent: {}", failure.reason.text);
                return Ok(Err(failure));
            }
        };
    }
    Ok(Ok(Rendered { file, media_type: remote.media_type.clone(), bytes, pages, digest: None }))
}

fn prepare(
    toolbox: &Toolbox,
    document: &Document,
    remote: &Remote,
    context: &Context,
) -> Result<(Request, String), Failure> {
    let text = |what: &str, source: &str| {
        toolbox.expressions.render_text(source, context).map_err(|error| unfilled(what, &error))
    };
    let pairs = |what: &str, map: &BTreeMap<String, String>| {
        let filled = map.iter().map(|(key, source)| Ok((key.clone(), text(&format!("{what} `{key}`"), source)?)));
        filled.collect::<Result<Vec<_>, Failure>>()
    };
    let secret = remote.secret.as_ref().map(|name| {
        toolbox
            .secrets
            .get(name)
            .cloned()
            .ok_or_else(|| broken("no-secret", format!("there is no secret `{name}` in the configuration")))
    });
    let url = toolbox.expressions.render_url(&remote.url, context).map_err(|error| unfilled("URL", &error))?;
    let file = remote.file.as_deref().map_or_else(|| Ok(document.title.clone()), |source| text("file name", source))?;
    let request = Request {
        method: remote.method.clone(),
        url,
        headers: pairs("header", &remote.headers)?,
        query: pairs("query parameter", &remote.query)?,
        body: remote.body.as_deref().map(|source| text("body", source)).transpose()?,
        secret: secret.transpose()?,
        media_type: remote.media_type.clone(),
        timeout: Duration::from_secs(remote.timeout),
        limit: remote.limit,
    };
    Ok((request, name::file_name(&file, &remote.media_type)))
}

fn unfilled(what: &str, error: &TextError) -> Failure {
    broken("expression-error", format!("the {what} of the request cannot be filled in: {error}"))
}
