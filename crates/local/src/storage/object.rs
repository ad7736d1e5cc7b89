//! Writing, deleting, copying and tagging objects under S3's versioning rules.
//!
//! Owns: which version replaces which, and that the events about a change are
//! queued in its transaction. Refuses: moving bytes; `transfer` does.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html>

use super::blob::Staged;
use super::bucket::{self, BucketInfo, Versioning};
use super::digest::{Algorithm, Coverage, ObjectChecksum};
use super::error::StorageError;
use super::record::{self, Attributes, EtagMatch, ObjectInfo, Segment, to_json};
use super::transfer::Received;
use super::{Change, NULL_VERSION, Storage, next_sequence};
use crate::clock::now_ms;
use crate::notify::{self, EventName, Occurrence, Origin, Place};
use rusqlite::{OptionalExtension as _, Transaction, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A condition on the current object that a write must meet, checked in the
/// write's own transaction.
#[derive(Debug, Clone, Default)]
pub struct WriteCondition {
    /// The current object must match.
    pub if_match: Option<EtagMatch>,
    /// The current object must not match.
    pub if_none_match: Option<EtagMatch>,
}

/// An object to be written from received bytes.
#[derive(Debug, Clone)]
pub struct NewObject {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// Headers and user metadata.
    pub attributes: Attributes,
    /// Tags.
    pub tags: Vec<(String, String)>,
    /// The checksum to keep; it must be among those received.
    pub algorithm: Algorithm,
    /// When to refuse.
    pub condition: WriteCondition,
    /// What to tell the rules.
    pub event: EventName,
}

/// A version that was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stored {
    /// The version id, in a bucket that keeps versions.
    pub version: Option<String>,
    /// The `ETag` without quotes.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    /// Milliseconds since 1970.
    pub modified_ms: i64,
    /// The checksum kept.
    pub checksum: Option<ObjectChecksum>,
}

/// What a deletion did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// True when a delete marker was made, or was what was removed.
    pub marker: bool,
    /// The marker made, or the version removed.
    pub version: Option<String>,
}

/// Everything about a version but its place in history.
pub(super) struct NewVersion<'a> {
    pub(super) key: &'a str,
    pub(super) segments: &'a [Segment],
    pub(super) size: u64,
    pub(super) etag: &'a str,
    pub(super) attributes: &'a Attributes,
    pub(super) tags: &'a [(String, String)],
    pub(super) checksum: Option<&'a ObjectChecksum>,
    pub(super) event: EventName,
}

/// Keeps the file that a transaction refers to. When its commit failed halfway,
/// a crash may yet bring the transaction back, and its file must be there; the
/// next start removes it otherwise.
pub(super) fn settle<T>(staged: Option<Staged>, outcome: &Result<T, StorageError>) {
    let keep = match outcome {
        Ok(_) => true,
        Err(error) => error.is_in_doubt(),
    };
    if let Some(staged) = staged.filter(|_| keep) {
        staged.keep();
    }
}

impl Storage {
    /// Makes received bytes the current object, and queues the events about it.
    /// When this returns, both survive `kill -9` and power loss.
    pub fn put(
        &self,
        object: &NewObject,
        received: Received,
        origin: &Origin,
    ) -> Result<Stored, StorageError> {
        let etag = received.digests().etag();
        let checksum = received.digests().checksums.get(&object.algorithm).map(|value| ObjectChecksum {
            algorithm: object.algorithm,
            value: value.clone(),
            coverage: Coverage::FullObject,
        });
        let size = received.size();
        let staged = received.into_staged();
        let segments: Vec<_> = staged
            .iter()
            .map(|file: &Staged| Segment { blob: file.id().to_owned(), size: file.size() })
            .collect();
        let stored = self.change(|tx, change| {
            let bucket = bucket::find(tx, &object.bucket)?;
            check_condition(tx, &bucket, &object.key, &object.condition)?;
            let new = NewVersion {
                key: &object.key,
                segments: &segments,
                size,
                etag: &etag,
                attributes: &object.attributes,
                tags: &object.tags,
                checksum: checksum.as_ref(),
                event: object.event,
            };
            insert(tx, change, &self.place, &bucket, &new, origin)
        });
        settle(staged, &stored);
        stored
    }

