//! Every key of the table. An access pattern that is not in this table does not exist.
//!
//! | Entity          | `pk`                   | `sk`       | `gsi1pk`              | `gsi1sk` | `gsi2pk`             | `gsi2sk` | TTL (`expires`) |
//! |-----------------|------------------------|------------|-----------------------|----------|----------------------|----------|-----------------|
//! | Asset           | `ASSET#{ast}`          | `ASSET`    | `TENANT#{ten}#ASSETS` | `{ast}`  | `OPEN` or `CLOSED#{nn}` | `{ast}` | —            |
//! | Mux pointer     | `MUX#{mux id}`         | `ASSET`    | —                     | —        | —                    | —        | —               |
//! | Share link      | `SHARE#{shr}`          | `LINK`     | `TENANT#{ten}#SHARES` | `{shr}`  | `ASSET#{ast}#SHARES` | `{shr}`  | —               |
//! | — under another of its videos | `SHARE#{shr}` | `POINTER#{ast}` | —              | —        | `ASSET#{ast}#SHARES` | `{shr}`  | —               |
//! | — under whom it is for | `SHARE#{shr}` | `RECIPIENT` | —                      | —        | `TENANT#{ten}#FOR#{sha256}` | `{shr}` | —         |
//! | — on the agenda | `SHARE#{shr}`          | `AGENDA`   | `AGENDA`              | due      | —                    | —        | —               |
//! | Video that is gone | `ASSET#{ast}`       | `AGENDA`   | `AGENDA`              | due      | —                    | —        | —               |
//! | One-time code   | `SHARE#{shr}`          | `CODE#{keyed digest}` | —          | —        | —                    | —        | +10 minutes     |
//! | Sharing policy  | `TENANT#{ten}#POLICY`  | `SHARING`  | —                     | —        | —                    | —        | —               |
//! | Restriction     | `RESTRICTION#{sha256}` | `MUX`      | —                     | —        | —                    | —        | —               |
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
//! | Usage           | `USAGE#{ten}`          | `{day}#{source}#{chunk}` | `USAGE#{month}` | `{day}#{source}#{ten}#{chunk}` | — | —   | —               |
//! | What AWS says a day cost | `USAGE#AWS`  | `{day}#BILLED` | —                 | —        | —                    | —        | —               |
//! | How far usage is known | `JOB#usage`     | `PLACE`    | —                     | —        | —                    | —        | —               |
//! | Closed cost report | `COSTS#{ten or ALL}` | `{month}#CLOSED` | —               | —        | —                    | —        | —               |
//! | Costs at the beginning of a day | `COSTS#{ten or ALL}` | `{day}#SNAPSHOT` | —  | —        | —                    | —        | +400 days       |
//! | Replay run      | `RUN#{run}`            | `RUN`      | —                     | —        | —                    | —        | +90 days        |
//! | Census          | `CENSUS`               | `ASSETS`   | —                     | —        | —                    | —        | —               |
//! | Breaker         | `VENDOR#{name}`        | `BREAKER`  | —                     | —        | —                    | —        | —               |
//! | Counted by an instance | `METER#{hour}` | `{rec}` | —                     | —        | —                    | —        | +7 days         |
//! | How far that is folded | `METER` | `CURSOR` | —                         | —        | —                    | —        | —               |
//! | Counts of an hour | `COUNTED#{hour}`     | `HOUR`     | —                     | —        | —                    | —        | +40 days        |
//! | Counts of a day | `COUNTED#{day}`        | `DAY`      | —                     | —        | —                    | —        | +400 days       |
//! | Incident        | `INCIDENT#{inc}`       | `INCIDENT` | `INCIDENTS`           | `1#{inc}` while it is not over, else `0#{inc}` | — | — | —          |
//! | The last one of a matter | `INCIDENT#OF#{kind}#{subject}` | `CURRENT` | —      | —        | —                    | —        | —               |
//! | What is known of a vendor | `VENDOR#{name}` | `WATCH`  | —                     | —        | —                    | —        | —               |
//! | By which table the portal knows itself | `RESTORE` | `TABLE` | —               | —        | —                    | —        | —               |
//! | The last drill of restoring | `RESTORE`  | `DRILL`    | —                     | —        | —                    | —        | —               |
//! | Alerts          | `ALERTS`               | `RAISED`   | —                     | —        | —                    | —        | —               |
//! | Tally           | `TALLY#{hour}`         | `WEBHOOKS` | —                     | —        | —                    | —        | +30 days        |
//! | Idempotency     | `ONCE#{usr}#{sha256}`  | `UPLOAD`   | —                     | —        | —                    | —        | +24 hours       |
//! | Limit           | `LIMIT#{rule}#{pseudonym}` | `SLOTS` | —                    | —        | —                    | —        | window +1 hour  |
//! | Refusals        | `REFUSALS`             | `{hour}#{rule}` | —                | —        | —                    | —        | +30 days        |
//!
//! Patterns: asset by id (get); assets of a tenant, newest first (gsi1; what is deleted or was
//! refused is not in it); assets that something is still expected of, and those that are compared with Mux (gsi2, newest first,
//! and by when they were made); asset of a Mux upload or asset (get the pointer); link by id, which its token carries
//! together with its asset (get both); links of a tenant (gsi1), of an asset and of a recipient (gsi2),
//! newest first; what is due about links (gsi1, oldest first); has this webhook been seen
//! (put if absent); events that matched nothing (gsi1); events of a tenant by time (query
//! `pk`; within a millisecond in no order), and of one video or, where an event names none, one link
//! (gsi2); events that no checkpoint seals, by tenant (gsi1); checkpoint by its number (get), the newest
//! one by the place of sealing (get), those whose entries are in the table, by when they were sealed (gsi1),
//! and the archive of the others (get); who runs a job (get); dead letters that were tried in vain,
//! by when they were first seen (gsi1); how far the comparison has come (get); what is being alerted of
//! (get); webhooks of an hour (get, add); has this request been made (put if absent); may this subject once more (take a place); may a vendor be called (get); how many videos there are (get); what was
//! refused, by the hour (query `pk`, add); what a tenant used, by day (query `pk`), and everybody (gsi1,
//! by month); what AWS says that days cost (query `pk`); the report of a closed month, and how a month stood on a day (get); what acts for a budget,
//! and whose error budget burns (get);
//! what instances counted and nobody has folded (query `pk`), and
//! counts of hours and days (get); incidents, what is not over first (gsi1), and the last one of a matter (get);
//! how a vendor is (get); whether the table was restored, and what the last drill came to (get).

