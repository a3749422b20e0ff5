//! Events: programs tell of what happened, and batches that subscribe run once for it.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{App, Operator, Page, Paging, PagingParams, Problem, body::Body, params::Params};
use crate::{
    catalog::{self, Faults, check},
    trigger::event::{self, Event},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, receive))
}

/// The longest key.
const LONGEST_KEY: usize = 200;

/// How many bytes an event's data may have as JSON. They are parameters; files come in by other ways.
const LARGEST: usize = 64 * 1024;

/// How deep an event's data may be nested.
const DEEPEST: usize = 32;

/// Something that happened.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
struct NewEvent {
    /// Letters, digits, dots, hyphens and underscores.
    #[serde(rename = "type")]
    #[schema(required, example = "campaign.ended")]
    kind: Option<String>,
    /// The same type and key again is the same event.
    #[schema(required, min_length = 1, max_length = 200, example = "17")]
    key: Option<String>,
    /// What batches see as `event.data`.
    data: Option<Map<String, Value>>,
}

impl NewEvent {
    fn checked(self, mut faults: Faults) -> Result<event::NewEvent, Problem> {
        let kind = faults.need("type", self.kind, "write what happened, such as `campaign.ended`");
        faults.told("type", kind.as_deref().and_then(catalog::event_type));
        let key = faults.need("key", self.key, "write what tells this event from others of its type");
        faults.told("key", key.as_deref().and_then(check::line));
        if key.as_ref().is_some_and(|key| key.chars().count() > LONGEST_KEY) {
            faults.add("key", format!("is too long; write at most {LONGEST_KEY} letters"));
        }
        let data = Value::Object(self.data.unwrap_or_default());
        if data.to_string().len() > LARGEST {
            faults.add("data", format!("is too large; write at most {LARGEST} bytes of JSON"));
        }
        if depth(&data) > DEEPEST {
            faults.add("data", format!("is nested too deep; {DEEPEST} levels are the most"));
        }
        let (kind, key) = faults.or((kind.unwrap_or_default(), key.unwrap_or_default()))?;
        let Value::Object(data) = data else { return Err(Problem::at("data", "write an object")) };
        Ok(event::NewEvent { kind, key, data })
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// Tells of an event. Each batch that subscribes runs once for it; telling it again starts nothing, and is answered with
/// what came of it the first time.
#[utoipa::path(post, path = "/events", tag = "events", operation_id = "send_event", request_body = NewEvent,
    responses((status = 202, body = Event)))]
async fn receive(
    State(app): State<App>,
    operator: Operator,
    Body(written, faults): Body<NewEvent>,
) -> Result<impl IntoResponse, Problem> {
    let new = written.checked(faults)?;
    let event = event::receive(&app.engine, &operator.author(&app), new).await?;
    Ok((StatusCode::ACCEPTED, Json(event)))
}

/// Which events are asked for.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only events of this type.
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Lists events, the latest first.
#[utoipa::path(get, path = "/events", tag = "events", operation_id = "list_events", params(Asked, PagingParams),
    responses((status = 200, body = Page<Event>)))]
async fn list(
    State(app): State<App>,
    _: Operator,
    Params(asked): Params<Asked>,
    paging: Paging,
) -> Result<Json<Page<Event>>, Problem> {
    let kind = asked.kind.as_deref().filter(|kind| !kind.is_empty());
    if kind.is_some_and(|kind| catalog::event_type(kind).is_some()) {
        return Err(Problem::at("type", "is no type of event"));
    }
    let events = event::list(&app.shelf.db, kind, (paging.after_id()?, paging.fetch())).await?;
    Ok(Json(paging.page(events, |event| event.id.to_string())))
}
