//! A portable backup: every item as a line of JSON in the form of `DynamoDB`, in the order of their keys,
//! so that the same table is the same file. It is held in memory, and it is no snapshot: for a table
//! that is small, or quiet.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::{self, Write},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use audit_verify::canonical;
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, KeysAndAttributes, PutRequest, WriteRequest},
};
use sha2::{Digest, Sha256};

/// So many parts of the table are read at once.
const SEGMENTS: i32 = 4;

/// How many items one call writes and reads
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>, `BatchGetItem`).
const WRITTEN: usize = 25;
const READ: usize = 100;

/// How often what the table did not take is sent again, and how long before the first time.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(50);

type Attributes = HashMap<String, AttributeValue>;

/// An item's `pk` and `sk`.
pub(super) type Place = (String, String);

/// What a table held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backup {
    /// The line of every item.
    lines: BTreeMap<Place, Vec<u8>>,
}

impl Backup {
    fn keep(&mut self, item: Attributes) -> anyhow::Result<()> {
        self.lines.insert(place(&item)?, line(item)?);
        Ok(())
    }

    /// How many items it has.
    pub fn items(&self) -> usize {
        self.lines.len()
    }

    /// Every item's place.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.lines.keys()
    }

    /// The attributes of an item.
    pub(super) fn item(
        &self,
        place: &Place,
    ) -> anyhow::Result<BTreeMap<String, serde_json::Value>> {
        let line = self.lines.get(place).context("no such item")?;
        Ok(serde_json::from_slice(line)?)
    }

    /// How many items stand in an index.
    pub fn indexed(&self, index: &str) -> usize {
        let name = format!("\"{index}pk\":");
        let lines = self.lines.values();
        lines.filter(|it| contains(it, name.as_bytes())).count()
    }

    /// SHA-256 of the file, in hexadecimal.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for line in self.lines.values() {
            hash.update(line);
            hash.update(b"\n");
        }
        hex::encode(hash.finalize())
    }

    /// Writes the file.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        for line in self.lines.values() {
            to.write_all(line)?;
            to.write_all(b"\n")?;
        }
        to.flush()
    }

    /// Reads a file.
    pub fn read(from: &[u8]) -> anyhow::Result<Self> {
        let mut backup = Self::default();
        let lines = from.split(|it| *it == b'\n').filter(|it| !it.is_empty());
        for (number, line) in lines.enumerate() {
            let item = item(line).with_context(|| format!("line {}", number + 1))?;
            backup.keep(item)?;
        }
        Ok(backup)
    }
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|it| it == wanted)
}

/// An item as `DynamoDB` writes it in JSON, with one text for one value.
fn line(item: Attributes) -> anyhow::Result<Vec<u8>> {
    let item = item.into_iter();
    let item: BTreeMap<String, serde_dynamo::AttributeValue> =
        item.map(|(name, value)| (name, value.into())).collect();
    Ok(canonical(&item)?)
}

fn item(line: &[u8]) -> anyhow::Result<Attributes> {
    let item: BTreeMap<String, serde_dynamo::AttributeValue> = serde_json::from_slice(line)?;
    let item = item.into_iter();
    Ok(item.map(|(name, value)| (name, value.into())).collect())
}

fn place(item: &Attributes) -> anyhow::Result<Place> {
    let part = |name: &str| {
        let value = item.get(name).and_then(|it| it.as_s().ok());
        value
            .cloned()
            .with_context(|| format!("an item has no {name}"))
    };
    Ok((part("pk")?, part("sk")?))
}