mod events;
mod incidents;
mod meter;
mod restores;
mod shares;
mod usage;

use time::OffsetDateTime;
use ulid::Ulid;

pub use self::{
    events::{
        UNSEALED, UNSEALED_SHARDS, checkpoint, checkpoints_after, event, event_at, events,
        events_about, live_checkpoint, live_checkpoints, pack, place_of_sealing, unsealed,
        unsealed_event, unsealed_of,
    },
    incidents::{incident, incident_of, incidents, listed_incident, open_incidents},
    meter::{counted_day, counted_hour, fold_cursor, record, records},
    restores::{known_table, restore_drill},
    shares::{
        agenda_of_asset, agenda_of_share, agenda_until, asset_agenda, code, listed_share,
        restriction, share, share_agenda, share_also_of_asset, share_of_asset, share_of_recipient,
        share_of_tenant, shares_of, shares_of_asset, shares_of_recipient, sharing_policy,
    },
    usage::{
        billed, billed_between, closed_report, cost_snapshot, guardrails, much_traffic, usage,
        usage_between, usage_of_all, usage_of_all_by, usage_of_source, usage_place,
    },
};
pub use super::key::{GSI1, GSI2, Key, Listing};
use crate::{
    ids::{AssetId, DeadLetterId, RunId, TenantId, UserId},
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

/// Those from one id to another, both included.
pub fn open_assets_between(from: AssetId, to: AssetId) -> Listing {
    open_assets().between(from.to_string(), to.to_string())
}

/// The same key for an asset that is compared with what Mux has.
pub fn closed_asset(key: Key, id: AssetId) -> Key {
    Key {
        gsi2: Some((closed_assets(closed_shard(id)).partition, id.to_string())),
        ..key
    }
}

/// In which of the lists it then stands.
pub fn closed_shard(id: AssetId) -> u8 {
    let shard = Ulid::from(id).random() % u128::from(CLOSED_SHARDS);
    u8::try_from(shard).unwrap_or_default()
}

/// Assets that are compared with what Mux has, spread over as many lists: one alone would take no
/// more than 1,000 writes a second.
pub const CLOSED_SHARDS: u8 = 16;

pub fn closed_assets(shard: u8) -> Listing {
    Listing::new(GSI2, format!("CLOSED#{shard:02}"))
}

/// Those from one id to another, both included.
pub fn closed_assets_between(shard: u8, from: AssetId, to: AssetId) -> Listing {
    closed_assets(shard).between(from.to_string(), to.to_string())
}

pub fn assets_of(tenant: TenantId) -> Listing {
    Listing::new(GSI1, format!("TENANT#{tenant}#ASSETS"))
}

/// From an upload id or asset id of Mux to our asset, for events that do not carry our own id.
pub fn mux_pointer(mux_id: &str) -> Key {
    Key::new(format!("MUX#{mux_id}"), "ASSET")
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

/// How many videos there are.
pub fn census() -> Key {
    Key::new("CENSUS".to_owned(), "ASSETS")
}

/// The breaker before a vendor.
pub fn breaker(vendor: &str) -> Key {
    Key::new(format!("VENDOR#{vendor}"), "BREAKER")
}

/// How a vendor is.
pub fn vendor(vendor: &str) -> Key {
    Key::new(format!("VENDOR#{vendor}"), "WATCH")
}

/// What is being alerted of.
pub fn alerts() -> Key {
    Key::new("ALERTS".to_owned(), "RAISED")
}

/// Whose error budget burns or is spent.
pub fn slo() -> Key {
    Key::new("SLO".to_owned(), "STATE")
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
        index: None,
        ..Listing::new(GSI1, "REFUSALS")
    }
}
