//! Recipients: whom the batches of today send to.

use axum::{Json, extract::State};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{Anyone, App, Page, Paging, PagingParams, Problem, params::Params};
use crate::{
    account::Caller,
    catalog::Faults,
    run::recipient::{self, Addressee, Wanted},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which recipients are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Whose name contains this, in capitals or not.
    name: Option<String>,
    /// Whose address contains this, in capitals or not.
    contact: Option<String>,
}

impl Filter {
    fn wanted(self, caller: &Caller) -> Result<Wanted, Problem> {
        let mut faults = Faults::default();
        for (at, text) in [("name", &self.name), ("contact", &self.contact)] {
            if text.as_deref().is_some_and(|text| text.contains('\0')) {
                faults.add(at, "contains a NUL character; remove it");
            }
        }
        let run_as = caller.only().map(str::to_owned);
        Ok(faults.or(Wanted { name: self.name, contact: self.contact, run_as })?)
    }
}

/// Lists whom batches send to, by name, with what was last sent to each contact. Users see what runs as them.
#[utoipa::path(get, path = "/recipients", tag = "recipients", operation_id = "list_recipients",
    params(Filter, PagingParams), responses((status = 200, body = Page<Addressee>)))]
async fn list(
    State(app): State<App>,
    Anyone(caller): Anyone,
    Params(filter): Params<Filter>,
    paging: Paging,
) -> Result<Json<Page<Addressee>>, Problem> {
    let after = paging.after_parts()?;
    let found = recipient::list(&app.engine, &filter.wanted(&caller)?, (after.as_ref(), paging.fetch())).await?;
    Ok(Json(paging.page(found, |one| json!([one.name, one.channel, one.contact]).to_string())))
}
