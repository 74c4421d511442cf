//! What is too large for one item, in parts beside it. An item of the table holds 400 KB.

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::future;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Guard, Key, Store, StoreError};

/// Bytes of a part: in Base64 it still fits an item.
const PART: usize = 256 * 1024;

#[derive(Serialize, Deserialize)]
struct Part {
    bytes: String,
}

impl Store {
    /// Keeps bytes in parts beside an item, for as long as the key says. When this returns how many
    /// there are, and the name of the whole, all of them are durable.
    pub async fn put_parts(&self, beside: &Key, bytes: &[u8]) -> Result<(u32, String), StoreError> {
        let digest = &hex::encode(&Sha256::digest(bytes)[..16]);
        let parts = (0_u32..).zip(bytes.chunks(PART));
        let writes = parts.map(|(number, chunk)| async move {
            let part = Part {
                bytes: STANDARD.encode(chunk),
            };
            // No guard: the same bytes at the same place, however often.
            let key = beside.part(digest, number);
            self.put(&key, &part, Guard::None).await
        });
        let written = future::try_join_all(writes).await?;
        let count = u32::try_from(written.len()).unwrap_or(u32::MAX);
        Ok((count, digest.clone()))
    }

    /// The bytes that were kept; `None` when they are no longer there.
    pub async fn get_parts(
        &self,
        beside: &Key,
        count: u32,
        digest: &str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let reads = (0..count).map(|number| async move {
            let part: Option<Part> = self.get(&beside.part(digest, number)).await?;
            Ok::<_, StoreError>(part.and_then(|it| STANDARD.decode(it.bytes).ok()))
        });
        let read = future::try_join_all(reads).await?;
        let parts: Option<Vec<Vec<u8>>> = read.into_iter().collect();
        Ok(parts.map(|parts| parts.concat()))
    }
}
