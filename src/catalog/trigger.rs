//! What fires a batch besides a schedule and people: events and files, as they are written and as they are kept.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::source::place::{Address, Pattern};

/// Fires for each event of one type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventTrigger {
    #[serde(rename = "type")]
    pub kind: String,
    /// What the event's data have to hold.
    #[serde(default, rename = "match", skip_serializing_if = "Map::is_empty")]
    pub data: Map<String, Value>,
    /// Values or expressions over `event`, for documents that declare them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Value>,
}

/// Fires for each file that comes into a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileTrigger {
    #[serde(flatten)]
    pub place: Address,
    #[serde(rename = "match")]
    pub pattern: Pattern,
    /// How long a file has to stay as it is before it is taken.
    #[serde(with = "humantime_serde")]
    pub stable: Duration,
    /// How long the same bytes under the same name are the same file.
    #[serde(with = "humantime_serde")]
    pub same: Duration,
    /// The folders in the place that files go to.
    pub archive: String,
    pub error: String,
    /// Values or expressions over `file`, for documents that declare them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Value>,
}

/// How an event is subscribed to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = EventTrigger)]
pub struct WrittenEvent {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(required, example = "campaign.ended")]
    pub kind: Option<String>,
    /// What the event's data have to hold; anything when absent.
    #[serde(rename = "match", skip_serializing_if = "Map::is_empty")]
    #[schema(example = json!({ "client": "acme" }))]
    pub data: Map<String, Value>,
    /// Values or expressions over `event`, for the documents that declare them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(example = json!({ "campaign": "{{ event.data.id }}" }))]
    pub params: BTreeMap<String, Value>,
}

/// Where files come in, and what becomes of them: one of `folder`, `sftp` and `s3`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = FileTrigger)]
pub struct WrittenFile {
    /// An absolute path below one of the roots in the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/srv/in/acme")]
    pub folder: Option<String>,
    /// An account and a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "partner:/inbox")]
    pub sftp: Option<String>,
    /// An account, a bucket and a prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "store:bucket/inbox")]
    pub s3: Option<String>,
    /// A pattern of file names; all when absent.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    #[schema(example = "*.csv")]
    pub pattern: Option<String>,
    /// How long a file has to stay as it is before it is taken; 10 seconds when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "10s")]
    pub stable: Option<String>,
    /// How long the same bytes under the same name are the same file, which fires once; a day when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "1day")]
    pub same: Option<String>,
    /// The folder in the place for files whose run went well; `archive` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "archive")]
    pub archive: Option<String>,
    /// The folder in the place for the others, each with its reason beside it; `error` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "error")]
    pub error: Option<String>,
    /// Values or expressions over `file`, for the documents that declare them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Value>,
}

impl From<EventTrigger> for WrittenEvent {
    fn from(trigger: EventTrigger) -> Self {
        Self { kind: Some(trigger.kind), data: trigger.data, params: trigger.params }
    }
}

impl From<FileTrigger> for WrittenFile {
    fn from(trigger: FileTrigger) -> Self {
        let time = |time: Duration| Some(humantime_serde::re::humantime::format_duration(time).to_string());
        let written = Self {
            pattern: Some(trigger.pattern.into()),
            stable: time(trigger.stable),
            same: time(trigger.same),
            archive: Some(trigger.archive),
            error: Some(trigger.error),
            params: trigger.params,
            ..Self::default()
        };
        match trigger.place {
            Address::Folder(path) => Self { folder: Some(path), ..written },
            Address::Sftp(remote) => Self { sftp: Some(remote.into()), ..written },
            Address::S3(remote) => Self { s3: Some(remote.into()), ..written },
        }
    }
}
