//! A [`Store`] in memory, for tests and for schedules that are explored.
//! Refuses nothing that S3 accepts; a bucket exists once it is created.

use crate::hex::hex;
use crate::store::{Cause, Head, Metadata, Object, Operation, Page, Put, Store, StoreError};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A stored object, as [`MemoryStore::object`] shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its bytes.
    pub bytes: Bytes,
    /// Entity tag: a digest of the bytes.
    pub etag: String,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `Cache-Control`; empty when absent.
    pub cache_control: String,
    /// User metadata.
    pub metadata: Metadata,
}

#[derive(Debug, Default)]
struct State {
    buckets: BTreeSet<String>,
    objects: BTreeMap<(String, String), Stored>,
}

/// Buckets and objects in memory. Each operation happens at one instant.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    page: usize,
}

impl MemoryStore {
    /// A store with these buckets, all empty. Listings come in pages of 1,000
    /// keys, as S3's.
    pub fn new<'a>(buckets: impl IntoIterator<Item = &'a str>) -> Self {
        let buckets = buckets.into_iter().map(str::to_owned).collect();
        Self { state: Mutex::new(State { buckets, objects: BTreeMap::new() }), page: 1000 }
    }

    /// Listings in pages of `keys` keys, at least 1.
    #[must_use]
    pub const fn with_page(mut self, keys: usize) -> Self {
        self.page = if keys == 0 { 1 } else { keys };
        self
    }

    /// The object under a key, if there is one.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Stored> {
        self.lock().objects.get(&(bucket.to_owned(), key.to_owned())).cloned()
    }

    /// Every key of a bucket, in order.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.lock().objects.keys().filter(|(b, _)| b == bucket).map(|(_, key)| key.clone()).collect()
    }

    /// Stores an object without metadata, as an uploader would.
    pub fn upload(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) {
        self.insert(
            bucket,
            key,
            Put {
                bytes: bytes.into(),
                content_type: "application/octet-stream",
                cache_control: String::new(),
                metadata: Metadata::new(),
            },
        );
    }

    /// Deletes an object, as an uploader would.
    pub fn remove(&self, bucket: &str, key: &str) {
        self.lock().objects.remove(&(bucket.to_owned(), key.to_owned()));
    }

    fn insert(&self, bucket: &str, key: &str, put: Put) {
        let Put { bytes, content_type, cache_control, metadata } = put;
        let etag = hex(&Sha256::digest(&bytes)[..16]);
        let stored = Stored { bytes, etag, content_type, cache_control, metadata };
        self.lock().objects.insert((bucket.to_owned(), key.to_owned()), stored);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is a single insert or remove: nothing is half done
        // after a panic elsewhere.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bucket(&self, operation: Operation, bucket: &str, key: &str) -> Result<(), StoreError> {
        if self.lock().buckets.contains(bucket) {
            return Ok(());
        }
        Err(StoreError {
            operation,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            cause: Cause::NoSuchBucket,
            detail: String::new(),
        })
    }
}

fn head_of(stored: &Stored) -> Head {
    Head { etag: stored.etag.clone(), size: stored.bytes.len() as u64, metadata: stored.metadata.clone() }
}

impl Store for MemoryStore {
    async fn get(&self, bucket: &str, key: &str, max_bytes: u64) -> Result<Option<Object>, StoreError> {
        self.bucket(Operation::Get, bucket, key)?;
        Ok(self.object(bucket, key).map(|stored| {
            let head = head_of(&stored);
            if head.size > max_bytes {
                Object::Oversize { head }
            } else {
                Object::Whole { head, bytes: stored.bytes }
            }
        }))
    }

    async fn head(&self, bucket: &str, key: &str) -> Result<Option<Head>, StoreError> {
        self.bucket(Operation::Head, bucket, key)?;
        Ok(self.object(bucket, key).as_ref().map(head_of))
    }

    async fn put(&self, bucket: &str, key: &str, put: Put) -> Result<(), StoreError> {
        self.bucket(Operation::Put, bucket, key)?;
        self.insert(bucket, key, put);
        Ok(())
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        self.bucket(Operation::Delete, bucket, key)?;
        self.remove(bucket, key);
        Ok(())
    }

    async fn list(&self, bucket: &str, prefix: &str, from: Option<&str>) -> Result<Page, StoreError> {
        self.bucket(Operation::List, bucket, prefix)?;
        let start = match from {
            Some(after) => Bound::Excluded((bucket.to_owned(), after.to_owned())),
            None => Bound::Included((bucket.to_owned(), prefix.to_owned())),
        };
        let state = self.lock();
        let mut keys: Vec<String> = state
            .objects
            .range((start, Bound::Unbounded))
            .take_while(|((b, key), _)| b == bucket && key.starts_with(prefix))
            .take(self.page + 1)
            .map(|((_, key), _)| key.clone())
            .collect();
        let next = (keys.len() > self.page).then(|| {
            keys.truncate(self.page);
            keys[self.page - 1].clone()
        });
        Ok(Page { keys, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_store_keeps_the_contract() {
        for page in [1, 2, 1000] {
            let store = MemoryStore::new(["contract"]).with_page(page);
            futures_executor::block_on(crate::contract::check(&store, "contract"));
            assert!(store.keys("contract").is_empty(), "the suite cleans up after itself");
        }
    }
}
