//! Rows of the version table as values.
//!
//! Owns: reading and describing one version. Refuses: changing anything.

use super::bucket::Versioning;
use super::digest::ObjectChecksum;
use super::error::StorageError;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a client says about an object, kept and returned as it was said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding` without `aws-chunked`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Expires` in seconds since 1970.
    pub expires: Option<i64>,
    /// `x-amz-website-redirect-location`.
    pub website_redirect: Option<String>,
    /// `x-amz-meta-*` without that prefix.
    pub metadata: BTreeMap<String, String>,
}

/// One segment of an object's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) blob: String,
    pub(crate) size: u64,
}

/// One version of an object, or a delete marker.
#[derive(Debug, Clone)]
pub struct ObjectInfo {
    pub(crate) row: i64,
    /// The key.
    pub key: String,
    /// The version id; `null` for one written without versioning.
    pub version: String,
    /// The bucket's state, which decides whether version ids are shown.
    pub versioning: Versioning,
    /// True for the newest version.
    pub latest: bool,
    /// True for a delete marker, which has no data.
    pub marker: bool,
    /// Bytes.
    pub size: u64,
    /// The `ETag` without quotes.
    pub etag: String,
    /// Milliseconds since 1970.
    pub modified_ms: i64,
    /// Headers and user metadata.
    pub attributes: Attributes,
    /// Tags in their order.
    pub tags: Vec<(String, String)>,
    /// The stored checksum.
    pub checksum: Option<ObjectChecksum>,
}

impl ObjectInfo {
    /// The version id as a response shows it: not in a bucket that never kept versions.
    pub fn shown_version(&self) -> Option<String> {
        self.versioning.shown(&self.version)
    }

    /// Parts of the multipart upload that made the object; `None` for a single upload.
    pub fn part_count(&self) -> Option<u32> {
        self.etag.rsplit_once('-').and_then(|(_, count)| count.parse().ok())
    }
}

/// What an `If-Match` or `If-None-Match` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EtagMatch {
    /// `*`.
    Any,
    /// An `ETag` without quotes.
    Etag(String),
}

impl EtagMatch {
    /// Does the object of that `ETag` match?
    pub fn matches(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Etag(wanted) => wanted == etag,
        }
    }
}

/// Columns that [`read_row`] expects, in its order.
pub(crate) const COLUMNS: &str =
    "id, key, version, latest, marker, size, etag, modified_ms, attributes, tags, checksum";

/// A key column as text: keys enter as UTF-8.
pub(crate) fn key_text(bytes: Vec<u8>) -> rusqlite::Result<String> {
    String::from_utf8(bytes).map_err(|error| rusqlite::Error::Utf8Error(0, error.utf8_error()))
}

/// A JSON column as a value.
pub(crate) fn json_column<T: for<'de> Deserialize<'de>>(row: &Row<'_>, index: usize) -> rusqlite::Result<T> {
    let text: String = row.get(index)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// A value as a JSON column.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<String, StorageError> {
    serde_json::to_string(value).map_err(|error| StorageError::Damaged(error.to_string()))
}

/// A row selected with [`COLUMNS`].
pub(crate) fn read_row(row: &Row<'_>, versioning: Versioning) -> rusqlite::Result<ObjectInfo> {
    Ok(ObjectInfo {
        row: row.get(0)?,
        key: key_text(row.get(1)?)?,
        version: row.get(2)?,
        versioning,
        latest: row.get(3)?,
        marker: row.get(4)?,
        size: row.get::<_, i64>(5)? as u64,
        etag: row.get(6)?,
        modified_ms: row.get(7)?,
        attributes: json_column(row, 8)?,
        tags: json_column(row, 9)?,
        checksum: json_column(row, 10)?,
    })
}

/// The current version or delete marker of a key.
pub(crate) fn current(
    connection: &Connection,
    bucket: &str,
    versioning: Versioning,
    key: &str,
) -> rusqlite::Result<Option<ObjectInfo>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM object_version WHERE bucket = ?1 AND key = ?2 AND latest = 1"
        ))?
        .query_row(params![bucket, key.as_bytes()], |row| read_row(row, versioning))
        .optional()
}

/// A version of a key by id.
pub(crate) fn by_version(
    connection: &Connection,
    bucket: &str,
    versioning: Versioning,
    key: &str,
    version: &str,
) -> rusqlite::Result<Option<ObjectInfo>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM object_version WHERE bucket = ?1 AND key = ?2 AND version = ?3"
        ))?
        .query_row(params![bucket, key.as_bytes(), version], |row| read_row(row, versioning))
        .optional()
}

/// The object that a request means: current, or of that version; never a delete marker.
pub(crate) fn find(
    connection: &Connection,
    bucket: &str,
    versioning: Versioning,
    key: &str,
    version: Option<&str>,
) -> Result<ObjectInfo, StorageError> {
    let Some(version) = version else {
        return match current(connection, bucket, versioning, key)? {
            Some(info) if !info.marker => Ok(info),
            hidden => Err(StorageError::NoSuchKey {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                marker: hidden.map(|marker| marker.version),
            }),
        };
    };
    match by_version(connection, bucket, versioning, key, version)? {
        Some(info) if info.marker => {
            Err(StorageError::IsDeleteMarker { key: key.to_owned(), version: version.to_owned() })
        }
        Some(info) => Ok(info),
        None => Err(StorageError::NoSuchVersion {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: version.to_owned(),
        }),
    }
}

/// A version's segments in order.
pub(crate) fn segments(connection: &Connection, row: i64) -> rusqlite::Result<Vec<Segment>> {
    connection
        .prepare_cached("SELECT blob, size FROM segment WHERE version = ?1 ORDER BY position")?
        .query_map([row], |row| Ok(Segment { blob: row.get(0)?, size: row.get::<_, i64>(1)? as u64 }))?
        .collect()
}
