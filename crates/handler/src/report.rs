//! The failure report: why a source has no prints, as JSON beside the prints.

use crate::store::Head;
use bytes::Bytes;
use serde::Serialize;
use std::time::SystemTime;

/// A failure report, as stored.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    /// The source bucket.
    pub(crate) bucket: &'a str,
    /// The source key.
    pub(crate) key: &'a str,
    /// The source's etag.
    pub(crate) etag: &'a str,
    /// The source's size in bytes.
    pub(crate) size: u64,
    /// Stable code.
    pub(crate) code: &'a str,
    /// For the person who uploaded it.
    pub(crate) reason: &'a str,
    /// The digest of the recipe.
    pub(crate) recipe: &'a str,
    /// When it was written, RFC 3339.
    pub(crate) time: String,
}

pub(crate) fn time(wall: SystemTime) -> String {
    // A clock before 1970 is a broken clock; the report is written all the same.
    humantime::format_rfc3339_millis(wall.max(SystemTime::UNIX_EPOCH)).to_string()
}

impl<'a> Report<'a> {
    pub(crate) fn new(
        bucket: &'a str,
        key: &'a str,
        head: &'a Head,
        recipe: &'a str,
        wall: SystemTime,
    ) -> Self {
        Self {
            bucket,
            key,
            etag: &head.etag,
            size: head.size,
            code: "",
            reason: "",
            recipe,
            time: time(wall),
        }
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        #[expect(clippy::expect_used, reason = "strings and a number always serialize")]
        let mut json = serde_json::to_vec_pretty(self).expect("a report is JSON");
        json.push(b'\n');
        json.into()
    }
}
