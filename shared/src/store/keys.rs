//! Every key of the table. An access pattern that is not in this table does not exist.
//!
//! | Entity          | `pk`                   | `sk`       | `gsi1pk`              | `gsi1sk` | `gsi2pk`             | `gsi2sk` | TTL (`expires`) |
//! |-----------------|------------------------|------------|-----------------------|----------|----------------------|----------|-----------------|
//! | Asset           | `ASSET#{ast}`          | `ASSET`    | `TENANT#{ten}#ASSETS` | `{ast}`  | open: `OPEN`         | `{ast}`  | —               |
//! | Mux pointer     | `MUX#{mux id}`         | `ASSET`    | —                     | —        | —                    | —        | —               |
//! | Share link      | `SHARE#{shr}`          | `LINK`     | `TENANT#{ten}#SHARES` | `{shr}`  | `ASSET#{ast}#SHARES` | `{shr}`  | —               |
//! | Webhook receipt | `EVENT#{mux event id}` | `RECEIPT`  | unmatched: `UNMATCHED`| received | —                    | —        | +90 days        |
//! | Domain event    | `TENANT#{ten}#EVENTS`  | `{evt}`    | —                     | —        | —                    | —        | —               |
//! | Parked letter   | `LETTER#{dlq}`         | `PARKED`   | `PARKED`              | `{dlq}`  | —                    | —        | +90 days        |
//! | Job             | `JOB#{name}`           | `LEASE`    | —                     | —        | —                    | —        | —               |
//! | Idempotency     | `ONCE#{usr}#{sha256}`  | `UPLOAD`   | —                     | —        | —                    | —        | +24 hours       |
//!
//! Patterns: asset by id (get); assets of a tenant, newest first (gsi1; what is deleted or was
//! refused is not in it); assets that something is still expected of (gsi2); asset of a Mux upload or asset (get the pointer); link by id, which its token carries
//! (get); links of a tenant (gsi1) and of an asset (gsi2), newest first; has this webhook been seen
//! (put if absent); events that matched nothing (gsi1); events of a tenant by time (query
//! `pk`; within a millisecond in no order); who runs a job (get); letters that are tried no more,
//! newest first (gsi1); has this request been made (put if absent).

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use time::OffsetDateTime;

use crate::{
    ids::{AssetId, DeadLetterId, EventId, ShareId, TenantId, UserId},
    mux::MuxEventId,
};

pub(super) type Attributes = HashMap<String, AttributeValue>;

/// The names of the table's secondary indexes. Both project everything, so a page is one query.
pub const GSI1: &str = "gsi1";
pub const GSI2: &str = "gsi2";

/// Where an item is, in which indexes it shows up, and when it may be swept. It may name something
/// of Mux, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    pk: String,
    sk: String,
    gsi1: Option<(String, String)>,
    gsi2: Option<(String, String)>,
    expires: Option<OffsetDateTime>,
}

impl Key {
    fn new(pk: String, sk: impl Into<String>) -> Self {
        Self {
            pk,
            sk: sk.into(),
            gsi1: None,
            gsi2: None,
            expires: None,
        }
    }

    /// The same key for an item that `DynamoDB` may delete after this instant. Tidying, not truth.
    #[must_use]
    pub fn expiring(self, at: OffsetDateTime) -> Self {
        Self {
            expires: Some(at),
            ..self
        }
    }

    /// The two attributes that address the item.
    pub(super) fn address(&self) -> Attributes {
        HashMap::from([text("pk", &self.pk), text("sk", &self.sk)])
    }

    /// All attributes that belong to the key and not to the entity.
    pub(super) fn attributes(&self) -> Attributes {
        let mut attributes = self.address();
        for (name, place) in [(GSI1, &self.gsi1), (GSI2, &self.gsi2)] {
            if let Some((pk, sk)) = place {
                attributes.extend([
                    text(&format!("{name}pk"), pk),
                    text(&format!("{name}sk"), sk),
                ]);
            }
        }
        if let Some(at) = self.expires {
            let seconds = AttributeValue::N(at.unix_timestamp().to_string());
            attributes.insert("expires".to_owned(), seconds);
        }
        attributes
    }

    /// Where a page of this index goes on after this item.
    pub(super) fn start(&self, index: &str) -> Attributes {
        let mut attributes = self.attributes();
        attributes
            .retain(|name, _| matches!(name.as_str(), "pk" | "sk") || name.starts_with(index));
        attributes
    }

