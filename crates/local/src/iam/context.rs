//! The facts of a request that a policy's conditions and variables may read.
//!
//! Owns: case-insensitive condition keys, each with one or more values.
//! Refuses: interpreting a value; that is the condition operator's business.

use std::collections::BTreeMap;

/// Condition keys such as `s3:prefix` with their values. Keys compare without
/// case, as in IAM; a key may hold several values (`aws:TagKeys`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestContext(BTreeMap<String, Vec<String>>);

impl RequestContext {
    /// No facts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same facts and one more value of `key`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.insert(key, value);
        self
    }

    /// Adds one value to `key`, keeping those that are there.
    pub fn insert(&mut self, key: &str, value: impl Into<String>) {
        self.0.entry(key.to_ascii_lowercase()).or_default().push(value.into());
    }

    /// Sets `key` to exactly one value.
    pub fn replace(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_ascii_lowercase(), vec![value.into()]);
    }

    /// Forgets `key`.
    pub fn remove(&mut self, key: &str) {
        self.0.remove(&key.to_ascii_lowercase());
    }

    /// The values of `key`; empty when the request does not carry it.
    #[must_use]
    pub fn get(&self, key: &str) -> &[String] {
        self.0.get(&key.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }
}
