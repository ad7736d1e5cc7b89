//! The parts of a multipart upload.
//!
//! Owns: their types. Refuses: storing them; `multipart` and `completion` do.

use std::collections::BTreeMap;

use super::digest::Algorithm;

/// An uploaded part.
#[derive(Debug, Clone)]
pub struct PartInfo {
    /// From 1 to 10,000.
    pub number: u32,
    pub(super) blob: Option<String>,
    /// Bytes.
    pub size: u64,
    /// The `ETag` without quotes.
    pub etag: String,
    /// Milliseconds since 1970.
    pub modified_ms: i64,
    /// Base64 checksums.
    pub checksums: BTreeMap<Algorithm, String>,
}

/// A part as the client lists it when completing.
#[derive(Debug, Clone)]
pub struct CompletedPart {
    /// From 1 to 10,000.
    pub number: u32,
    /// The `ETag` without quotes.
    pub etag: String,
    /// A checksum, if the client states one.
    pub checksum: Option<(Algorithm, String)>,
}
