//! Tokens: what programs show at the doors. Only their hashes are kept.

use anyhow::{Context, Result};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};

use super::{
    Role, User,
    user::{lock, write},
};
use crate::{
    audit::{self, Author, Deed},
    catalog::{Faults, check},
};

/// Whoever shows a valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub user: String,
    /// What they may do: the smaller of the user's role and the token's scope.
    pub role: Role,
}

impl Caller {
    /// Whose things they see: those that run as them, or everyone's.
    pub fn only(&self) -> Option<&str> {
        (self.role == Role::User).then_some(self.user.as_str())
    }
}

/// A token without its secret, which nobody can show again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Token {
    pub id: i64,
    pub user: String,
    pub title: String,
    pub scope: Role,
    pub created_at: DateTime<Utc>,
    /// To the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A token as it is asked for.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewToken {
    /// The caller when absent.
    #[schema(example = "site-a")]
    pub user: Option<String>,
    /// What it is for.
    #[schema(required, example = "nightly export")]
    pub title: Option<String>,
    /// What it may do at most; the user's role when absent.
    pub scope: Option<Role>,
}

/// A new token, with the secret that is shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Issued {
    #[serde(flatten)]
    pub about: Token,
    /// Send it as `Authorization: Bearer pb_...`.
    #[schema(example = "pb_b64...")]
    pub token: String,
}

/// Why a token was not issued.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("there is no enabled user `{0}`")]
    UnknownUser(String),
    #[error("the scope is more than the role of `{0}`")]
    TooMuch(String),
    #[error(transparent)]
    Fault(#[from] anyhow::Error),
}

/// How far `last_used_at` may lag. Shorter writes to the table more often.
const LAG: TimeDelta = TimeDelta::minutes(1);

/// Who shows `secret`, if it is a valid token of an enabled user.
pub async fn authenticate(db: &PgPool, secret: &str, now: DateTime<Utc>) -> Result<Option<Caller>> {
    let found = sqlx::query!(
        r#"
        select token.id, token."user", token.scope as "scope: Role", token.last_used_at, "user".role as "role: Role"
          from token
          join "user" on "user".name = token."user"
         where token.hash = $1 and token.revoked_at is null and "user".enabled
        "#,
        hash(secret),
    )
    .fetch_optional(db)
    .await
    .context("looking up a token")?;
    let Some(found) = found else { return Ok(None) };
    if found.last_used_at.is_none_or(|used| now - used >= LAG) {
        touch(db, found.id, now).await?;
    }
    Ok(Some(Caller { user: found.user, role: found.role.min(found.scope) }))
}

async fn touch(db: &PgPool, token: i64, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!("update token set last_used_at = $2 where id = $1", token, now)
        .execute(db)
        .await
        .with_context(|| format!("noting the use of token {token}"))?;
    Ok(())
}

/// Checks what was asked for: the user, the title and the scope.
///
/// # Errors
/// All that is wrong, with what is in `faults` already.
pub fn new_token(
    input: NewToken,
    caller: &Caller,
    mut faults: Faults,
) -> Result<(String, String, Option<Role>), Faults> {
    let title = faults.need("title", input.title, "write what it is for").unwrap_or_default();
    if let Some(fault) = check::line(&title) {
        faults.add("title", fault);
    }
    faults.or((input.user.unwrap_or_else(|| caller.user.clone()), title, input.scope))
}

