//! Tokens: administrators see and end all of them, others their own.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    Anyone, App, Page, Paging, PagingParams, Problem,
    auth::author,
    body::{Body, Id},
};
use crate::account::{self, Caller, Issued, NewToken, Role, Token};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, issue)).routes(routes!(revoke))
}

/// Lists tokens, without their secrets.
#[utoipa::path(get, path = "/tokens", tag = "tokens", operation_id = "list_tokens", params(PagingParams),
    responses((status = 200, body = Page<Token>)))]
async fn list(State(app): State<App>, Anyone(caller): Anyone, paging: Paging) -> Result<Json<Page<Token>>, Problem> {
    let page = (paging.after_id()?, paging.fetch());
    let tokens = account::tokens(&app.shelf.db, own(&caller), page).await?;
    Ok(Json(paging.page(tokens, |token| token.id.to_string())))
}

/// Makes a token. Its secret is in this answer, and never again.
#[utoipa::path(post, path = "/tokens", tag = "tokens", operation_id = "issue_token", request_body = NewToken,
    responses((status = 201, body = Issued)))]
async fn issue(
    State(app): State<App>,
    Anyone(caller): Anyone,
    Body(wanted, faults): Body<NewToken>,
) -> Result<impl IntoResponse, Problem> {
    let (user, title, scope) = account::new_token(wanted, &caller, faults)?;
    if caller.role != Role::Admin && (user != caller.user || scope.is_none_or(|scope| scope > caller.role)) {
        let detail = format!("this token can make others for `{}` only, with a `scope` no greater", caller.user);
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let issued = account::issue(&app.shelf.db, &author(&caller, &app), (&user, &title, scope)).await?;
    Ok((StatusCode::CREATED, Json(issued)))
}

/// Ends a token at once.
#[utoipa::path(delete, path = "/tokens/{token}", tag = "tokens", operation_id = "revoke_token",
    params(("token" = i64, Path)), responses((status = 204, description = "it is ended")))]
async fn revoke(State(app): State<App>, Anyone(caller): Anyone, Id(token): Id) -> Result<StatusCode, Problem> {
    let revoked = account::revoke(&app.shelf.db, &author(&caller, &app), (token, own(&caller))).await?;
    if revoked { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("token", token)) }
}

fn own(caller: &Caller) -> Option<&str> {
    (caller.role != Role::Admin).then_some(caller.user.as_str())
}
