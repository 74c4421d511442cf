//! Many items by their keys, how many there are in a list, and single attributes of an item.

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, Select};
use futures::future;
use serde::de::DeserializeOwned;

use super::{
    Store, StoreError,
    key::{Attributes, Key, Listing},
    told,
};
use crate::traces;

/// As many keys as the service takes at once.
const BATCH: usize = 100;

/// An item that is there or not, or does not decode.
pub type Each<T> = Result<Option<T>, StoreError>;

/// Where the items of a listing stand: `pk` and `sk`.
pub struct Addresses {
    pub items: Vec<(String, String)>,
    /// Where to go on, if there is more.
    pub next: Option<Start>,
}

/// Where a listing goes on, whatever the item there looks like.
pub struct Start(Attributes);

/// How often what the service left out is asked for again.
const ROUNDS: u32 = 5;

impl Store {
    /// Items in the order of their keys. A round trip for every hundred, all at once.
    pub async fn get_many<T: DeserializeOwned>(
        &self,
        keys: &[Key],
    ) -> Result<Vec<Option<T>>, StoreError> {
        self.get_each(keys).await?.into_iter().collect()
    }

    /// The same, and an item that does not decode keeps no other from being read.
    pub async fn get_each<T: DeserializeOwned>(
        &self,
        keys: &[Key],
    ) -> Result<Vec<Each<T>>, StoreError> {
        let items = self.items(keys).await?.into_iter();
        let each = items.map(|it| Ok(it.map(serde_dynamo::from_item).transpose()?));
        Ok(each.collect())
    }

    /// Items as they stand in the table, in the order of their keys.
    pub(super) async fn items(&self, keys: &[Key]) -> Result<Vec<Option<Attributes>>, StoreError> {
        let batches = keys.chunks(BATCH).map(|some| self.batch(some));
        let batches = future::try_join_all(batches).await?;
        Ok(batches.into_iter().flatten().collect())
    }

    async fn batch(&self, keys: &[Key]) -> Result<Vec<Option<Attributes>>, StoreError> {
        if let [key] = keys {
            return Ok(vec![self.item(key).await?]);
        }
        let mut found: Vec<Attributes> = Vec::with_capacity(keys.len());
        let mut wanted: Vec<Attributes> = keys.iter().map(Key::address).collect();
        for _ in 0..ROUNDS {
            let request = KeysAndAttributes::builder()
                .set_keys(Some(wanted))
                .consistent_read(true)
                .build()
                .map_err(|error| StoreError::Refused(error.into()))?;
            let step = traces::step("DynamoDB.BatchGetItem");
            let call = self.client.batch_get_item();
            let call = call.request_items(&self.table, request);
            let output = told(step, call.send().await.map_err(|it| self.failed(it)))?;
            let mut responses = output.responses.unwrap_or_default();
            found.extend(responses.remove(&self.table).unwrap_or_default());
            let left = output.unprocessed_keys.unwrap_or_default();
            wanted = left.into_values().flat_map(|it| it.keys).collect();
            if wanted.is_empty() {
                let mut take = |key: &Key| {
                    let place = found.iter().position(|item| key.is(item))?;
                    Some(found.swap_remove(place))
                };
                return Ok(keys.iter().map(&mut take).collect());
            }
        }
        // Throttled, or larger than one answer may be over and over: what is missing is unknown, not absent.
        future::try_join_all(keys.iter().map(|key| self.item(key))).await
    }

    /// Where the items of a page of a listing stand, and nothing that is in them.
    pub async fn addresses(
        &self,
        listing: &Listing,
        start: Option<Start>,
        limit: u32,
    ) -> Result<Addresses, StoreError> {
        let call = self
            .query(listing)
            .projection_expression("pk, sk")
            .set_exclusive_start_key(start.map(|it| it.0))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let output = call.send().await.map_err(|it| self.failed(it))?;
        let text = |item: &Attributes, name: &str| item.get(name)?.as_s().ok().cloned();
        let items = output.items.unwrap_or_default();
        let items = items
            .iter()
            .filter_map(|it| text(it, "pk").zip(text(it, "sk")));
        Ok(Addresses {
            items: items.collect(),
            next: output.last_evaluated_key.map(Start),
        })
    }

    /// How many items there are in a listing.
    pub async fn count(&self, listing: &Listing) -> Result<u64, StoreError> {
        let (mut count, mut start) = (0, None);
        loop {
            let output = self
                .query(listing)
                .select(Select::Count)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|it| self.failed(it))?;
            count += u64::try_from(output.count).unwrap_or_default();
            start = output.last_evaluated_key;
            if start.is_none() {
                return Ok(count);
            }
        }
    }

    /// Sets numbers and removes attributes of an item that is there, and touches nothing else of it.
    pub async fn edit(
        &self,
        key: &Key,
        set: &[(&str, u64)],
        remove: &[&str],
    ) -> Result<(), StoreError> {
        let mut call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.address()))
            .condition_expression("attribute_exists(pk)");
        let (mut clauses, mut assigned) = (Vec::new(), Vec::new());
        for (place, (name, value)) in set.iter().enumerate() {
            assigned.push(format!("#s{place} = :s{place}"));
            call = call
                .expression_attribute_names(format!("#s{place}"), *name)
                .expression_attribute_values(
                    format!(":s{place}"),
                    AttributeValue::N(value.to_string()),
                );
        }
        if !assigned.is_empty() {
            clauses.push(format!("SET {}", assigned.join(", ")));
        }
        let mut removed = Vec::new();
        for (place, name) in remove.iter().enumerate() {
            removed.push(format!("#r{place}"));
            call = call.expression_attribute_names(format!("#r{place}"), *name);
        }
        if !removed.is_empty() {
            clauses.push(format!("REMOVE {}", removed.join(", ")));
        }
        call.update_expression(clauses.join(" "))
            .send()
            .await
            .map_err(|it| self.failed(it))?;
        Ok(())
    }
}
