//! What several slices want to read, in one round trip.

use serde::de::DeserializeOwned;

use super::{
    Marks, Store, StoreError,
    key::{Attributes, Key},
    places,
};

/// Keys that are read together. Each slice adds its own, and says what it makes of what is found there.
#[derive(Default)]
pub struct Reads {
    keys: Vec<Key>,
}

impl Reads {
    /// One item. A key that somebody wants already is read once.
    pub fn get<'a, T: DeserializeOwned + 'a>(&mut self, key: Key) -> Later<'a, Option<T>> {
        let place = self.place(key);
        Later::new(move |found| {
            let item = found.0.get(place).cloned().flatten();
            Ok(item.map(serde_dynamo::from_item).transpose()?)
        })
    }

    /// What stands in every place of an item.
    pub fn marks<'a>(&mut self, key: Key) -> Later<'a, Marks> {
        let place = self.place(key);
        Later::new(move |found| Ok(places::marks(found.0.get(place).cloned().flatten())))
    }

    fn place(&mut self, key: Key) -> usize {
        let known = self.keys.iter().position(|it| it.is_at(&key));
        known.unwrap_or_else(|| {
            self.keys.push(key);
            self.keys.len() - 1
        })
    }
}

/// What was found at the keys, in their order.
pub struct Found(Vec<Option<Attributes>>);

/// What will be known once the reading is done.
#[must_use]
pub struct Later<'a, T>(Box<Make<'a, T>>);

type Make<'a, T> = dyn FnOnce(&Found) -> Result<T, StoreError> + Send + 'a;

impl<'a, T: 'a> Later<'a, T> {
    /// What is made of several things that were found.
    pub fn new(of: impl FnOnce(&Found) -> Result<T, StoreError> + Send + 'a) -> Self {
        Self(Box::new(of))
    }

    /// What is known already.
    pub fn ready(value: T) -> Self
    where
        T: Send,
    {
        Self::new(|_| Ok(value))
    }

    /// What a slice makes of it.
    pub fn map<B: 'a>(self, make: impl FnOnce(T) -> B + Send + 'a) -> Later<'a, B> {
        Later::new(|found| self.of(found).map(make))
    }

    /// Both of them.
    pub fn and<B: 'a>(self, other: Later<'a, B>) -> Later<'a, (T, B)> {
        Later::new(|found| Ok((self.of(found)?, other.of(found)?)))
    }

    /// Takes it out of what was found.
    pub fn of(self, found: &Found) -> Result<T, StoreError> {
        (self.0)(found)
    }
}

impl Store {
    /// Reads all of it: a round trip for every hundred keys, all at once.
    pub async fn read(&self, reads: Reads) -> Result<Found, StoreError> {
        Ok(Found(self.items(&reads.keys).await?))
    }
}
