//! Why storage refused or failed, typed by who must act.
//!
//! Owns: the words and the classification of operating-system and database
//! errors. Refuses: protocol error codes; `s3::error` translates.

use std::io;
use thiserror::Error;

/// Why a storage operation was not done.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The bucket does not exist.
    #[error("no bucket is named {0}; create it first")]
    NoSuchBucket(String),
    /// The bucket exists already.
    #[error("the bucket {0} exists already and is yours")]
    BucketExists(String),
    /// The bucket still holds objects, versions or delete markers.
    #[error("the bucket {0} still holds objects or versions; delete them first")]
    BucketNotEmpty(String),
    /// The key has no current object. `marker` is the version of the delete marker that hides it.
    #[error("no object has the key {key:?} in {bucket}")]
    NoSuchKey {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The delete marker that is the current version.
        marker: Option<String>,
    },
    /// The key has no such version.
    #[error("{key:?} has no version {version} in {bucket}")]
    NoSuchVersion {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The version asked for.
        version: String,
    },
    /// The version asked for is a delete marker, which has no data.
    #[error("version {version} of {key:?} is a delete marker")]
    IsDeleteMarker {
        /// The key.
        key: String,
        /// The version asked for.
        version: String,
    },
    /// The upload was never made, or was completed or aborted.
    #[error("no multipart upload {0} is in progress; it may have been completed or aborted")]
    NoSuchUpload(String),
    /// A listed part was not uploaded, or its `ETag` differs.
    #[error("part {0} was not uploaded, or its etag or checksum differs")]
    InvalidPart(u32),
    /// The listed parts are not in ascending order.
    #[error("the parts are not in ascending order at part {0}")]
    InvalidPartOrder(u32),
    /// A part other than the last is below 5 MiB.
    #[error("part {number} has {size} bytes; every part but the last needs at least 5242880")]
    EntityTooSmall {
        /// The part.
        number: u32,
        /// Its bytes.
        size: u64,
    },
    /// The assembled object's checksum is not the one that the client computed.
    #[error("the {algorithm} you specified did not match the calculated checksum")]
    BadDigest {
        /// The algorithm's name as S3 spells it.
        algorithm: &'static str,
    },
    /// A condition of the request does not hold.
    #[error("the condition {0} does not hold")]
    PreconditionFailed(&'static str),
    /// The request contradicts the state of the upload or bucket.
    #[error("{0}")]
    Invalid(String),
    /// More bytes than one upload may have.
    #[error("the upload has more than {limit} bytes; send larger objects in parts")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The client's body broke off or failed its signature.
    #[error("the body could not be read: {0}")]
    Body(String),
    /// The disk is full.
    #[error("the disk that holds the data folder is full ({during}); free some space, nothing was changed")]
    DiskFull {
        /// What was being done.
        during: String,
    },
    /// The data folder cannot be written.
    #[error("the data folder cannot be written ({during}); check its permissions, nothing was changed")]
    ReadOnly {
        /// What was being done.
        during: String,
    },
    /// A data file failed.
    #[error("{during}: {source}")]
    File {
        /// What was being done.
        during: String,
        /// The operating system's word.
        source: io::Error,
    },
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(rusqlite::Error),
    /// Stored metadata cannot be understood.
    #[error("stored metadata is damaged: {0}")]
    Damaged(String),
}

impl StorageError {
    /// Whether the database itself failed, so that it is not known whether the
    /// transaction will be found after a crash.
    pub(crate) fn is_in_doubt(&self) -> bool {
        matches!(self, Self::Database(_))
    }

    /// Classifies an operating-system error; `during` says what was being done.
    pub(crate) fn file(during: impl Into<String>, source: io::Error) -> Self {
        let during = during.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { during },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly { during },
            _ => Self::File { during, source },
        }
    }
}

/// `Database::write` needs this one conversion; it classifies.
impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull { during: "writing the database".to_owned() },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::ReadOnly { during: "writing the database".to_owned() }
            }
            _ => Self::Database(error),
        }
    }
}

/// Why the data folder cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] crate::database::DatabaseError),
    /// The folder of object data cannot be prepared or swept.
    #[error("cannot prepare the data folder: {0}")]
    Objects(#[source] StorageError),
    /// There are data files, and no database that says what they are.
    #[error(
        "{0}/cloud.db is missing or empty, but {0}/objects holds {1} data files; put a copy of the database back, or move the whole folder away to start afresh. Nothing was changed"
    )]
    DatabaseMissing(String, usize),
    /// Another process uses the folder.
    #[error("{0} is in use by another minilab; stop it or choose another --data-dir")]
    InUse(String),
}