/// Makes a token for `user`.
///
/// # Errors
/// When there is no such user, or the scope is more than the user's role.
pub async fn issue(
    db: &PgPool,
    author: &Author,
    (user, title, scope): (&str, &str, Option<Role>),
) -> Result<Issued, TokenError> {
    let role = sqlx::query_scalar!(r#"select role as "role: Role" from "user" where name = $1 and enabled"#, user)
        .fetch_optional(db)
        .await
        .with_context(|| format!("reading the role of {user}"))?
        .ok_or_else(|| TokenError::UnknownUser(user.to_owned()))?;
    let scope = scope.unwrap_or(role);
    if scope > role {
        return Err(TokenError::TooMuch(user.to_owned()));
    }
    let mut db = db.begin().await.context("beginning to issue a token")?;
    let issued = insert(&mut db, author, (user, title, scope)).await?;
    db.commit().await.context("issuing a token")?;
    Ok(issued)
}

async fn insert(db: &mut PgConnection, author: &Author, (user, title, scope): (&str, &str, Role)) -> Result<Issued> {
    let secret = format!("pb_{}", BASE64_URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 32]>()));
    let about = sqlx::query_as!(
        Token,
        r#"
        insert into token ("user", title, scope, hash, created_at)
        values ($1, $2, $3, $4, $5)
        returning id, "user", title, scope as "scope: Role", created_at, last_used_at, revoked_at
        "#,
        user,
        title,
        scope as Role,
        hash(&secret),
        author.at,
    )
    .fetch_one(&mut *db)
    .await
    .with_context(|| format!("adding a token of {user}"))?;
    let detail = json!({ "user": user, "scope": scope });
    audit::record(db, author, Deed { action: "token.issued", object: &about.id.to_string(), detail }).await?;
    Ok(Issued { about, token: secret })
}

/// Ends a token, of `only` this user when one is given. False when there is none that could be ended.
pub async fn revoke(db: &PgPool, author: &Author, (token, only): (i64, Option<&str>)) -> Result<bool> {
    let mut db = db.begin().await.context("beginning to revoke a token")?;
    let revoked = sqlx::query!(
        r#"
        update token
           set revoked_at = $2
         where id = $1 and revoked_at is null and ($3::text is null or "user" = $3)
        "#,
        token,
        author.at,
        only,
    )
    .execute(&mut *db)
    .await
    .with_context(|| format!("revoking token {token}"))?;
    if revoked.rows_affected() == 0 {
        return Ok(false);
    }
    let object = token.to_string();
    audit::record(&mut db, author, Deed { action: "token.revoked", object: &object, detail: json!({}) }).await?;
    db.commit().await.context("revoking a token")?;
    Ok(true)
}

/// A page of tokens in the order of their ids, after the id `after`.
pub async fn tokens(db: &PgPool, only: Option<&str>, (after, limit): (Option<i64>, i64)) -> Result<Vec<Token>> {
    sqlx::query_as!(
        Token,
        r#"
        select id, "user", title, scope as "scope: Role", created_at, last_used_at, revoked_at
          from token
         where ($1::text is null or "user" = $1) and ($2::bigint is null or id > $2)
         order by id
         limit $3
        "#,
        only,
        after,
        limit,
    )
    .fetch_all(db)
    .await
    .context("listing tokens")
}

/// Makes the user `admin` and a token for it, when there is no administrator yet. Users may have been set up before.
pub async fn first_admin(db: &PgPool, now: DateTime<Utc>) -> Result<Option<Issued>> {
    let mut db = db.begin().await.context("beginning to make the first administrator")?;
    lock(&mut db).await?;
    let there =
        sqlx::query_scalar!(r#"select exists (select from "user" where role = 'admin' or name = 'admin') as "there!""#)
            .fetch_one(&mut *db)
            .await
            .context("looking for administrators")?;
    if there {
        return Ok(None);
    }
    let author = Author { name: "postbook".to_owned(), at: now };
    let admin = User {
        name: "admin".to_owned(),
        title: "Administrator".to_owned(),
        role: Role::Admin,
        attributes: Map::new(),
        contacts: Default::default(),
        monitor: false,
        monitor_channel: "email".to_owned(),
        zone: None,
        enabled: true,
    };
    write(&mut db, &author, &admin).await?;
    let issued = insert(&mut db, &author, ("admin", "first start", Role::Admin)).await?;
    db.commit().await.context("making the first administrator")?;
    Ok(Some(issued))
}

fn hash(secret: &str) -> String {
    Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect()
}
