//! Every key of the table. An access pattern that is not in this table does not exist.
//!
//! | Entity          | `pk`                   | `sk`       | `gsi1pk`              | `gsi1sk` | `gsi2pk`             | `gsi2sk` | TTL (`expires`) |
//! |-----------------|------------------------|------------|-----------------------|----------|----------------------|----------|-----------------|
//! | Asset           | `ASSET#{ast}`          | `ASSET`    | `TENANT#{ten}#ASSETS` | `{ast}`  | `OPEN` or `CLOSED#{nn}` | `{ast}` | —            |
//! | Mux pointer     | `MUX#{mux id}`         | `ASSET`    | —                     | —        | —                    | —        | —               |
//! | Share link      | `SHARE#{shr}`          | `LINK`     | `TENANT#{ten}#SHARES` | `{shr}`  | `ASSET#{ast}#SHARES` | `{shr}`  | —               |
//! | Webhook receipt | `EVENT#{mux event id}` | `RECEIPT`  | unmatched: `UNMATCHED`| received | —                    | —        | +90 days        |
//! | Domain event    | `TENANT#{ten}#EVENTS`  | `{evt}`    | unsealed: `UNSEALED#{nn}` | `{ten}#{evt}` | `TENANT#{ten}#ABOUT#{id}` | `{evt}` | —   |
//! | Checkpoint      | `TENANT#{ten}#CHECKPOINTS` | `{number}` | —                 | —        | —                    | —        | —               |
//! | Its life in the table | `TENANT#{ten}#CHECKPOINTS` | `{number}#LIVE` | `LIVE`      | sealed at | —                   | —        | —               |
//! | Its archive     | `TENANT#{ten}#CHECKPOINTS` | `{number}#PACK` | —            | —        | —                    | —        | —               |
//! | Place of sealing | `TENANT#{ten}#CHECKPOINTS` | `PLACE` | —                   | —        | —                    | —        | —               |
//! | Dead letter     | `LETTER#{dlq}`         | `CASE`     | `WAITING` or `PARKED` | first seen | —                  | —        | discarded: +90 days |
//! | Part of a body  | its owner's`#{sha256}#{n}` | `PART` | —                     | —        | —                    | —        | as its owner    |
//! | Job             | `JOB#{name}`           | `LEASE`    | —                     | —        | —                    | —        | —               |
//! | Comparison      | `JOB#compare`          | `PLACE`    | —                     | —        | —                    | —        | —               |
//! | Replay run      | `RUN#{run}`            | `RUN`      | —                     | —        | —                    | —        | +90 days        |
//! | Alerts          | `ALERTS`               | `RAISED`   | —                     | —        | —                    | —        | —               |
//! | Tally           | `TALLY#{hour}`         | `WEBHOOKS` | —                     | —        | —                    | —        | +30 days        |
//! | Idempotency     | `ONCE#{usr}#{sha256}`  | `UPLOAD`   | —                     | —        | —                    | —        | +24 hours       |
//!
//! Patterns: asset by id (get); assets of a tenant, newest first (gsi1; what is deleted or was
//! refused is not in it); assets that something is still expected of, and those that are compared with Mux (gsi2); asset of a Mux upload or asset (get the pointer); link by id, which its token carries
//! (get); links of a tenant (gsi1) and of an asset (gsi2), newest first; has this webhook been seen
//! (put if absent); events that matched nothing (gsi1); events of a tenant by time (query
//! `pk`; within a millisecond in no order), and of one video or, where an event names none, one link
//! (gsi2); events that no checkpoint seals, by tenant (gsi1); checkpoint by its number (get), the newest
//! one by the place of sealing (get), those whose entries are in the table, by when they were sealed (gsi1),
//! and the archive of the others (get); who runs a job (get); dead letters that were tried in vain,
//! by when they were first seen (gsi1); how far the comparison has come (get); what is being alerted of
//! (get); webhooks of an hour (get, add); has this request been made (put if absent).

use time::OffsetDateTime;
use ulid::Ulid;