    pub(super) fn is(&self, item: &Attributes) -> bool {
        self.address()
            .iter()
            .all(|(name, value)| item.get(name) == Some(value))
    }
}

fn text(name: &str, value: &str) -> (String, AttributeValue) {
    (name.to_owned(), AttributeValue::S(value.to_owned()))
}

/// The items of one partition of an index, newest first.
#[derive(Debug, Clone)]
pub struct Listing {
    pub(super) index: &'static str,
    pub(super) partition: String,
}

/// An asset, to read it. Whoever asks for a tenant compares the tenant of what is found.
pub fn asset(asset: AssetId) -> Key {
    Key::new(format!("ASSET#{asset}"), "ASSET")
}

/// An asset, to write it where its tenant's list shows it.
pub fn listed_asset(tenant: TenantId, id: AssetId) -> Key {
    Key {
        gsi1: Some((assets_of(tenant).partition, id.to_string())),
        ..asset(id)
    }
}

/// The same key for an asset that something is still expected of.
pub fn open_asset(key: Key, id: AssetId) -> Key {
    Key {
        gsi2: Some((open_assets().partition, id.to_string())),
        ..key
    }
}

pub fn open_assets() -> Listing {
    Listing {
        index: GSI2,
        partition: "OPEN".to_owned(),
    }
}

pub fn assets_of(tenant: TenantId) -> Listing {
    Listing {
        index: GSI1,
        partition: format!("TENANT#{tenant}#ASSETS"),
    }
}

/// From an upload id or asset id of Mux to our asset, for events that do not carry our own id.
pub fn mux_pointer(mux_id: &str) -> Key {
    Key::new(format!("MUX#{mux_id}"), "ASSET")
}

/// A link, to read it.
pub fn share(share: ShareId) -> Key {
    Key::new(format!("SHARE#{share}"), "LINK")
}

/// A link, to write it where the lists of its tenant and its asset show it.
pub fn listed_share(tenant: TenantId, asset: AssetId, id: ShareId) -> Key {
    Key {
        gsi2: share_of_asset(asset, id).gsi2,
        ..share_of_tenant(tenant, id)
    }
}

/// A link's place in its tenant's list.
pub fn share_of_tenant(tenant: TenantId, id: ShareId) -> Key {
    Key {
        gsi1: Some((shares_of(tenant).partition, id.to_string())),
        ..share(id)
    }
}

/// A link's place in its asset's list.
pub fn share_of_asset(asset: AssetId, id: ShareId) -> Key {
    Key {
        gsi2: Some((shares_of_asset(asset).partition, id.to_string())),
        ..share(id)
    }
}

pub fn shares_of(tenant: TenantId) -> Listing {
    Listing {
        index: GSI1,
        partition: format!("TENANT#{tenant}#SHARES"),
    }
}

pub fn shares_of_asset(asset: AssetId) -> Listing {
    Listing {
        index: GSI2,
        partition: format!("ASSET#{asset}#SHARES"),
    }
}

/// The receipt of a webhook: its presence means that the event has been dealt with.
pub fn receipt(event: &MuxEventId) -> Key {
    Key::new(format!("EVENT#{}", event.as_str()), "RECEIPT")
}

/// The receipt of an event that names nothing of ours, to write it where an operator finds it.
pub fn unmatched_receipt(event: &MuxEventId, received: &str) -> Key {
    Key {
        gsi1: Some((
            unmatched().partition,
            format!("{received}#{}", event.as_str()),
        )),
        ..receipt(event)
    }
}

pub fn unmatched() -> Listing {
    Listing {
        index: GSI1,
        partition: "UNMATCHED".to_owned(),
    }
}

pub fn event(tenant: TenantId, event: EventId) -> Key {
    Key::new(format!("TENANT#{tenant}#EVENTS"), event.to_string())
}

/// A letter that is tried no more.
pub fn parked_letter(id: DeadLetterId) -> Key {
    Key {
        gsi1: Some((parked_letters().partition, id.to_string())),
        ..Key::new(format!("LETTER#{id}"), "PARKED")
    }
}

pub fn parked_letters() -> Listing {
    Listing {
        index: GSI1,
        partition: "PARKED".to_owned(),
    }
}

/// The lease of a job, and when it last went well.
pub fn job(name: &str) -> Key {
    Key::new(format!("JOB#{name}"), "LEASE")
}

/// One request of one person, under the digest of the key that its client chose.
pub fn once(user: UserId, digest: &str) -> Key {
    Key::new(format!("ONCE#{user}#{digest}"), "UPLOAD")
}