    /// Describes an object.
    pub fn object(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<ObjectInfo, StorageError> {
        self.database.read(|connection| {
            let found = bucket::find(connection, bucket)?;
            record::find(connection, bucket, found.versioning, key, version)
        })
    }

    /// Makes `object` from the data of the version `source`, by reference: no
    /// byte is copied. `digests` are those of the whole data when the source's
    /// own `ETag` and checksum cannot serve (a multipart object, another algorithm).
    ///
    /// [`StorageError::NoSuchKey`] when the source vanished meanwhile.
    pub fn copy(
        &self,
        source_bucket: &str,
        source: &ObjectInfo,
        object: &NewObject,
        digests: Option<&super::digest::Digests>,
        origin: &Origin,
    ) -> Result<Stored, StorageError> {
        let etag = digests.map_or_else(|| source.etag.clone(), super::digest::Digests::etag);
        let checksum = match digests {
            Some(digests) => digests.checksums.get(&object.algorithm).map(|value| ObjectChecksum {
                algorithm: object.algorithm,
                value: value.clone(),
                coverage: Coverage::FullObject,
            }),
            None => source.checksum.clone(),
        };
        self.change(|tx, change| {
            let bucket = bucket::find(tx, &object.bucket)?;
            let from = bucket::find(tx, source_bucket)?;
            let still = record::by_version(tx, source_bucket, from.versioning, &source.key, &source.version)?;
            if still.is_none_or(|still| still.row != source.row) {
                return Err(StorageError::NoSuchKey {
                    bucket: source_bucket.to_owned(),
                    key: source.key.clone(),
                    marker: None,
                });
            }
            check_condition(tx, &bucket, &object.key, &object.condition)?;
            let segments = record::segments(tx, source.row)?;
            let new = NewVersion {
                key: &object.key,
                segments: &segments,
                size: source.size,
                etag: &etag,
                attributes: &object.attributes,
                tags: &object.tags,
                checksum: checksum.as_ref(),
                event: object.event,
            };
            insert(tx, change, &self.place, &bucket, &new, origin)
        })
    }

    /// Deletes an object or a version. Deleting what is not there succeeds and
    /// tells nobody, since nothing changed.
    pub fn delete(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        condition: &WriteCondition,
        origin: &Origin,
    ) -> Result<Deleted, StorageError> {
        self.change(|tx, change| {
            let bucket = bucket::find(tx, bucket)?;
            check_condition(tx, &bucket, key, condition)?;
            match version {
                Some(version) => delete_version(tx, change, &self.place, &bucket, key, version, origin),
                None => delete_current(tx, change, &self.place, &bucket, key, origin),
            }
        })
    }

    /// Replaces the tags of an object; returns the version tagged.
    pub fn set_tags(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        tags: &[(String, String)],
        event: EventName,
        origin: &Origin,
    ) -> Result<ObjectInfo, StorageError> {
        self.change(|tx, change| {
            let bucket = bucket::find(tx, bucket)?;
            let info = record::find(tx, &bucket.name, bucket.versioning, key, version)?;
            tx.prepare_cached("UPDATE object_version SET tags = ?2 WHERE id = ?1")?
                .execute(params![info.row, to_json(&tags)?])?;
            let now = now_ms();
            let shown = info.shown_version();
            let what = Occurrence {
                name: event,
                bucket: &bucket.name,
                key,
                size: info.size,
                etag: &info.etag,
                version: shown.as_deref(),
                sequence: next_sequence(tx, now)?,
                at_ms: now,
                origin,
            };
            change.queued += notify::emit(tx, &self.place, &what)?;
            Ok(info)
        })
    }
}

/// S3's rules for conditional writes: `If-Match` on an absent key is 404.
pub(super) fn check_condition(
    tx: &Transaction<'_>,
    bucket: &BucketInfo,
    key: &str,
    condition: &WriteCondition,
) -> Result<(), StorageError> {
    if condition.if_match.is_none() && condition.if_none_match.is_none() {
        return Ok(());
    }
    let current = record::current(tx, &bucket.name, bucket.versioning, key)?.filter(|info| !info.marker);
    if let Some(wanted) = &condition.if_match {
        let Some(current) = &current else {
            return Err(StorageError::NoSuchKey {
                bucket: bucket.name.clone(),
                key: key.to_owned(),
                marker: None,
            });
        };
        if !wanted.matches(&current.etag) {
            return Err(StorageError::PreconditionFailed("If-Match"));
        }
    }
    if let (Some(unwanted), Some(current)) = (&condition.if_none_match, &current)
        && unwanted.matches(&current.etag)
    {
        return Err(StorageError::PreconditionFailed("If-None-Match"));
    }
    Ok(())
}

/// Inserts a version as the newest, replacing the `null` version where the
/// bucket keeps none, and queues the events.
pub(super) fn insert(
    tx: &Transaction<'_>,
    change: &mut Change,
    place: &Place,
    bucket: &BucketInfo,
    new: &NewVersion<'_>,
    origin: &Origin,
) -> Result<Stored, StorageError> {
    let now = now_ms();
    let version = make_room(tx, change, bucket, new.key)?;
    let sequence = next_sequence(tx, now)?;
    tx.prepare_cached(
        "INSERT INTO object_version (id, bucket, key, version, latest, marker, size, etag, modified_ms, attributes, tags, checksum)
         VALUES (?1, ?2, ?3, ?4, 1, 0, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        sequence,
        bucket.name,
        new.key.as_bytes(),
        version,
        new.size as i64,
        new.etag,
        now,
        to_json(new.attributes)?,
        to_json(&new.tags)?,
        to_json(&new.checksum)?,
    ])?;
    let mut segment =
        tx.prepare_cached("INSERT INTO segment (version, position, blob, size) VALUES (?1, ?2, ?3, ?4)")?;
    for (position, part) in new.segments.iter().enumerate() {
        segment.execute(params![sequence, position as i64, part.blob, part.size as i64])?;
    }
    let shown = bucket.versioning.shown(&version);
    let what = Occurrence {
        name: new.event,
        bucket: &bucket.name,
        key: new.key,
        size: new.size,
        etag: new.etag,
        version: shown.as_deref(),
        sequence,
        at_ms: now,
        origin,
    };
    change.queued += notify::emit(tx, place, &what)?;
    Ok(Stored {
        version: shown,
        etag: new.etag.to_owned(),
        size: new.size,
        modified_ms: now,
        checksum: new.checksum.cloned(),
    })
}

/// Makes the key ready for a new newest version and names that version.
fn make_room(
    tx: &Transaction<'_>,
    change: &mut Change,
    bucket: &BucketInfo,
    key: &str,
) -> Result<String, StorageError> {
    let version = if bucket.versioning == Versioning::Enabled {
        Uuid::new_v4().simple().to_string()
    } else {
        if let Some(old) = record::by_version(tx, &bucket.name, bucket.versioning, key, NULL_VERSION)? {
            remove_row(tx, change, &old)?;
        }
        NULL_VERSION.to_owned()
    };
    tx.prepare_cached("UPDATE object_version SET latest = 0 WHERE bucket = ?1 AND key = ?2 AND latest = 1")?
        .execute(params![bucket.name, key.as_bytes()])?;
    Ok(version)
}

fn remove_row(tx: &Transaction<'_>, change: &mut Change, info: &ObjectInfo) -> Result<(), StorageError> {
    change.candidates.extend(record::segments(tx, info.row)?.into_iter().map(|segment| segment.blob));
    tx.prepare_cached("DELETE FROM object_version WHERE id = ?1")?.execute([info.row])?;
    Ok(())
}

fn delete_current(
    tx: &Transaction<'_>,
    change: &mut Change,
    place: &Place,
    bucket: &BucketInfo,
    key: &str,
    origin: &Origin,
) -> Result<Deleted, StorageError> {
    if bucket.versioning == Versioning::Unversioned {
        let Some(old) = record::current(tx, &bucket.name, bucket.versioning, key)? else {
            return Ok(Deleted { marker: false, version: None });
        };
        remove_row(tx, change, &old)?;
        tell(tx, change, place, bucket, (EventName::Removed, key, None), origin)?;
        return Ok(Deleted { marker: false, version: None });
    }
    let version = make_room(tx, change, bucket, key)?;
    let now = now_ms();
    let sequence = next_sequence(tx, now)?;
    tx.prepare_cached(
        "INSERT INTO object_version (id, bucket, key, version, latest, marker, size, etag, modified_ms, attributes, tags, checksum)
         VALUES (?1, ?2, ?3, ?4, 1, 1, 0, '', ?5, '{}', '[]', 'null')",
    )?
    .execute(params![sequence, bucket.name, key.as_bytes(), version, now])?;
    tell(tx, change, place, bucket, (EventName::MarkerCreated, key, Some(&version)), origin)?;
    Ok(Deleted { marker: true, version: Some(version) })
}

fn delete_version(
    tx: &Transaction<'_>,
    change: &mut Change,
    place: &Place,
    bucket: &BucketInfo,
    key: &str,
    version: &str,
    origin: &Origin,
) -> Result<Deleted, StorageError> {
    let gone = Deleted { marker: false, version: Some(version.to_owned()) };
    let Some(old) = record::by_version(tx, &bucket.name, bucket.versioning, key, version)? else {
        return Ok(gone);
    };
    remove_row(tx, change, &old)?;
    if old.latest {
        let heir: Option<i64> = tx
            .prepare_cached(
                "SELECT id FROM object_version WHERE bucket = ?1 AND key = ?2 ORDER BY id DESC LIMIT 1",
            )?
            .query_row(params![bucket.name, key.as_bytes()], |row| row.get(0))
            .optional()?;
        if let Some(heir) = heir {
            tx.prepare_cached("UPDATE object_version SET latest = 1 WHERE id = ?1")?.execute([heir])?;
        }
    }
    let shown = old.shown_version();
    tell(tx, change, place, bucket, (EventName::Removed, key, shown.as_deref()), origin)?;
    Ok(Deleted { marker: old.marker, ..gone })
}

fn tell(
    tx: &Transaction<'_>,
    change: &mut Change,
    place: &Place,
    bucket: &BucketInfo,
    (name, key, version): (EventName, &str, Option<&str>),
    origin: &Origin,
) -> Result<(), StorageError> {
    let now = now_ms();
    let what = Occurrence {
        name,
        bucket: &bucket.name,
        key,
        size: 0,
        etag: "",
        version,
        sequence: next_sequence(tx, now)?,
        at_ms: now,
        origin,
    };
    change.queued += notify::emit(tx, place, &what)?;
    Ok(())
}