pub use super::key::{GSI1, GSI2, Key, Listing};
use crate::{
    ids::{AssetId, DeadLetterId, EventId, RunId, ShareId, TenantId, UserId},
    mux::MuxEventId,
};

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

/// A domain event, to read it.
pub fn event(tenant: TenantId, event: EventId) -> Key {
    Key::new(format!("TENANT#{tenant}#EVENTS"), event.to_string())
}

/// The same, to write it where it is found when entries are sealed, and by what it is about.
pub fn unsealed_event(tenant: TenantId, id: EventId, about: Option<&str>) -> Key {
    let shard = Ulid::from(id).random() % u128::from(UNSEALED_SHARDS);
    let list = unsealed(u8::try_from(shard).unwrap_or_default());
    let listed = |about| (subject(tenant, about), id.to_string());
    Key {
        gsi1: Some((list.partition, format!("{tenant}#{id}"))),
        gsi2: about.map(listed),
        ..event(tenant, id)
    }
}

/// The attributes that put an event on the list of those that are not sealed.
pub const UNSEALED: [&str; 2] = ["gsi1pk", "gsi1sk"];

/// Events that are not sealed, spread over as many lists: every change of every tenant passes them.
pub const UNSEALED_SHARDS: u8 = 16;

/// By tenant, then by id.
pub fn unsealed(shard: u8) -> Listing {
    Listing {
        oldest_first: true,
        ..Listing::new(GSI1, format!("UNSEALED#{shard:02}"))
    }
}

pub fn unsealed_of(tenant: TenantId, shard: u8) -> Listing {
    // `$` is the next character after `#`.
    unsealed(shard).between(format!("{tenant}#"), format!("{tenant}$"))
}

fn subject(tenant: TenantId, about: &str) -> String {
    format!("TENANT#{tenant}#ABOUT#{about}")
}

/// The events of a tenant from one id to another, both included, the newest first.
pub fn events(tenant: TenantId, from: EventId, to: EventId) -> Listing {
    let partition = format!("TENANT#{tenant}#EVENTS");
    let all = Listing {
        index: None,
        ..Listing::new(GSI1, partition)
    };
    all.between(from.to_string(), to.to_string())
}

/// Those that are listed as being about this.
pub fn events_about(tenant: TenantId, about: &str, from: EventId, to: EventId) -> Listing {
    let all = Listing::new(GSI2, subject(tenant, about));
    all.between(from.to_string(), to.to_string())
}

/// A checkpoint of the audit log.
pub fn checkpoint(tenant: TenantId, number: u64) -> Key {
    let pk = format!("TENANT#{tenant}#CHECKPOINTS");
    Key::new(pk, format!("{number:012}"))
}

/// That the entries of a checkpoint are in the table, and since when they are sealed.
pub fn live_checkpoint(tenant: TenantId, number: u64, sealed: OffsetDateTime) -> Key {
    let place = format!("{}#{tenant}#{number:012}", stamp(sealed));
    Key {
        gsi1: Some(("LIVE".to_owned(), place)),
        ..beside_checkpoint(tenant, number, "LIVE")
    }
}

/// Those that were sealed before this, the oldest first.
pub fn live_checkpoints(until: OffsetDateTime) -> Listing {
    Listing {
        oldest_first: true,
        ..Listing::new(GSI1, "LIVE").between(stamp(OffsetDateTime::UNIX_EPOCH), stamp(until))
    }
}

/// Where the archived entries of a checkpoint are; their parts stand beside it.
pub fn pack(tenant: TenantId, number: u64) -> Key {
    beside_checkpoint(tenant, number, "PACK")
}

fn beside_checkpoint(tenant: TenantId, number: u64, what: &str) -> Key {
    let pk = format!("TENANT#{tenant}#CHECKPOINTS");
    Key::new(pk, format!("{number:012}#{what}"))
}

/// How far the audit log of a tenant is sealed.
pub fn place_of_sealing(tenant: TenantId) -> Key {
    Key::new(format!("TENANT#{tenant}#CHECKPOINTS"), "PLACE")
}

/// The attributes that are not the entity's own.
pub const KEYS: [&str; 7] = [
    "pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk", "expires",
];

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
