//! The keys of share links, of what is due about them, and of what they ask for.

use time::OffsetDateTime;

use super::{GSI1, GSI2, Key, Listing, stamp};
use crate::ids::{AssetId, ShareId, TenantId};

/// A link, to read it.
pub fn share(share: ShareId) -> Key {
    Key::new(format!("SHARE#{share}"), "LINK")
}

/// A link, to write it where the lists of its tenant and its asset show it.
pub fn listed_share(tenant: TenantId, asset: Option<AssetId>, id: ShareId) -> Key {
    Key {
        gsi2: asset.and_then(|asset| share_of_asset(asset, id).gsi2),
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

/// A link's place in the list of another of its assets. It sorts after [`share_of_asset`], so that a
/// page goes on after either of them from the same key.
pub fn share_also_of_asset(asset: AssetId, id: ShareId) -> Key {
    Key {
        gsi2: share_of_asset(asset, id).gsi2,
        ..Key::new(format!("SHARE#{id}"), format!("POINTER#{asset}"))
    }
}

/// A link's place in the list of whom it is for.
pub fn share_of_recipient(tenant: TenantId, recipient: &str, id: ShareId) -> Key {
    Key {
        gsi2: Some((
            shares_of_recipient(tenant, recipient).partition,
            id.to_string(),
        )),
        ..Key::new(format!("SHARE#{id}"), "RECIPIENT")
    }
}

pub fn shares_of_recipient(tenant: TenantId, recipient: &str) -> Listing {
    Listing::new(GSI2, format!("TENANT#{tenant}#FOR#{recipient}"))
}

/// A link's place on the agenda, to take it off.
pub fn share_agenda(id: ShareId) -> Key {
    Key::new(format!("SHARE#{id}"), "AGENDA")
}

/// The same, to put it there.
pub fn agenda_of_share(id: ShareId, due: OffsetDateTime) -> Key {
    Key {
        gsi1: Some(("AGENDA".to_owned(), format!("{}#{id}", stamp(due)))),
        ..share_agenda(id)
    }
}

/// The place on the agenda of a video that is gone, to take it off.
pub fn asset_agenda(id: AssetId) -> Key {
    Key::new(format!("ASSET#{id}"), "AGENDA")
}

/// The same, to put it there.
pub fn agenda_of_asset(id: AssetId, due: OffsetDateTime) -> Key {
    Key {
        gsi1: Some(("AGENDA".to_owned(), format!("{}#{id}", stamp(due)))),
        ..asset_agenda(id)
    }
}

/// What is due by now, what has been due for longest first.
pub fn agenda_until(now: OffsetDateTime) -> Listing {
    Listing {
        range: Some((
            stamp(OffsetDateTime::UNIX_EPOCH),
            format!("{}$", stamp(now)),
        )),
        oldest_first: true,
        ..Listing::new(GSI1, "AGENDA")
    }
}

/// The one-time code that was sent to somebody for a link.
pub fn code(share: ShareId, whom: &str) -> Key {
    Key::new(format!("SHARE#{share}"), format!("CODE#{whom}"))
}

/// What a tenant demands of its links.
pub fn sharing_policy(tenant: TenantId) -> Key {
    Key::new(format!("TENANT#{tenant}#POLICY"), "SHARING")
}

/// The playback restriction that Mux has for this set of domains.
pub fn restriction(digest: &str) -> Key {
    Key::new(format!("RESTRICTION#{digest}"), "MUX")
}

pub fn shares_of(tenant: TenantId) -> Listing {
    Listing::new(GSI1, format!("TENANT#{tenant}#SHARES"))
}

pub fn shares_of_asset(asset: AssetId) -> Listing {
    Listing::new(GSI2, format!("ASSET#{asset}#SHARES"))
}
