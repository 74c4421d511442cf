//! The single table, spoken to in a few verbs. Slices never see the AWS SDK, and nobody scans.
//!
//! Reads are strongly consistent, except those of an index, which `DynamoDB` does not offer so.

mod counters;
mod error;
mod key;
pub mod keys;
mod large;
mod many;
mod places;
mod reads;
mod units;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::query::builders::QueryFluentBuilder,
    types::{AttributeValue, Delete, Put, TransactWriteItem},
};
use serde::{Serialize, de::DeserializeOwned};
use time::OffsetDateTime;

pub use self::{
    error::StoreError,
    many::Each,
    places::{Marks, Place},
    reads::{Found, Later, Reads},
    units::Units,
};
use self::{
    key::{Attributes, Key, Listing},
    units::{Counting, Used},
};
use crate::traces::{self, Begun};

/// How often a lost guard is met by reading and applying again (design: at most five times).
pub const ATTEMPTS: u32 = 5;

/// How long to wait before a transaction that met another one is sent again; doubled each time.
const COLLISION: Duration = Duration::from_millis(20);

/// What must be true of the stored item for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Last writer wins. Say why at the call.
    None,
    /// The key must be free: creation, and idempotency.
    Absent,
    /// The stored claim must have run out (`claimed_until`) before this instant.
    Lapsed(OffsetDateTime),
    /// The stored `version` must be this one: an update of what was read.
    Version(u64),
}

impl Guard {
    /// The condition, and the values that it names.
    fn expression(self) -> (Option<String>, Option<Attributes>) {
        let (condition, value) = match self {
            Self::None => return (None, None),
            Self::Absent => return (Some("attribute_not_exists(pk)".to_owned()), None),
            Self::Lapsed(now) => ("claimed_until < :guard", now.unix_timestamp().to_string()),
            Self::Version(n) => ("version = :guard", n.to_string()),
        };
        let values = Attributes::from([(":guard".to_owned(), AttributeValue::N(value))]);
        (Some(condition.to_owned()), Some(values))
    }
}

/// One write of a transaction. It may hold a capability, so it has no `Debug`.
#[derive(Clone)]
pub struct Write {
    key: Key,
    item: Option<Attributes>,
    guard: Guard,
}

impl Write {
    /// Puts an item in the place of whatever is there, if the guard holds.
    pub fn put<T: Serialize>(key: Key, item: &T, guard: Guard) -> Result<Self, StoreError> {
        let mut attributes: Attributes = serde_dynamo::to_item(item)?;
        attributes.extend(key.attributes());
        Ok(Self {
            key,
            item: Some(attributes),
            guard,
        })
    }

    /// Deletes an item, if the guard holds.
    pub fn delete(key: Key, guard: Guard) -> Self {
        Self {
            key,
            item: None,
            guard,
        }
    }
}

/// A page of a listing, and whether there is more.
#[derive(Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub more: bool,
}

/// The table.
pub struct Store {
    client: Client,
    table: String,
    /// Calls that the table did not answer: it was away, too slow, or had enough to do.
    unanswered: AtomicU64,
    /// What all calls together were charged for.
    used: Arc<Used>,
}

impl Store {
    pub fn new(client: &Client, table: String) -> Self {
        let used = Arc::new(Used::default());
        // The same connections, and every call counted.
        let counted = client.config().to_builder();
        let counted = counted.interceptor(Counting(Arc::clone(&used))).build();
        Self {
            client: Client::from_conf(counted),
            table,
            unanswered: AtomicU64::new(0),
            used,
        }
    }

    /// What was used of the table since the last time somebody took it.
    pub fn take_units(&self) -> Units {
        self.used.take()
    }

    /// How many calls of this process the table has not answered.
    pub fn unanswered(&self) -> u64 {
        self.unanswered.load(Ordering::Relaxed)
    }

