//! Every key of the table. An access pattern that is not in this table does not exist.
//!
//! | Entity          | `pk`                   | `sk`       | `gsi1pk`              | `gsi1sk` | `gsi2pk`             | `gsi2sk` | TTL (`expires`) |
//! |-----------------|------------------------|------------|-----------------------|----------|----------------------|----------|-----------------|
//! | Asset           | `ASSET#{ast}`          | `ASSET`    | `TENANT#{ten}#ASSETS` | `{ast}`  | `OPEN` or `CLOSED#{nn}` | `{ast}` | —            |
//! | Mux pointer     | `MUX#{mux id}`         | `ASSET`    | —                     | —        | —                    | —        | —               |
//! | Share link      | `SHARE#{shr}`          | `LINK`     | `TENANT#{ten}#SHARES` | `{shr}`  | `ASSET#{ast}#SHARES` | `{shr}`  | —               |
//! | Webhook receipt | `EVENT#{mux event id}` | `RECEIPT`  | unmatched: `UNMATCHED`| received | —                    | —        | +90 days        |
//! | Domain event    | `TENANT#{ten}#EVENTS`  | `{evt}`    | —                     | —        | —                    | —        | —               |
//! | Dead letter     | `LETTER#{dlq}`         | `CASE`     | `WAITING` or `PARKED` | first seen | —                  | —        | discarded: +90 days |
//! | Part of a body  | its owner's`#{sha256}#{n}` | `PART` | —                     | —        | —                    | —        | as its owner    |
//! | Job             | `JOB#{name}`           | `LEASE`    | —                     | —        | —                    | —        | —               |
//! | Comparison      | `JOB#compare`          | `PLACE`    | —                     | —        | —                    | —        | —               |
//! | Replay run      | `RUN#{run}`            | `RUN`      | —                     | —        | —                    | —        | +90 days        |
//! | Alerts          | `ALERTS`               | `RAISED`   | —                     | —        | —                    | —        | —               |
//! | Tally           | `TALLY#{hour}`         | `WEBHOOKS` | —                     | —        | —                    | —        | +30 days        |
//! | Idempotency     | `ONCE#{usr}#{sha256}`  | `UPLOAD`   | —                     | —        | —                    | —        | +24 hours       |
//! | Limit           | `LIMIT#{rule}#{pseudonym}` | `SLOTS` | —                    | —        | —                    | —        | window +1 hour  |
//! | Refusals        | `REFUSALS`             | `{hour}#{rule}` | —                | —        | —                    | —        | +30 days        |
//!
//! Patterns: asset by id (get); assets of a tenant, newest first (gsi1; what is deleted or was
//! refused is not in it); assets that something is still expected of, and those that are compared with Mux (gsi2); asset of a Mux upload or asset (get the pointer); link by id, which its token carries
//! (get); links of a tenant (gsi1) and of an asset (gsi2), newest first; has this webhook been seen
//! (put if absent); events that matched nothing (gsi1); events of a tenant by time (query
//! `pk`; within a millisecond in no order); who runs a job (get); dead letters that were tried in vain,
//! by when they were first seen (gsi1); how far the comparison has come (get); what is being alerted of
//! (get); webhooks of an hour (get, add); has this request been made (put if absent); may this subject once more (take a place); what was
//! refused, by the hour (query `pk`, add).

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use time::OffsetDateTime;
use ulid::Ulid;

