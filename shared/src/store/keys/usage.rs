//! The keys of what was used, and of reports of what it cost.

use time::Date;

use super::{GSI1, Key, Listing};
use crate::ids::TenantId;

/// What a tenant used on a day, as one source tells it; a chunk of it.
pub fn usage(tenant: TenantId, day: Date, source: &str, chunk: u8) -> Key {
    let place = format!("{day}#{source}#{tenant}#{chunk:02}");
    Key {
        gsi1: Some((of_month(day), place)),
        ..Key::new(
            format!("USAGE#{tenant}"),
            format!("{day}#{source}#{chunk:02}"),
        )
    }
}

fn of_month(day: Date) -> String {
    format!("USAGE#{:04}-{:02}", day.year(), u8::from(day.month()))
}

/// All that a tenant used from one day to another, both included.
pub fn usage_between(tenant: TenantId, from: Date, to: Date) -> Listing {
    usage_of(tenant).between(format!("{from}#"), format!("{to}$"))
}

/// All chunks of what one source tells of one day of a tenant.
pub fn usage_of_source(tenant: TenantId, day: Date, source: &str) -> Listing {
    usage_of(tenant).between(format!("{day}#{source}#"), format!("{day}#{source}$"))
}

fn usage_of(tenant: TenantId) -> Listing {
    Listing {
        index: None,
        oldest_first: true,
        ..Listing::new(GSI1, format!("USAGE#{tenant}"))
    }
}

/// What everybody used from one day to another of the same month, both included.
pub fn usage_of_all(from: Date, to: Date) -> Listing {
    let all = Listing {
        oldest_first: true,
        ..Listing::new(GSI1, of_month(from))
    };
    all.between(format!("{from}#"), format!("{to}$"))
}

/// What one source tells of one day of everybody.
pub fn usage_of_all_by(day: Date, source: &str) -> Listing {
    let all = Listing::new(GSI1, of_month(day));
    all.between(format!("{day}#{source}#"), format!("{day}#{source}$"))
}

/// What AWS itself says that a day cost.
pub fn billed(day: Date) -> Key {
    Key::new("USAGE#AWS".to_owned(), format!("{day}#BILLED"))
}

/// The same from one day to another, both included.
pub fn billed_between(from: Date, to: Date) -> Listing {
    let all = Listing {
        index: None,
        oldest_first: true,
        ..Listing::new(GSI1, "USAGE#AWS")
    };
    all.between(format!("{from}#"), format!("{to}$"))
}

/// The report of a month that is closed, of a tenant or of `ALL`.
pub fn closed_report(whose: &str, month: &str) -> Key {
    Key::new(format!("COSTS#{whose}"), format!("{month}#CLOSED"))
}

/// How a month stood at the beginning of a day.
pub fn cost_snapshot(whose: &str, day: Date) -> Key {
    Key::new(format!("COSTS#{whose}"), format!("{day}#SNAPSHOT"))
}

/// What acts for a budget that is spent.
pub fn guardrails() -> Key {
    Key::new("GUARDRAILS".to_owned(), "STATE")
}

/// Mux told of much traffic, and nobody has looked since.
pub fn much_traffic() -> Key {
    Key::new("GUARDRAILS".to_owned(), "TRAFFIC")
}

/// How far usage is known.
pub fn usage_place() -> Key {
    Key::new("JOB#usage".to_owned(), "PLACE")
}