    /// Classifies a failure, and counts it if it was no answer.
    fn failed<E>(&self, error: SdkError<E>) -> StoreError
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        self.counted(StoreError::of(error))
    }

    fn counted(&self, error: StoreError) -> StoreError {
        if matches!(error, StoreError::Unavailable(_)) {
            self.unanswered.fetch_add(1, Ordering::Relaxed);
        }
        error
    }

    /// One item. One round trip.
    pub async fn get<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, StoreError> {
        let item = self.item(key).await?;
        Ok(item.map(serde_dynamo::from_item).transpose()?)
    }

    /// An item as it stands in the table.
    async fn item(&self, key: &Key) -> Result<Option<Attributes>, StoreError> {
        let step = traces::step("DynamoDB.GetItem");
        let call = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key.address()))
            .consistent_read(true);
        let output = told(step, call.send().await.map_err(|it| self.failed(it)))?;
        Ok(output.item)
    }

    /// Two items in one round trip.
    pub async fn get_both<A, B>(
        &self,
        a: &Key,
        b: &Key,
    ) -> Result<(Option<A>, Option<B>), StoreError>
    where
        A: DeserializeOwned,
        B: DeserializeOwned,
    {
        let mut items = self.items(&[a.clone(), b.clone()]).await?.into_iter();
        let mut next = || items.next().flatten();
        let (a, b) = (next(), next());
        Ok((
            a.map(serde_dynamo::from_item).transpose()?,
            b.map(serde_dynamo::from_item).transpose()?,
        ))
    }

    /// A page of a listing, after the item with this key.
    pub async fn list<T: DeserializeOwned>(
        &self,
        listing: &Listing,
        after: Option<&Key>,
        limit: u32,
    ) -> Result<Page<T>, StoreError> {
        let call = self
            .query(listing)
            .set_exclusive_start_key(after.map(|key| key.start(listing)))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let step = traces::step("DynamoDB.Query");
        let output = told(step, call.send().await.map_err(|it| self.failed(it)))?;
        Ok(Page {
            more: output.last_evaluated_key.is_some(),
            items: serde_dynamo::from_items(output.items.unwrap_or_default())?,
        })
    }

    fn query(&self, listing: &Listing) -> QueryFluentBuilder {
        let call = self
            .client
            .query()
            .table_name(&self.table)
            .set_index_name(listing.index.map(str::to_owned))
            .consistent_read(listing.index.is_none())
            .expression_attribute_names("#pk", listing.attribute("pk"))
            .expression_attribute_values(":pk", AttributeValue::S(listing.partition.clone()))
            .scan_index_forward(listing.oldest_first);
        match listing.range.clone() {
            None => call.key_condition_expression("#pk = :pk"),
            Some((from, to)) => call
                .key_condition_expression("#pk = :pk AND #sk BETWEEN :from AND :to")
                .expression_attribute_names("#sk", listing.attribute("sk"))
                .expression_attribute_values(":from", AttributeValue::S(from))
                .expression_attribute_values(":to", AttributeValue::S(to)),
        }
    }

    /// One item, in one round trip and at half of what a transaction costs.
    pub async fn put<T: Serialize>(
        &self,
        key: &Key,
        item: &T,
        guard: Guard,
    ) -> Result<(), StoreError> {
        let mut attributes: Attributes = serde_dynamo::to_item(item)?;
        attributes.extend(key.attributes());
        let (condition, values) = guard.expression();
        let step = traces::step("DynamoDB.PutItem");
        let call = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(attributes))
            .set_condition_expression(condition)
            .set_expression_attribute_values(values);
        told(step, call.send().await.map_err(|it| self.failed(it)))?;
        Ok(())
    }

    /// Deletes an item, if the guard holds.
    pub async fn delete(&self, key: &Key, guard: Guard) -> Result<(), StoreError> {
        let (condition, values) = guard.expression();
        self.client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key.address()))
            .set_condition_expression(condition)
            .set_expression_attribute_values(values)
            .send()
            .await
            .map_err(|it| self.failed(it))?;
        Ok(())
    }

    /// All writes or none, in one round trip.
    ///
    /// The SDK sends a token with it, so that its own retry of a lost answer is not a second write.
    ///
    /// Two transactions on one item collide, and the service lets one of them fail although no guard
    /// was lost. Nothing was written then, so it is sent again; the guards decide.
    pub async fn commit(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let mut items = Vec::with_capacity(writes.len());
        for write in writes {
            items.push(self.transact(write)?);
        }
        let mut attempt = 1;
        loop {
            let call = self.client.transact_write_items();
            let step = traces::step("DynamoDB.TransactWriteItems");
            let sent = call.set_transact_items(Some(items.clone())).send().await;
            match told(
                step,
                sent.map_err(|it| self.counted(StoreError::of_commit(it))),
            ) {
                Err(StoreError::Collision(_)) if attempt < ATTEMPTS => {
                    tokio::time::sleep(COLLISION * 2_u32.pow(attempt - 1)).await;
                    attempt += 1;
                }
                done => return done.map(drop),
            }
        }
    }

    fn transact(&self, write: Write) -> Result<TransactWriteItem, StoreError> {
        let (condition, values) = write.guard.expression();
        let item = TransactWriteItem::builder();
        let built = match write.item {
            Some(attributes) => Put::builder()
                .table_name(&self.table)
                .set_item(Some(attributes))
                .set_condition_expression(condition)
                .set_expression_attribute_values(values)
                .build()
                .map(|put| item.put(put)),
            None => Delete::builder()
                .table_name(&self.table)
                .set_key(Some(write.key.address()))
                .set_condition_expression(condition)
                .set_expression_attribute_values(values)
                .build()
                .map(|delete| item.delete(delete)),
        };
        Ok(built
            .map_err(|error| StoreError::Refused(error.into()))?
            .build())
    }
}

/// Ends a step. A guard that did not hold is an answer like any other.
fn told<T>(step: Begun, done: Result<T, StoreError>) -> Result<T, StoreError> {
    let failed = |it: &StoreError| !matches!(it, StoreError::Conflict { .. });
    step.ends(done.as_ref().is_err_and(failed));
    done
}
