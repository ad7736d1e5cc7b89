//! What is kept of a completed multipart upload: its parts, and its answer.
//!
//! Owns: the tables `part_list` and `completed_upload`. Refuses: completing;
//! `multipart` does.

use super::Storage;
use super::digest::{self, Algorithm};
use super::error::StorageError;
use super::object::Stored;
use super::part::{CompletedPart, PartInfo};
use super::record::{ObjectInfo, json_column, to_json};
use crate::clock::now_ms;
use rusqlite::{OptionalExtension as _, Transaction, params};
use serde::{Deserialize, Serialize};

/// A part of an object that was uploaded in parts, as `GetObjectAttributes` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPart {
    /// From 1 to 10,000.
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// The part's checksum of the object's algorithm.
    pub checksum: String,
}

/// How long a repeated Complete is answered as the first was: S3 does not say; a client retries within minutes.
const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1000;

impl Storage {
    /// The parts of an object that was uploaded in parts with a declared checksum.
    pub fn stored_parts(&self, info: &ObjectInfo) -> Result<Option<Vec<StoredPart>>, StorageError> {
        self.database.read(|connection| {
            let parts = connection
                .prepare_cached("SELECT parts FROM part_list WHERE version = ?1")?
                .query_row([info.row], |row| json_column(row, 0))
                .optional()?;
            Ok(parts)
        })
    }
}

pub(super) fn keep_parts(
    tx: &Transaction<'_>,
    bucket: &str,
    key: &str,
    algorithm: Algorithm,
    chosen: &[&PartInfo],
) -> Result<(), StorageError> {
    let parts: Vec<StoredPart> = chosen
        .iter()
        .map(|part| StoredPart {
            number: part.number,
            size: part.size,
            checksum: part.checksums.get(&algorithm).cloned().unwrap_or_default(),
        })
        .collect();
    tx.prepare_cached(
        "INSERT INTO part_list (version, parts)
         SELECT id, ?3 FROM object_version WHERE bucket = ?1 AND key = ?2 AND latest = 1",
    )?
    .execute(params![bucket, key.as_bytes(), to_json(&parts)?])?;
    Ok(())
}

pub(super) fn remember(
    tx: &Transaction<'_>,
    bucket: &str,
    key: &str,
    id: &str,
    stored: &Stored,
) -> Result<(), StorageError> {
    let now = now_ms();
    tx.prepare_cached("DELETE FROM completed_upload WHERE completed_ms < ?1")?
        .execute([now - REMEMBERED_MS])?;
    tx.prepare_cached(
        "INSERT INTO completed_upload (id, bucket, key, completed_ms, stored) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![id, bucket, key.as_bytes(), now, to_json(stored)?])?;
    Ok(())
}

/// What completing this upload answered before, if the same parts are listed again.
pub(super) fn before(
    tx: &Transaction<'_>,
    bucket: &str,
    key: &str,
    id: &str,
    listed: &[CompletedPart],
) -> Result<Option<Stored>, StorageError> {
    let stored: Option<Stored> = tx
        .prepare_cached("SELECT stored FROM completed_upload WHERE id = ?1 AND bucket = ?2 AND key = ?3")?
        .query_row(params![id, bucket, key.as_bytes()], |row| json_column(row, 0))
        .optional()?;
    let md5s: Option<Vec<_>> = listed.iter().map(|part| digest::parse_md5_hex(&part.etag)).collect();
    Ok(stored.filter(|stored| md5s.is_some_and(|md5s| digest::multipart_etag(&md5s) == stored.etag)))
}
