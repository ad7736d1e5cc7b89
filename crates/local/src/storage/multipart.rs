//! Multipart uploads: each part a data file, the object their list.
//!
//! Owns: the tables `upload` and `part`, S3's rules for completing. Refuses:
//! XML and headers.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>

use super::Storage;
use super::bucket;
use super::completion;
use super::digest::{self, Algorithm, Coverage, ObjectChecksum};
use super::error::StorageError;
use super::listing::{Page, Paging, Placed, collect};
use super::object::{self, NewVersion, Stored, WriteCondition};
use super::part::{CompletedPart, PartInfo};
use super::record::{Attributes, Segment, json_column, key_text, to_json};
use super::transfer::Received;
use crate::clock::now_ms;
use crate::notify::{EventName, Origin};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

/// Fewest bytes of every part but the last.
const MIN_PART: u64 = 5 * 1024 * 1024;

/// An upload to be started.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// Headers and user metadata of the object to be.
    pub attributes: Attributes,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// The checksum that every part will carry; `None` for the default, CRC-64/NVME.
    pub checksum: Option<(Algorithm, Coverage)>,
}

/// An upload in progress.
#[derive(Debug, Clone)]
pub struct UploadInfo {
    sequence: i64,
    /// The upload id.
    pub id: String,
    /// The key.
    pub key: String,
    /// Milliseconds since 1970.
    pub initiated_ms: i64,
    /// Headers and user metadata of the object to be.
    pub attributes: Attributes,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// The checksum declared at the start.
    pub checksum: Option<(Algorithm, Coverage)>,
}

impl UploadInfo {
    /// The checksum that every part carries.
    pub fn algorithm(&self) -> Algorithm {
        self.checksum.map_or(Algorithm::Crc64Nvme, |(algorithm, _)| algorithm)
    }
}

impl Placed for UploadInfo {
    fn key(&self) -> &str {
        &self.key
    }

    fn tie(&self) -> i64 {
        self.sequence
    }
}

const UPLOAD_COLUMNS: &str = "sequence, id, key, initiated_ms, attributes, tags, checksum";

fn read_upload(row: &Row<'_>) -> rusqlite::Result<UploadInfo> {
    Ok(UploadInfo {
        sequence: row.get(0)?,
        id: row.get(1)?,
        key: key_text(row.get(2)?)?,
        initiated_ms: row.get(3)?,
        attributes: json_column(row, 4)?,
        tags: json_column(row, 5)?,
        checksum: json_column(row, 6)?,
    })
}

fn read_part(row: &Row<'_>) -> rusqlite::Result<PartInfo> {
    Ok(PartInfo {
        number: row.get(0)?,
        blob: row.get(1)?,
        size: row.get::<_, i64>(2)? as u64,
        etag: row.get(3)?,
        modified_ms: row.get(4)?,
        checksums: json_column(row, 5)?,
    })
}

fn find_upload(
    connection: &Connection,
    bucket: &str,
    key: &str,
    id: &str,
) -> Result<UploadInfo, StorageError> {
    bucket::find(connection, bucket)?;
    connection
        .prepare_cached(&format!(
            "SELECT {UPLOAD_COLUMNS} FROM upload WHERE id = ?1 AND bucket = ?2 AND key = ?3"
        ))?
        .query_row(params![id, bucket, key.as_bytes()], read_upload)
        .optional()?
        .ok_or_else(|| StorageError::NoSuchUpload(id.to_owned()))
}

fn all_parts(connection: &Connection, upload: &UploadInfo) -> rusqlite::Result<Vec<PartInfo>> {
    connection
        .prepare_cached(
            "SELECT number, blob, size, etag, modified_ms, checksums FROM part WHERE upload = ?1 ORDER BY number",
        )?
        .query_map([upload.sequence], read_part)?
        .collect()
}

