//! Who is calling, and whether they may: one extractor for each role.
//!
//! They stand before the body among a handler's arguments, so that nothing is read from a stranger.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{App, Problem};
use crate::{
    account::{self, Caller, Role},
    audit::Author,
};

/// Somebody with a valid token.
#[derive(Debug)]
pub struct Anyone(pub Caller);

/// Somebody with a valid token, who may also show it as the password of a login: calendar programs know nothing else.
/// Only for reading; browsers send logins along to whoever asks for something.
#[derive(Debug)]
pub struct Feed(pub Caller);

/// Somebody who may start, stop, retry and settle.
#[derive(Debug)]
pub struct Operator(pub Caller);

/// Somebody who may change everything.
#[derive(Debug)]
pub struct Admin(pub Caller);

impl FromRequestParts<App> for Anyone {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        at_least(Role::User, parts, app).await.map(Self)
    }
}

impl FromRequestParts<App> for Feed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let secret = bearer(parts).map(str::to_owned).or_else(|| password(parts)).ok_or_else(nothing_shown)?;
        known(Role::User, &secret, app).await.map(Self)
    }
}

impl FromRequestParts<App> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        at_least(Role::Operator, parts, app).await.map(Self)
    }
}

impl FromRequestParts<App> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        at_least(Role::Admin, parts, app).await.map(Self)
    }
}

impl Admin {
    /// The caller as the one who makes a change now.
    pub fn author(&self, app: &App) -> Author {
        author(&self.0, app)
    }
}

impl Operator {
    /// The caller as the one who does something now.
    pub fn author(&self, app: &App) -> Author {
        author(&self.0, app)
    }
}

/// `caller` as the one who makes a change now.
pub fn author(caller: &Caller, app: &App) -> Author {
    Author { name: caller.user.clone(), at: app.clock.now() }
}

async fn at_least(role: Role, parts: &Parts, app: &App) -> Result<Caller, Problem> {
    known(role, bearer(parts).ok_or_else(nothing_shown)?, app).await
}

fn nothing_shown() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "send a token in the header `Authorization: Bearer pb_...`")
}

/// Whoever the token `secret` belongs to, if they may do what `role` may.
async fn known(role: Role, secret: &str, app: &App) -> Result<Caller, Problem> {
    let caller = account::authenticate(&app.shelf.db, secret, app.clock.now()).await?;
    let caller = caller.ok_or_else(|| {
        Problem::new(StatusCode::UNAUTHORIZED, "the token is unknown or revoked, or its user is disabled")
    })?;
    if caller.role < role {
        let detail = match role {
            Role::Admin => "this needs a token with the scope `admin`, of a user with that role",
            _ => "this needs a token with the scope `operator` or `admin`, of a user with that role",
        };
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    Ok(caller)
}

fn bearer(parts: &Parts) -> Option<&str> {
    let (scheme, secret) = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim())
}

/// The password of a login, whatever the name.
fn password(parts: &Parts) -> Option<String> {
    let (scheme, login) = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let login = BASE64_STANDARD.decode(login.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let login = String::from_utf8(login).ok()?;
    login.split_once(':').map(|(_, password)| password.to_owned())
}
