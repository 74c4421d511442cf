//! What is too large for one item, in parts beside it. An item of the table holds 400 KB.

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::future;
use serde::{Deserialize, Serialize};

use super::{Guard, Key, Store, StoreError};

/// Bytes of a part: in Base64 it still fits an item.
const PART: usize = 256 * 1024;

#[derive(Serialize, Deserialize)]
struct Part {
    bytes: String,
}

impl Store {
    /// Keeps bytes in parts beside an item, for as long as the key says. When this returns how many
    /// parts there are, all of them are durable.
    pub async fn put_parts(&self, beside: &Key, bytes: &[u8]) -> Result<u32, StoreError> {
        let parts = (0_u32..).zip(bytes.chunks(PART));
        let writes = parts.map(|(number, chunk)| async move {
            let part = Part {
                bytes: STANDARD.encode(chunk),
            };
            // No guard: the same bytes at the same place, however often.
            self.put(&beside.part(number), &part, Guard::None).await
        });
        let written = future::try_join_all(writes).await?;
        Ok(u32::try_from(written.len()).unwrap_or(u32::MAX))
    }

    /// The bytes that were kept; `None` when they are no longer there.
    pub async fn get_parts(&self, beside: &Key, parts: u32) -> Result<Option<Vec<u8>>, StoreError> {
        let reads = (0..parts).map(|number| async move {
            let part: Option<Part> = self.get(&beside.part(number)).await?;
            Ok::<_, StoreError>(part.and_then(|it| STANDARD.decode(it.bytes).ok()))
        });
        let read = future::try_join_all(reads).await?;
        let parts: Option<Vec<Vec<u8>>> = read.into_iter().collect();
        Ok(parts.map(|parts| parts.concat()))
    }
}