impl Storage {
    /// Starts an upload; returns its id.
    pub fn create_upload(&self, new: &NewUpload) -> Result<String, StorageError> {
        let id = Uuid::new_v4().simple().to_string();
        self.change(|tx, _| {
            bucket::find(tx, &new.bucket)?;
            tx.prepare_cached(
                "INSERT INTO upload (id, bucket, key, initiated_ms, attributes, tags, checksum)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                id,
                new.bucket,
                new.key.as_bytes(),
                now_ms(),
                to_json(&new.attributes)?,
                to_json(&new.tags)?,
                to_json(&new.checksum)?,
            ])?;
            Ok(())
        })?;
        Ok(id)
    }

    /// An upload in progress.
    pub fn upload(&self, bucket: &str, key: &str, id: &str) -> Result<UploadInfo, StorageError> {
        self.database.read(|connection| find_upload(connection, bucket, key, id))
    }

    /// Stores a part, replacing an earlier one of that number.
    pub fn put_part(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        number: u32,
        received: Received,
    ) -> Result<PartInfo, StorageError> {
        let digests = received.digests().clone();
        let size = received.size();
        let staged = received.into_staged();
        let part = PartInfo {
            number,
            blob: staged.as_ref().map(|file| file.id().to_owned()),
            size,
            etag: digests.etag(),
            modified_ms: now_ms(),
            checksums: digests.checksums,
        };
        let stored = self.change(|tx, change| {
            let upload = find_upload(tx, bucket, key, id)?;
            let earlier: Option<Option<String>> = tx
                .prepare_cached("SELECT blob FROM part WHERE upload = ?1 AND number = ?2")?
                .query_row(params![upload.sequence, number], |row| row.get(0))
                .optional()?;
            change.candidates.extend(earlier.flatten());
            tx.prepare_cached(
                "INSERT OR REPLACE INTO part (upload, number, blob, size, etag, modified_ms, checksums)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                upload.sequence,
                number,
                part.blob,
                size as i64,
                part.etag,
                part.modified_ms,
                to_json(&part.checksums)?
            ])?;
            Ok(())
        });
        object::settle(staged, &stored);
        stored.map(|()| part)
    }

    /// The parts of an upload by number.
    pub fn parts(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> Result<(UploadInfo, Vec<PartInfo>), StorageError> {
        self.database.read(|connection| {
            let upload = find_upload(connection, bucket, key, id)?;
            let parts = all_parts(connection, &upload)?;
            Ok((upload, parts))
        })
    }

    /// Makes the listed parts the current object, forgets the others and the
    /// upload, and queues the events: one transaction, no byte copied.
    #[expect(clippy::too_many_arguments, reason = "the request's own fields, each needed once")]
    pub fn complete_upload(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        listed: &[CompletedPart],
        whole: Option<&(Algorithm, String)>,
        condition: &WriteCondition,
        origin: &Origin,
    ) -> Result<Stored, StorageError> {
        self.change(|tx, change| {
            let upload = match find_upload(tx, bucket, key, id) {
                Err(StorageError::NoSuchUpload(id)) => {
                    return completion::before(tx, bucket, key, &id, listed)?
                        .ok_or(StorageError::NoSuchUpload(id));
                }
                found => found?,
            };
            let parts = all_parts(tx, &upload)?;
            let chosen = choose(&parts, listed)?;
            let checksum = object_checksum(&upload, &chosen)?;
            if let (Some((algorithm, claimed)), Some(computed)) = (whole, &checksum)
                && (computed.algorithm != *algorithm || computed.value != *claimed)
            {
                return Err(StorageError::BadDigest { algorithm: algorithm.name() });
            }
            let bucket = bucket::find(tx, bucket)?;
            object::check_condition(tx, &bucket, key, condition)?;
            let md5s = chosen
                .iter()
                .map(|part| digest::parse_md5_hex(&part.etag))
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| StorageError::Damaged(format!("a part of upload {id} has no MD5")))?;
            let etag = digest::multipart_etag(&md5s);
            // An empty part is no segment, unless numbering the parts needs it: only the last may be empty.
            let segments: Vec<_> = chosen
                .iter()
                .filter_map(|part| part.blob.clone().map(|blob| Segment { blob, size: part.size }))
                .collect();
            let new = NewVersion {
                key,
                segments: &segments,
                size: chosen.iter().map(|part| part.size).sum(),
                etag: &etag,
                attributes: &upload.attributes,
                tags: &upload.tags,
                checksum: checksum.as_ref(),
                event: EventName::CreatedMultipart,
            };
            let stored = object::insert(tx, change, &self.place, &bucket, &new, origin)?;
            if let Some((algorithm, _)) = upload.checksum {
                completion::keep_parts(tx, &bucket.name, key, algorithm, &chosen)?;
            }
            completion::remember(tx, &bucket.name, key, id, &stored)?;
            change.candidates.extend(parts.iter().filter_map(|part| part.blob.clone()));
            tx.prepare_cached("DELETE FROM upload WHERE sequence = ?1")?.execute([upload.sequence])?;
            Ok(stored)
        })
    }

    /// Forgets an upload and its parts.
    pub fn abort_upload(&self, bucket: &str, key: &str, id: &str) -> Result<(), StorageError> {
        self.change(|tx, change| {
            let upload = find_upload(tx, bucket, key, id)?;
            change.candidates.extend(all_parts(tx, &upload)?.into_iter().filter_map(|part| part.blob));
            tx.prepare_cached("DELETE FROM upload WHERE sequence = ?1")?.execute([upload.sequence])?;
            Ok(())
        })
    }

    /// Lists uploads in progress, oldest first within a key. `after_upload`
    /// is the id of an upload of the key `paging.after`.
    pub fn list_uploads(
        &self,
        bucket_name: &str,
        paging: &Paging,
        after_upload: Option<&str>,
    ) -> Result<Page<UploadInfo>, StorageError> {
        self.database.read(|connection| {
            bucket::find(connection, bucket_name)?;
            let mut paging = paging.clone();
            if let Some(id) = after_upload.filter(|_| paging.after.is_some()) {
                paging.tie = connection
                    .prepare_cached("SELECT sequence FROM upload WHERE id = ?1")?
                    .query_row([id], |row| row.get(0))
                    .optional()?;
            }
            let mut query = connection.prepare_cached(&format!(
                "SELECT {UPLOAD_COLUMNS} FROM upload WHERE bucket = ?1
                 AND key >= ?2 AND key < ?3 AND (key > ?2 OR sequence > ?5) ORDER BY key, sequence LIMIT ?4"
            ))?;
            collect(&paging, |from, until, limit| {
                let above = from.tie.unwrap_or(i64::MIN);
                let rows = query
                    .query_map(params![bucket_name, from.key, until, limit as i64, above], read_upload)?
                    .collect::<Result<_, _>>()?;
                Ok(rows)
            })
        })
    }
}

