//! The keys of domain events, which are the audit log, and of its checkpoints.

use time::OffsetDateTime;
use ulid::Ulid;

use super::{GSI1, GSI2, Key, Listing, stamp};
use crate::ids::{EventId, TenantId};

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

/// What there is of checkpoints after this one, and beside them. `PLACE` comes after all digits.
pub fn checkpoints_after(tenant: TenantId, number: u64) -> Listing {
    let partition = format!("TENANT#{tenant}#CHECKPOINTS");
    let all = Listing {
        index: None,
        ..Listing::new(GSI1, partition)
    };
    all.between(format!("{:012}", number + 1), "A".to_owned())
}

/// Which event has this key, if it is one's.
pub fn event_at(pk: &str, sk: &str) -> Option<(TenantId, EventId)> {
    let tenant = pk.strip_prefix("TENANT#")?.strip_suffix("#EVENTS")?;
    Some((tenant.parse().ok()?, sk.parse().ok()?))
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
