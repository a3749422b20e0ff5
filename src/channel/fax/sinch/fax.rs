//! A fax as Sinch describes it, in answers and in callbacks.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};

use crate::channel::{Proof, Standing, Unheard};

use super::cause;

/// What is read of it (developers.sinch.com, Fax API, "The fax object").
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fax {
    pub id: String,
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub create_time: Option<DateTime<Utc>>,
    #[serde(default)]
    number_of_pages: Option<u32>,
    #[serde(default)]
    pages_sent_successfully: Option<u32>,
    #[serde(default)]
    error_type: Option<String>,
    #[serde(default)]
    error_code: Option<i64>,
    #[serde(default)]
    error_message: Option<String>,
}

/// A page of the list.
#[derive(Debug, Deserialize)]
pub(super) struct Faxes {
    #[serde(default)]
    pub faxes: Vec<Fax>,
}

/// A fax by itself or as a list of one, as versions of the service have it.
#[derive(Debug)]
pub(super) struct One(pub Fax);

impl<'de> Deserialize<'de> for One {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Fax(Box<Fax>),
            List([Box<Fax>; 1]),
        }
        Ok(Self(match Either::deserialize(from)? {
            Either::Fax(fax) | Either::List([fax]) => *fax,
        }))
    }
}

impl Fax {
    /// How it stands with it.
    pub(super) fn standing(&self, host: &str) -> Standing {
        match self.status.as_str() {
            "COMPLETED" => Standing::Delivered(Proof { by: host.to_owned(), text: self.delivered() }),
            "FAILURE" => {
                let failure = (self.error_type.as_deref().unwrap_or_default(), self.error_code.unwrap_or_default());
                cause::failure(failure, self.error_message.as_deref().unwrap_or_default())
            }
            "QUEUED" => Standing::Underway("waits in the queue".to_owned()),
            "IN_PROGRESS" => Standing::Underway("dialling or sending".to_owned()),
            other => Standing::Underway(format!("`{other:.40}`, in the service's words")),
        }
    }

    fn delivered(&self) -> String {
        let pages = self.pages_sent_successfully.or(self.number_of_pages);
        let pages = pages.map(|it| format!(", {it} pages")).unwrap_or_default();
        format!("the receiving fax confirmed fax {}{pages}", self.id)
    }
}

#[derive(Deserialize)]
struct Event {
    event: String,
    fax: Told,
}

#[derive(Deserialize)]
struct Told {
    id: String,
}

/// The number of the fax that has ended, if that is what `body` is about.
pub(super) fn event(body: &[u8]) -> Result<Option<String>, Unheard> {
    let event: Event = serde_json::from_slice(body).map_err(|error| Unheard::Unreadable(error.to_string()))?;
    Ok((event.event == "FAX_COMPLETED").then_some(event.fax.id))
}