/// The uploaded parts that the client lists, by S3's rules.
fn choose<'a>(parts: &'a [PartInfo], listed: &[CompletedPart]) -> Result<Vec<&'a PartInfo>, StorageError> {
    let mut chosen: Vec<&PartInfo> = Vec::with_capacity(listed.len());
    for wanted in listed {
        if chosen.last().is_some_and(|before| before.number >= wanted.number) {
            return Err(StorageError::InvalidPartOrder(wanted.number));
        }
        let part = parts
            .binary_search_by_key(&wanted.number, |part| part.number)
            .ok()
            .map(|index| &parts[index])
            .filter(|part| part.etag == wanted.etag)
            .filter(|part| {
                wanted
                    .checksum
                    .as_ref()
                    .is_none_or(|(algorithm, value)| part.checksums.get(algorithm) == Some(value))
            })
            .ok_or(StorageError::InvalidPart(wanted.number))?;
        chosen.push(part);
    }
    let all_but_last = chosen.split_last().map_or(&[][..], |(_, rest)| rest);
    match all_but_last.iter().find(|part| part.size < MIN_PART) {
        Some(small) => Err(StorageError::EntityTooSmall { number: small.number, size: small.size }),
        None => Ok(chosen),
    }
}

fn object_checksum(upload: &UploadInfo, parts: &[&PartInfo]) -> Result<Option<ObjectChecksum>, StorageError> {
    let (algorithm, coverage) = upload.checksum.unwrap_or((Algorithm::Crc64Nvme, Coverage::FullObject));
    let values: Option<Vec<(String, u64)>> =
        parts.iter().map(|part| Some((part.checksums.get(&algorithm)?.clone(), part.size))).collect();
    let value = values.and_then(|values| match coverage {
        Coverage::FullObject => digest::combine(algorithm, &values),
        Coverage::Composite => {
            digest::composite(algorithm, &values.into_iter().map(|(value, _)| value).collect::<Vec<_>>())
        }
    });
    match value {
        Some(value) => Ok(Some(ObjectChecksum { algorithm, value, coverage })),
        None => Err(StorageError::Damaged(format!(
            "a part of upload {} lacks its {}",
            upload.id,
            algorithm.name()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: u32, size: u64) -> PartInfo {
        PartInfo {
            number,
            blob: Some(format!("{number}")),
            size,
            etag: format!("etag{number}"),
            modified_ms: 0,
            checksums: std::collections::BTreeMap::from([(Algorithm::Crc32, "AAAAAA==".to_owned())]),
        }
    }

    fn listed(numbers: &[(u32, &str)]) -> Vec<CompletedPart> {
        numbers
            .iter()
            .map(|&(number, etag)| CompletedPart { number, etag: etag.to_owned(), checksum: None })
            .collect()
    }

    #[test]
    fn parts_are_chosen_by_s3s_rules() {
        let parts = [part(1, MIN_PART), part(3, 10), part(7, MIN_PART)];
        let outcome = |numbers: &[(u32, &str)]| match choose(&parts, &listed(numbers)) {
            Ok(chosen) => format!("{:?}", chosen.iter().map(|part| part.number).collect::<Vec<_>>()),
            Err(error) => format!("{error:?}"),
        };
        let cases: [(&[(u32, &str)], &str); 6] = [
            (&[(1, "etag1"), (7, "etag7")], "[1, 7]"),
            (&[(1, "etag1"), (3, "etag3")], "[1, 3]"),
            (&[(1, "etag1"), (3, "etag3"), (7, "etag7")], "EntityTooSmall { number: 3, size: 10 }"),
            (&[(7, "etag7"), (1, "etag1")], "InvalidPartOrder(1)"),
            (&[(1, "etag1"), (2, "etag2")], "InvalidPart(2)"),
            (&[(1, "other")], "InvalidPart(1)"),
        ];
        for (numbers, expected) in cases {
            assert_eq!(outcome(numbers), expected);
        }
    }

    #[test]
    fn a_wrong_part_checksum_is_an_invalid_part() {
        let mut wanted = listed(&[(1, "etag1")]);
        wanted[0].checksum = Some((Algorithm::Crc32, "AAAAAQ==".to_owned()));
        assert!(matches!(choose(&[part(1, 1)], &wanted), Err(StorageError::InvalidPart(1))));
    }
}
