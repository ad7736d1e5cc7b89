//! Buckets: making, listing, removing, their versioning state and rules.
//!
//! Owns: the table `bucket`. Refuses: names that S3 refuses (the protocol
//! layer checks those of clients; composition passes checked names).

use super::error::StorageError;
use super::{Change, Storage};
use crate::clock::now_ms;
use crate::notify::{self, Rule};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// Whether a bucket keeps versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    /// Never did.
    Unversioned,
    /// Keeps every version.
    Enabled,
    /// Keeps old versions; new ones replace the `null` version.
    Suspended,
}

impl Versioning {
    fn name(self) -> &'static str {
        match self {
            Self::Unversioned => "unversioned",
            Self::Enabled => "enabled",
            Self::Suspended => "suspended",
        }
    }

    fn from_name(name: &str) -> Self {
        match name {
            "enabled" => Self::Enabled,
            "suspended" => Self::Suspended,
            _ => Self::Unversioned,
        }
    }

    /// The version id that responses and events show.
    pub(crate) fn shown(self, version: &str) -> Option<String> {
        (self != Self::Unversioned).then(|| version.to_owned())
    }
}

/// A bucket.
#[derive(Debug, Clone)]
pub struct BucketInfo {
    /// Its name.
    pub name: String,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// Its versioning state.
    pub versioning: Versioning,
}

fn read_bucket(row: &Row<'_>) -> rusqlite::Result<BucketInfo> {
    Ok(BucketInfo {
        name: row.get(0)?,
        created_ms: row.get(1)?,
        versioning: Versioning::from_name(&row.get::<_, String>(2)?),
    })
}

/// The bucket, or [`StorageError::NoSuchBucket`].
pub(crate) fn find(connection: &Connection, name: &str) -> Result<BucketInfo, StorageError> {
    connection
        .prepare_cached("SELECT name, created_ms, versioning FROM bucket WHERE name = ?1")?
        .query_row([name], read_bucket)
        .optional()?
        .ok_or_else(|| StorageError::NoSuchBucket(name.to_owned()))
}

impl Storage {
    /// Makes a bucket.
    pub fn create_bucket(&self, name: &str) -> Result<(), StorageError> {
        self.change(|tx, _| {
            let made = tx
                .prepare_cached("INSERT OR IGNORE INTO bucket (name, created_ms) VALUES (?1, ?2)")?
                .execute(params![name, now_ms()])?;
            if made == 0 { Err(StorageError::BucketExists(name.to_owned())) } else { Ok(()) }
        })
    }

    /// Makes a bucket unless it exists.
    pub fn ensure_bucket(&self, name: &str) -> Result<(), StorageError> {
        match self.create_bucket(name) {
            Err(StorageError::BucketExists(_)) => Ok(()),
            other => other,
        }
    }

    /// A bucket.
    pub fn bucket(&self, name: &str) -> Result<BucketInfo, StorageError> {
        self.database.read(|connection| find(connection, name))
    }

    /// Every bucket by name.
    pub fn buckets(&self) -> Result<Vec<BucketInfo>, StorageError> {
        self.database.read(|connection| {
            let mut query =
                connection.prepare_cached("SELECT name, created_ms, versioning FROM bucket ORDER BY name")?;
            let buckets = query.query_map([], read_bucket)?.collect::<Result<_, _>>()?;
            Ok(buckets)
        })
    }

    /// Removes an empty bucket with its rules and unfinished uploads.
    pub fn delete_bucket(&self, name: &str) -> Result<(), StorageError> {
        self.change(|tx, change| {
            find(tx, name)?;
            let full = tx
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM object_version WHERE bucket = ?1)")?
                .query_row([name], |row| row.get::<_, bool>(0))?;
            if full {
                return Err(StorageError::BucketNotEmpty(name.to_owned()));
            }
            drop_uploads(tx, name, change)?;
            tx.prepare_cached("DELETE FROM bucket WHERE name = ?1")?.execute([name])?;
            Ok(())
        })
    }

    /// Turns versions on or off; a bucket never becomes unversioned again.
    pub fn set_versioning(&self, name: &str, enabled: bool) -> Result<(), StorageError> {
        let state = if enabled { Versioning::Enabled } else { Versioning::Suspended };
        self.change(|tx, _| {
            find(tx, name)?;
            tx.prepare_cached("UPDATE bucket SET versioning = ?2 WHERE name = ?1")?
                .execute([name, state.name()])?;
            Ok(())
        })
    }

    /// Replaces a bucket's notification rules. Refuses what
    /// [`notify::validate`] refuses.
    pub fn set_notifications(&self, name: &str, rules: &[Rule]) -> Result<(), StorageError> {
        notify::validate(rules).map_err(|error| StorageError::Invalid(error.to_string()))?;
        self.change(|tx, _| {
            find(tx, name)?;
            notify::replace(tx, name, rules)?;
            Ok(())
        })
    }

    /// A bucket's notification rules.
    pub fn notifications(&self, name: &str) -> Result<Vec<Rule>, StorageError> {
        self.database.read(|connection| {
            find(connection, name)?;
            Ok(notify::rules(connection, name)?)
        })
    }
}

fn drop_uploads(tx: &rusqlite::Transaction<'_>, bucket: &str, change: &mut Change) -> rusqlite::Result<()> {
    let blobs: Vec<String> = tx
        .prepare_cached(
            "SELECT blob FROM part JOIN upload ON part.upload = upload.sequence
             WHERE upload.bucket = ?1 AND blob IS NOT NULL",
        )?
        .query_map([bucket], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    tx.prepare_cached("DELETE FROM upload WHERE bucket = ?1")?.execute([bucket])?;
    change.candidates.extend(blobs);
    Ok(())
}
