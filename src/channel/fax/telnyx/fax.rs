//! A fax as Telnyx describes it, in answers and in webhooks.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::channel::{Proof, Standing};

use super::cause;

/// What is read of it (developers.telnyx.com, "View a fax"; schema `Fax`).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Fax {
    /// In webhooks it is called `fax_id`.
    #[serde(alias = "fax_id")]
    pub id: String,
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub client_state: Option<String>,
    #[serde(default)]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub failure_reason: Option<String>,
    #[serde(default)]
    pub page_count: Option<u32>,
    #[serde(default)]
    pub call_duration_secs: Option<u32>,
}

impl Fax {
    /// How it stands with it.
    pub(super) fn standing(&self, host: &str) -> Standing {
        match self.status.as_str() {
            "delivered" => Standing::Delivered(Proof { by: host.to_owned(), text: self.delivered() }),
            "failed" => cause::failure(self.failure_reason.as_deref().unwrap_or_default()),
            "queued" => Standing::Underway("waits in the queue".to_owned()),
            "media.processing" | "media.processed" => Standing::Underway("the pages are made ready".to_owned()),
            "originated" | "initiated" => Standing::Underway("dialling".to_owned()),
            "sending" => Standing::Underway("sending".to_owned()),
            other => Standing::Underway(format!("`{other:.40}`, in the service's words")),
        }
    }

    fn delivered(&self) -> String {
        let pages = self.page_count.map(|it| format!(", {it} pages")).unwrap_or_default();
        let seconds = self.call_duration_secs.map(|it| format!(", {it} seconds")).unwrap_or_default();
        format!("the receiving fax confirmed fax {}{pages}{seconds}", self.id)
    }
}
