//! Buckets and objects on disk: data in files, everything else in the one
//! database, so that an object and the events about it become true together.
//!
//! Owns: the order of durability (file synced, renamed, folder synced, then
//! one transaction, then the acknowledgement), versions, multipart uploads,
//! recovery at start. Refuses: HTTP, XML, permissions; `s3` brings those.
//! Methods block; async callers use `tokio::task::spawn_blocking`.

mod blob;
mod bucket;
mod completion;
mod digest;
mod durable;
mod error;
mod listing;
mod multipart;
mod newest;
mod object;
mod part;
mod record;
mod schema;
mod settings;
mod transfer;

pub use blob::Recovery;
pub use bucket::{BucketInfo, Versioning};
pub use completion::StoredPart;
pub use digest::{Algorithm, Coverage, Digests, ObjectChecksum, decode, decode_md5};
pub use durable::sync_folder;
pub use error::{OpenError, StorageError};
pub use listing::{Cursor, Page, Paging, VersionEntry};
pub use multipart::{NewUpload, UploadInfo};
pub use newest::{Newest, Search};
pub use object::{Deleted, NewObject, Stored, WriteCondition};
pub use part::{CompletedPart, PartInfo};
pub use record::{Attributes, EtagMatch, ObjectInfo};
pub use schema::SCHEMA;
pub use settings::Setting;
pub use transfer::{BodyError, ObjectReader, Received, Reception};

use crate::database::Database;
use crate::notify::{self, Place};
use crate::queue;
use blob::Blobs;
use rusqlite::{Connection, Transaction};
use std::collections::HashSet;
use std::fmt;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;

/// Called after a commit that queued invocations.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// The version id of an object that was written while its bucket kept no versions.
pub const NULL_VERSION: &str = "null";

/// The data folder: `cloud.db` and `objects/`.
pub struct Storage {
    database: Arc<Database>,
    blobs: Arc<Blobs>,
    place: Place,
    wake: Wake,
    recovery: Recovery,
    /// Held, not read: one process owns a data folder.
    _lock: File,
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage")
            .field("place", &self.place)
            .field("recovery", &self.recovery)
            .finish_non_exhaustive()
    }
}

impl Storage {
    /// Opens or creates the folder, locks it for this process, and removes
    /// what an earlier process left half done.
    ///
    /// `wake` is called after each commit that queued an invocation.
    pub fn open(data_dir: &Path, place: Place, wake: Wake) -> Result<Self, OpenError> {
        let file =
            |error| OpenError::Objects(StorageError::file(format!("opening {}", data_dir.display()), error));
        blob::make_durable_folder(data_dir).map_err(OpenError::Objects)?;
        let lock = File::create(data_dir.join("lock")).map_err(file)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(data_dir.display().to_string())),
            Err(TryLockError::Error(error)) => return Err(file(error)),
        }
        let blobs = Arc::new(Blobs::open(data_dir.join("objects")).map_err(OpenError::Objects)?);
        let path = data_dir.join("cloud.db");
        if !std::fs::metadata(&path).is_ok_and(|found| found.len() > 0) {
            // To a new database each of them would be an orphan, to be removed.
            // More likely the database was lost, and so it is not even opened.
            let files = blobs.count().map_err(OpenError::Objects)?;
            if files > 0 {
                return Err(OpenError::DatabaseMissing(data_dir.display().to_string(), files));
            }
        }
        let schemas = [SCHEMA, notify::SCHEMA, queue::SCHEMA];
        let database = Arc::new(Database::open(&path, &schemas)?);
        let known = database.read(known_blobs).map_err(|error| OpenError::Objects(error.into()))?;
        let recovery = blobs.sweep(&known).map_err(OpenError::Objects)?;
        if recovery.removed > 0 {
            tracing::info!(removed = recovery.removed, "removed data files of unfinished requests");
        }
        if recovery.missing > 0 {
            tracing::error!(missing = recovery.missing, "data files of stored objects are missing");
        }
        Ok(Self { database, blobs, place, wake, recovery, _lock: lock })
    }

    /// The shared database.
    pub fn database(&self) -> &Arc<Database> {
        &self.database
    }

    /// Region and account, as events and ARNs name them.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What start-up removed and missed.
    pub fn recovery(&self) -> Recovery {
        self.recovery
    }

    /// Runs one transaction; afterwards removes the files that it orphaned and
    /// wakes the invoker when it queued something.
    fn change<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>, &mut Change) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let mut change = Change::default();
        let value = self.database.write(|tx| {
            let value = work(tx, &mut change)?;
            change.keep_only_garbage(tx)?;
            Ok::<_, StorageError>(value)
        })?;
        self.blobs.remove(&change.candidates);
        if change.queued > 0 {
            (self.wake)();
        }
        Ok(value)
    }
}

/// What a transaction did beside its rows.
#[derive(Debug, Default)]
struct Change {
    /// Files that lost a reference.
    candidates: Vec<String>,
    /// Invocations queued.
    queued: usize,
}

impl Change {
    fn keep_only_garbage(&mut self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        self.candidates.sort();
        self.candidates.dedup();
        let mut referred = tx.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM segment WHERE blob = ?1) OR EXISTS (SELECT 1 FROM part WHERE blob = ?1)",
        )?;
        let mut garbage = Vec::with_capacity(self.candidates.len());
        for blob in self.candidates.drain(..) {
            if !referred.query_row([&blob], |row| row.get::<_, bool>(0))? {
                garbage.push(blob);
            }
        }
        self.candidates = garbage;
        Ok(())
    }
}

fn known_blobs(connection: &Connection) -> rusqlite::Result<HashSet<String>> {
    connection
        .prepare("SELECT blob FROM segment UNION SELECT blob FROM part WHERE blob IS NOT NULL")?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// The next number of this cloud's history: above every earlier one, and
/// above those of a data folder deleted before, since it follows the clock.
fn next_sequence(tx: &Transaction<'_>, now_ms: i64) -> rusqlite::Result<i64> {
    tx.prepare_cached("UPDATE sequence SET value = max(value + 1, ?1) WHERE one = 1 RETURNING value")?
        .query_row([now_ms.saturating_mul(1000)], |row| row.get(0))
}
