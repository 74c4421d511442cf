//! The keys of incidents.

use super::{GSI1, Key, Listing};
use crate::{ids::IncidentId, incidents::Matter};

/// An incident, to read it.
pub fn incident(id: IncidentId) -> Key {
    Key::new(format!("INCIDENT#{id}"), "INCIDENT")
}

/// The same, to write it where operators find it: what is not over sorts after what is, so that it comes
/// first where the newest does.
pub fn listed_incident(id: IncidentId, open: bool) -> Key {
    let place = format!("{}#{id}", u8::from(open));
    Key {
        gsi1: Some((incidents().partition, place)),
        ..incident(id)
    }
}

/// All of them: what is not over, then the others, the newest of each first.
pub fn incidents() -> Listing {
    Listing::new(GSI1, "INCIDENTS")
}

/// Only what is not over.
pub fn open_incidents() -> Listing {
    // `$` is the next character after `#`.
    incidents().between("1#".to_owned(), "1$".to_owned())
}

/// The last incident of a matter.
pub fn incident_of(matter: Matter) -> Key {
    let (kind, subject) = (matter.kind(), matter.subject());
    Key::new(format!("INCIDENT#OF#{kind}#{subject}"), "CURRENT")
}
