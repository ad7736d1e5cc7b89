//! What extensions have said of objects. Owns how many descriptions are kept;
//! refuses to make any.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::extension::Description;
use minilab_local::storage::ObjectInfo;

/// Descriptions by bucket, key and `ETag`, so that a page does not read every
/// object again.
#[derive(Default)]
pub(crate) struct Descriptions(Mutex<HashMap<(String, String, String), Option<Description>>>);

impl Descriptions {
    const MOST: usize = 100_000;

    /// The description that is kept, or else the one that `make` gives.
    pub(crate) fn get(
        &self,
        bucket: &str,
        info: &ObjectInfo,
        make: impl FnOnce() -> Option<Description>,
    ) -> Option<Description> {
        let name = (bucket.to_owned(), info.key.clone(), info.etag.clone());
        if let Some(known) = self.lock().get(&name) {
            return known.clone();
        }
        let made = make();
        let mut known = self.lock();
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(name, made.clone());
        made
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String, String), Option<Description>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
