//! What a key is: where an item stands, in which lists, and how a list is addressed. Which keys there
//! are is in `keys.rs`.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use time::OffsetDateTime;

pub(super) type Attributes = HashMap<String, AttributeValue>;

/// The names of the table's secondary indexes. Both project everything, so a page is one query.
pub const GSI1: &str = "gsi1";
pub const GSI2: &str = "gsi2";

/// Where an item is, in which indexes it shows up, and when it may be swept. It may name something
/// of Mux, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    pub(super) pk: String,
    pub(super) sk: String,
    pub(super) gsi1: Option<(String, String)>,
    pub(super) gsi2: Option<(String, String)>,
    pub(super) expires: Option<OffsetDateTime>,
}

impl Key {
    pub(super) fn new(pk: String, sk: impl Into<String>) -> Self {
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

    /// Where a page of this listing goes on after this item.
    pub(super) fn start(&self, listing: &Listing) -> Attributes {
        let Some(index) = listing.index else {
            return self.address();
        };
        let mut attributes = self.attributes();
        attributes
            .retain(|name, _| matches!(name.as_str(), "pk" | "sk") || name.starts_with(index));
        attributes
    }

    /// Whether another key stands at the same place of the table.
    pub(super) fn is_at(&self, other: &Self) -> bool {
        self.pk == other.pk && self.sk == other.sk
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

/// The items of one partition of an index or of the table, newest first unless it says otherwise.
#[derive(Debug, Clone)]
pub struct Listing {
    /// None: the table itself.
    pub(super) index: Option<&'static str>,
    pub(super) partition: String,
    /// From which sort key to which, both included.
    pub(super) range: Option<(String, String)>,
    pub(super) oldest_first: bool,
}

impl Listing {
    pub(super) fn new(index: &'static str, partition: impl Into<String>) -> Self {
        Self {
            index: Some(index),
            partition: partition.into(),
            range: None,
            oldest_first: false,
        }
    }

    /// The name of one of the two attributes that it is ordered by.
    pub(super) fn attribute(&self, part: &str) -> String {
        format!("{}{part}", self.index.unwrap_or_default())
    }

    /// From one sort key to another, both included.
    pub(super) fn between(self, from: String, to: String) -> Self {
        Self {
            range: Some((from, to)),
            ..self
        }
    }
}
