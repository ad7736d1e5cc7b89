//! A bucket's settings as documents: CORS rules, tags, policy, public access.
//!
//! Owns: the table `bucket_setting`. Refuses: their meaning; the S3 layer
//! checks a document before it is set and reads it when it counts.

use super::Storage;
use super::bucket;
use super::error::StorageError;
use super::record::to_json;
use rusqlite::{OptionalExtension as _, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Which of a bucket's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Rules for browsers of other origins.
    Cors,
    /// Tags of the bucket itself.
    Tags,
    /// The bucket policy, as its owner wrote it.
    Policy,
    /// Which public access is blocked.
    PublicAccess,
}

impl Setting {
    fn name(self) -> &'static str {
        match self {
            Self::Cors => "cors",
            Self::Tags => "tags",
            Self::Policy => "policy",
            Self::PublicAccess => "public-access",
        }
    }
}

impl Storage {
    /// A bucket's setting, or `None` when it was never set or was removed.
    pub fn setting<T: DeserializeOwned>(
        &self,
        bucket_name: &str,
        setting: Setting,
    ) -> Result<Option<T>, StorageError> {
        self.database.read(|connection| {
            bucket::find(connection, bucket_name)?;
            let document: Option<String> = connection
                .prepare_cached("SELECT document FROM bucket_setting WHERE bucket = ?1 AND kind = ?2")?
                .query_row([bucket_name, setting.name()], |row| row.get(0))
                .optional()?;
            let Some(document) = document else { return Ok(None) };
            serde_json::from_str(&document).map(Some).map_err(|error| {
                StorageError::Damaged(format!("the {} of bucket {bucket_name}: {error}", setting.name()))
            })
        })
    }

    /// Sets a bucket's setting, or removes it.
    pub fn set_setting<T: Serialize>(
        &self,
        bucket_name: &str,
        setting: Setting,
        value: Option<&T>,
    ) -> Result<(), StorageError> {
        let document = value.map(to_json).transpose()?;
        self.change(|tx, _| {
            bucket::find(tx, bucket_name)?;
            match &document {
                Some(document) => tx
                    .prepare_cached(
                        "INSERT OR REPLACE INTO bucket_setting (bucket, kind, document) VALUES (?1, ?2, ?3)",
                    )?
                    .execute(params![bucket_name, setting.name(), document])?,
                None => tx
                    .prepare_cached("DELETE FROM bucket_setting WHERE bucket = ?1 AND kind = ?2")?
                    .execute([bucket_name, setting.name()])?,
            };
            Ok(())
        })
    }
}
