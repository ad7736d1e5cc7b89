//! Current objects by age, for people to look at: S3 itself lists by key only.
//!
//! Owns: the page at a place, for whoever scrolls, and what comes behind an
//! object, for whoever needs each one. Refuses: anything that a client of S3 sees.

use rusqlite::params;

use super::error::StorageError;
use super::listing::Cursor;
use super::record::{self, COLUMNS, ObjectInfo};
use super::{Storage, bucket};

/// Which objects, and which part of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// Only keys that start so.
    pub prefix: String,
    /// Only keys that hold this, in capitals or not; empty for all.
    pub holds: String,
    /// Only objects as old as [`Newest::anchor`] of an earlier page, so that
    /// what arrives meanwhile does not shift the pages. What is replaced or
    /// deleted meanwhile does: see [`Storage::older`].
    pub anchor: Option<i64>,
    /// How many to pass over.
    pub offset: u64,
    /// How many to give at most.
    pub limit: u64,
}

/// A page of objects, newest first.
#[derive(Debug, Clone)]
pub struct Newest {
    /// The objects.
    pub entries: Vec<ObjectInfo>,
    /// How many there are in all.
    pub total: u64,
    /// Names what was there at the first page.
    pub anchor: i64,
}

impl Storage {
    /// Current objects of a bucket, newest first.
    pub fn newest(&self, bucket_name: &str, search: &Search) -> Result<Newest, StorageError> {
        const FOUND: &str = "FROM object_version WHERE bucket = ?1 AND latest = 1 AND marker = 0
             AND key >= ?2 AND key < ?3 AND id <= ?4
             AND (?5 = '' OR instr(lower(CAST(key AS TEXT)), ?5) > 0)";
        self.database.read(|connection| {
            let versioning = bucket::find(connection, bucket_name)?.versioning;
            let anchor = match search.anchor {
                Some(anchor) => anchor,
                None => connection
                    .prepare_cached("SELECT ifnull(max(id), 0) FROM object_version")?
                    .query_row([], |row| row.get(0))?,
            };
            let until = Cursor::beyond(search.prefix.as_bytes()).key;
            let (prefix, holds) = (search.prefix.as_bytes(), search.holds.to_ascii_lowercase());
            let total: i64 = connection
                .prepare_cached(&format!("SELECT count(*) {FOUND}"))?
                .query_row(params![bucket_name, prefix, until, anchor, holds], |row| row.get(0))?;
            let (limit, offset) =
                (search.limit.min(1000) as i64, i64::try_from(search.offset).unwrap_or(i64::MAX));
            let entries = connection
                .prepare_cached(&format!("SELECT {COLUMNS} {FOUND} ORDER BY id DESC LIMIT ?6 OFFSET ?7"))?
                .query_map(params![bucket_name, prefix, until, anchor, holds, limit, offset], |row| {
                    record::read_row(row, versioning)
                })?
                .collect::<Result<_, _>>()?;
            Ok(Newest { entries, total: total.unsigned_abs(), anchor })
        })
    }

    /// Current objects whose keys start with `prefix`, newest first: the
    /// first `limit`, or those behind `last`, whatever became of the objects
    /// before it. None means that there are no more.
    pub fn older(
        &self,
        bucket_name: &str,
        prefix: &str,
        last: Option<&ObjectInfo>,
        limit: u32,
    ) -> Result<Vec<ObjectInfo>, StorageError> {
        self.database.read(|connection| {
            let versioning = bucket::find(connection, bucket_name)?.versioning;
            let until = Cursor::beyond(prefix.as_bytes()).key;
            let before = last.map_or(i64::MAX, |last| last.row);
            let found = connection
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM object_version WHERE bucket = ?1 AND latest = 1 AND marker = 0
                     AND key >= ?2 AND key < ?3 AND id < ?4 ORDER BY id DESC LIMIT ?5"
                ))?
                .query_map(params![bucket_name, prefix.as_bytes(), until, before, limit], |row| {
                    record::read_row(row, versioning)
                })?
                .collect::<Result<_, _>>()?;
            Ok(found)
        })
    }

    /// An object's description and all its bytes; `None` when it is larger
    /// than `most`. Blocks.
    pub fn whole(
        &self,
        bucket: &str,
        key: &str,
        most: u64,
    ) -> Result<(ObjectInfo, Option<Vec<u8>>), StorageError> {
        let (info, reader) = self.open_object(bucket, key, None)?;
        if info.size > most {
            return Ok((info, None));
        }
        let bytes = reader.bytes()?;
        Ok((info, Some(bytes)))
    }
}