fn key((pk, sk): &Place) -> Attributes {
    let text = |it: &str| AttributeValue::S(it.to_owned());
    HashMap::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

/// Everything that a table holds now.
pub async fn export(client: &Client, table: &str) -> anyhow::Result<Backup> {
    let parts = (0..SEGMENTS).map(|it| segment(client, table, it));
    let mut backup = Backup::default();
    for item in futures::future::try_join_all(parts)
        .await?
        .into_iter()
        .flatten()
    {
        backup.keep(item)?;
    }
    Ok(backup)
}

async fn segment(client: &Client, table: &str, number: i32) -> anyhow::Result<Vec<Attributes>> {
    let call = client.scan().table_name(table).consistent_read(true);
    let call = call.segment(number).total_segments(SEGMENTS);
    let pages = call.into_paginator().items().send();
    Ok(pages.collect::<Result<Vec<_>, _>>().await?)
}

/// Writes everything into a table that is empty. What the table does not take is sent again, later and
/// later.
pub async fn fill(client: &Client, table: &str, backup: &Backup) -> anyhow::Result<()> {
    let lines: Vec<&Vec<u8>> = backup.lines.values().collect();
    for some in lines.chunks(WRITTEN) {
        let requests = some.iter().map(|line| {
            let put = PutRequest::builder().set_item(Some(item(line)?)).build()?;
            Ok(WriteRequest::builder().put_request(put).build())
        });
        let mut left: Vec<WriteRequest> = requests.collect::<anyhow::Result<_>>()?;
        let (mut tries, mut pause) = (0, PAUSE);
        while !left.is_empty() {
            ensure!(tries < TRIES, "{table} does not take {} items", left.len());
            if tries > 0 {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            tries += 1;
            let call = client.batch_write_item().request_items(table, left);
            let unprocessed = call.send().await?.unprocessed_items;
            let unprocessed = unprocessed.and_then(|mut it| it.remove(table));
            left = unprocessed.unwrap_or_default();
        }
    }
    Ok(())
}

/// What a table has at these places: in another way than it was exported.
pub(super) async fn read(
    client: &Client,
    table: &str,
    places: impl Iterator<Item = &Place>,
) -> anyhow::Result<Backup> {
    let (mut found, places): (_, Vec<&Place>) = (Backup::default(), places.collect());
    for some in places.chunks(READ) {
        let mut left: Vec<Attributes> = some.iter().map(|it| key(it)).collect();
        for tries in 0.. {
            if left.is_empty() {
                break;
            }
            if tries == TRIES {
                bail!("{table} does not answer for {} items", left.len());
            }
            if tries > 0 {
                tokio::time::sleep(PAUSE * 2_u32.pow(tries)).await;
            }
            let wanted = KeysAndAttributes::builder().set_keys(Some(left));
            let wanted = wanted.consistent_read(true).build()?;
            let call = client.batch_get_item().request_items(table, wanted);
            let output = call.send().await?;
            let items = output.responses.and_then(|mut it| it.remove(table));
            for item in items.unwrap_or_default() {
                found.keep(item)?;
            }
            let unread = output.unprocessed_keys.and_then(|mut it| it.remove(table));
            left = unread.map(|it| it.keys).unwrap_or_default();
        }
    }
    Ok(found)
}

/// How many items an index of a table has.
pub async fn indexed(client: &Client, table: &str, index: &str) -> anyhow::Result<usize> {
    let call = client.scan().table_name(table).index_name(index);
    let pages = call.into_paginator().items().send();
    Ok(pages.collect::<Result<Vec<_>, _>>().await?.len())
}

/// How a restored table differs from its backup, by key and attribute. Empty: not at all, byte for byte.
pub async fn differences(
    client: &Client,
    table: &str,
    backup: &Backup,
) -> anyhow::Result<Vec<String>> {
    let scanned = export(client, table).await?;
    let found = read(client, table, backup.places()).await?;
    let mut differences = Vec::new();
    for place @ (pk, sk) in scanned.places() {
        if !backup.lines.contains_key(place) {
            differences.push(format!("{pk} {sk} is in no backup"));
        }
    }
    for (place @ (pk, sk), line) in &backup.lines {
        match found.lines.get(place) {
            None => differences.push(format!("{pk} {sk} is missing")),
            Some(other) if other == line => {}
            Some(_) => {
                let (a, b) = (backup.item(place)?, found.item(place)?);
                let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                let differ = names
                    .into_iter()
                    .filter(|name| a.get(*name) != b.get(*name));
                let differ: Vec<&str> = differ.map(String::as_str).collect();
                differences.push(format!("{pk} {sk} differs in {}", differ.join(", ")));
            }
        }
    }
    for index in [shared::store::keys::GSI1, shared::store::keys::GSI2] {
        let (wanted, found) = (backup.indexed(index), indexed(client, table, index).await?);
        if wanted != found {
            differences.push(format!("{index} has {found} items instead of {wanted}"));
        }
    }
    Ok(differences)
}
