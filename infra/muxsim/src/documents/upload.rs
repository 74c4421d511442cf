//! A direct upload.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

/// A direct upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) status: UploadStatus,
    pub(crate) timeout: u32,
    pub(crate) cors_origin: String,
    pub(crate) test: bool,
    pub(crate) settings: Map<String, Value>,
    pub(crate) asset_id: Option<String>,
    pub(crate) error: Option<Value>,
    pub(crate) created_at: i64,
    pub(crate) url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UploadStatus {
    Waiting,
    AssetCreated,
    Errored,
    Cancelled,
    TimedOut,
}

impl Upload {
    /// When the address stops taking files.
    pub(crate) fn expires(&self) -> i64 {
        self.created_at + i64::from(self.timeout)
    }

    /// The status now: nobody is told when an upload times out, it just has.
    pub(crate) fn status(&self, now: OffsetDateTime) -> UploadStatus {
        if self.status == UploadStatus::Waiting && self.expires() <= now.unix_timestamp() {
            return UploadStatus::TimedOut;
        }
        self.status
    }

    /// The object as the API and the webhooks show it: the address only while it is good.
    pub(crate) fn show(&self, now: OffsetDateTime) -> Value {
        let status = self.status(now);
        let mut shown = json!({
            "id": self.id,
            "timeout": self.timeout,
            "status": status,
            "new_asset_settings": self.settings,
            "cors_origin": self.cors_origin,
        });
        if status == UploadStatus::Waiting {
            shown["url"] = self.url.clone().into();
        }
        if self.test {
            shown["test"] = true.into();
        }
        if let Some(asset) = &self.asset_id {
            shown["asset_id"] = asset.clone().into();
        }
        if let Some(error) = &self.error {
            shown["error"] = error.clone();
        }
        shown
    }
}