use crate::{
    ids::{AssetId, DeadLetterId, EventId, RunId, ShareId, TenantId, UserId},
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

    /// A part of what is too large for the item itself. Each is a partition of its own, because all
    /// are written at once, and named after the whole: what comes twice with another text mixes nothing.
    pub(super) fn part(&self, digest: &str, number: u32) -> Self {
        Self {
            expires: self.expires,
            ..Self::new(format!("{}#{digest}#{number}", self.pk), "PART")
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
        let of_index = |name: &str| !index.is_empty() && name.starts_with(index);
        attributes.retain(|name, _| matches!(name.as_str(), "pk" | "sk") || of_index(name));
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

/// The table itself, where a listing names an index.
const TABLE: &str = "";

/// The items of one partition of an index, newest first unless it says otherwise.
#[derive(Debug, Clone)]
pub struct Listing {
    pub(super) index: &'static str,
    pub(super) partition: String,
    /// From which sort key to which, both included.
    pub(super) range: Option<(String, String)>,
    pub(super) oldest_first: bool,
}

impl Listing {
    fn new(index: &'static str, partition: impl Into<String>) -> Self {
        Self {
            index,
            partition: partition.into(),
            range: None,
            oldest_first: false,
        }
    }
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
    Listing::new(GSI2, "OPEN")
}

/// The same key for an asset that is compared with what Mux has.
pub fn closed_asset(key: Key, id: AssetId) -> Key {
    let shard = Ulid::from(id).random() % u128::from(CLOSED_SHARDS);
    let shard = u8::try_from(shard).unwrap_or_default();
    Key {
        gsi2: Some((closed_assets(shard).partition, id.to_string())),
        ..key
    }
}

/// Assets that are compared with what Mux has, spread over as many lists: one alone would take no
/// more than 1,000 writes a second.
pub const CLOSED_SHARDS: u8 = 16;

pub fn closed_assets(shard: u8) -> Listing {
    Listing::new(GSI2, format!("CLOSED#{shard:02}"))
}

pub fn assets_of(tenant: TenantId) -> Listing {
    Listing::new(GSI1, format!("TENANT#{tenant}#ASSETS"))
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
    Listing::new(GSI1, format!("TENANT#{tenant}#SHARES"))
}

pub fn shares_of_asset(asset: AssetId) -> Listing {
    Listing::new(GSI2, format!("ASSET#{asset}#SHARES"))
}

/// The receipt of a webhook: its presence means that the event has been dealt with.
pub fn receipt(event: &MuxEventId) -> Key {
    Key::new(format!("EVENT#{}", event.as_str()), "RECEIPT")
}

/// The receipt of an event that names nothing of ours, to write it where an operator finds it.
pub fn unmatched_receipt(event: &MuxEventId, received: OffsetDateTime) -> Key {
    let place = format!("{}#{}", stamp(received), event.as_str());
    Key {
        gsi1: Some((unmatched().partition, place)),
        ..receipt(event)
    }
}

pub fn unmatched() -> Listing {
    Listing::new(GSI1, "UNMATCHED")
}

pub fn event(tenant: TenantId, event: EventId) -> Key {
    Key::new(format!("TENANT#{tenant}#EVENTS"), event.to_string())
}

/// A dead letter that was tried in vain.
pub fn case(id: DeadLetterId) -> Key {
    Key::new(format!("LETTER#{id}"), "CASE")
}

/// The same, to write it where an operator finds it.
pub fn listed_case(list: Cases, first_seen: OffsetDateTime, id: DeadLetterId) -> Key {
    Key {
        gsi1: Some((
            list.name().to_owned(),
            format!("{}#{id}", stamp(first_seen)),
        )),
        ..case(id)
    }
}

/// The lists of dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cases {
    /// To be tried again by themselves.
    Waiting,
    /// Tried no more.
    Parked,
}

impl Cases {
    const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Parked => "PARKED",
        }
    }
}

/// Dead letters by when they were first seen, oldest first: from one time to another, both included.
pub fn cases(list: Cases, from: Option<OffsetDateTime>, to: Option<OffsetDateTime>) -> Listing {
    // A key of an index may not be empty, and so may not be compared with an empty text either.
    let from = stamp(from.unwrap_or(OffsetDateTime::UNIX_EPOCH));
    // `$` is the next character after `#`.
    let to = to.map_or_else(|| "~".to_owned(), |to| format!("{}$", stamp(to)));
    Listing {
        range: Some((from, to)),
        oldest_first: true,
        ..Listing::new(GSI1, list.name())
    }
}

/// A time that sorts as text, to the nanosecond.
fn stamp(at: OffsetDateTime) -> String {
    format!("{:020}", at.unix_timestamp_nanos().max(0))
}

/// The lease of a job, and when it last went well.
pub fn job(name: &str) -> Key {
    Key::new(format!("JOB#{name}"), "LEASE")
}

/// A run that sends recorded events once more.
pub fn replay_run(run: RunId) -> Key {
    Key::new(format!("RUN#{run}"), "RUN")
}

/// How far the comparison with Mux has come.
pub fn comparison() -> Key {
    Key::new("JOB#compare".to_owned(), "PLACE")
}

/// What is being alerted of.
pub fn alerts() -> Key {
    Key::new("ALERTS".to_owned(), "RAISED")
}

/// What became of the webhooks of one hour, counted in hours since the epoch.
pub fn tally(hour: i64) -> Key {
    Key::new(format!("TALLY#{hour}"), "WEBHOOKS")
}

/// One request of one person, under the digest of the key that its client chose.
pub fn once(user: UserId, digest: &str) -> Key {
    Key::new(format!("ONCE#{user}#{digest}"), "UPLOAD")
}

/// How often one subject did what a rule limits. The subject is a keyed digest: it may be about a person.
pub fn limit(rule: &str, pseudonym: &str) -> Key {
    Key::new(format!("LIMIT#{rule}#{pseudonym}"), "SLOTS")
}

/// What was refused of a rule in one hour, counted in hours since the epoch.
pub fn refusals(hour: i64, rule: &str) -> Key {
    Key::new("REFUSALS".to_owned(), format!("{hour:010}#{rule}"))
}

/// The same of all rules, from one hour to another, both included.
pub fn refusals_between(from: i64, to: i64) -> Listing {
    Listing {
        // `$` is the next character after `#`.
        range: Some((format!("{from:010}"), format!("{to:010}$"))),
        ..Listing::new(TABLE, "REFUSALS")
    }
}
