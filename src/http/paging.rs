//! Lists, a page at a time: `?after=` the last key seen, `&limit=` how many.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Problem, params::params};

/// Items on a page when the caller does not say.
const USUAL: i64 = 100;

/// Most items on a page. More makes answers slow to read and to write.
const MOST: i64 = 1000;

/// Which page is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paging {
    /// The key after which the page begins.
    pub after: Option<String>,
    limit: i64,
}

/// The same as it is written.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PagingParams {
    /// The `next` of the page before.
    after: Option<String>,
    /// How many items, 100 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// What to send as `after` for the next page; null on the last one.
    pub next: Option<String>,
}

impl Paging {
    /// One more than asked for, which tells whether there is a next page.
    pub fn fetch(&self) -> i64 {
        self.limit + 1
    }

    /// The key as a number, for lists that are in the order of ids.
    ///
    /// # Errors
    /// When it is none.
    pub fn after_id(&self) -> Result<Option<i64>, Problem> {
        self.after.as_deref().map(str::parse).transpose().map_err(|_| unknown_place())
    }

    /// The key as what stands before and after its first `/`.
    ///
    /// # Errors
    /// When there is none in it.
    pub fn after_pair(&self) -> Result<Option<(&str, &str)>, Problem> {
        let Some(after) = &self.after else { return Ok(None) };
        after.split_once('/').map(Some).ok_or_else(unknown_place)
    }

    /// The key in three parts, for lists that are in the order of as many columns.
    ///
    /// # Errors
    /// When it has others, or characters that no key has.
    pub fn after_parts(&self) -> Result<Option<[String; 3]>, Problem> {
        let Some(after) = &self.after else { return Ok(None) };
        let parts = serde_json::from_str::<[String; 3]>(after).map_err(|_| unknown_place())?;
        if parts.iter().any(|part| part.contains('\0')) { Err(unknown_place()) } else { Ok(Some(parts)) }
    }

    /// The page of what was fetched; `key` names an item's place.
    pub fn page<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(key);
        Page { items, next }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let written: PagingParams = params(parts)?;
        let limit = written.limit.as_deref().map_or(Ok(USUAL), str::parse).ok();
        let limit = limit.filter(|limit| (1..=MOST).contains(limit));
        let limit = limit.ok_or_else(|| Problem::at("limit", format!("write a number from 1 to {MOST}")))?;
        if written.after.as_deref().is_some_and(|after| after.contains('\0')) {
            return Err(unknown_place());
        }
        Ok(Self { after: written.after.filter(|after| !after.is_empty()), limit })
    }
}

fn unknown_place() -> Problem {
    Problem::at("after", "write the `next` of the page before")
}
