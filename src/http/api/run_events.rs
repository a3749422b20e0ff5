//! What happens in a run, told while it happens.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, StreamExt, stream};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{Anyone, App, Problem, body::Id},
    runs::visible,
};
use crate::{
    id::RunId,
    run::book::{self, Line},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(events))
}

/// How long until the log is looked at again. Longer is told later; shorter costs a query more per listener.
const PAUSE: Duration = Duration::from_millis(500);

/// One event, as it is described.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the events, which are written line by line")]
struct RunEvent {
    /// The number of the line, for `Last-Event-ID`.
    id: String,
    /// The stable word of the line.
    event: String,
    /// The line, a `LogLine`, as JSON.
    #[schema(content_media_type = "application/json")]
    data: String,
}

/// Tells what happens in a run as server-sent events, from its beginning or after the header `Last-Event-ID`, until
/// the run has ended. Who asks again after the end is told that nothing more comes.
#[utoipa::path(get, path = "/runs/{run}/events", tag = "runs", operation_id = "watch_run",
    params(("run" = i64, Path), ("Last-Event-ID" = Option<i32>, Header, description = "the last event seen")),
    responses(
        (status = 200, description = "lines of the run's log", body = RunEvent, content_type = "text/event-stream"),
        (status = 204, description = "the run has ended and everything was told"),
    ))]
async fn events(
    State(app): State<App>,
    Anyone(caller): Anyone,
    Id(run): Id,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let run = visible(&app, &caller, RunId(run)).await?;
    let after = match headers.get("last-event-id") {
        None => 0,
        Some(id) => id
            .to_str()
            .ok()
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| Problem::at("Last-Event-ID", "write the number of an event, or leave the header out"))?,
    };
    if after > 0 && run.ended_at.is_some() && book::log(&app.shelf.db, run.id, after).await?.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let told = lines(app, run.id, after).flat_map(|lines| stream::iter(lines.into_iter().map(event)));
    Ok(Sse::new(told).keep_alive(KeepAlive::default()).into_response())
}

/// Where a listener stands: the last line told, and whether it is the first look.
struct Place {
    after: i32,
    first: bool,
}

/// Pieces of the log as they are written. A fault ends the stream; the listener comes back by itself.
fn lines(app: App, run: RunId, after: i32) -> impl Stream<Item = Vec<Line>> {
    stream::unfold(Some(Place { after, first: true }), move |place| {
        let app = app.clone();
        async move {
            let Place { after, first } = place?;
            if !first {
                app.stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await?;
            }
            let (lines, ended) = look(&app, run, after).await?;
            let after = lines.last().map_or(after, |line| line.number);
            Some((lines, (!ended).then_some(Place { after, first: false })))
        }
    })
}

/// What is new, and whether that was the end. The state is read before the log: what ended the run is then in it.
async fn look(app: &App, run: RunId, after: i32) -> Option<(Vec<Line>, bool)> {
    let ended = book::run(&app.shelf.db, run, None).await.ok()??.ended_at.is_some();
    let lines = book::log(&app.shelf.db, run, after).await.ok()?;
    let ended = ended && lines.len() < PIECE;
    Some((lines, ended))
}

/// As many lines as the book gives at once; more may follow.
const PIECE: usize = 500;

fn event(line: Line) -> Result<Event, Infallible> {
    let event = Event::default().id(line.number.to_string()).event(line.event.clone());
    let data = serde_json::to_string(&line).unwrap_or_default();
    Ok(event.data(data))
}
