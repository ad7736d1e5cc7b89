//! Object data as files with opaque names: `objects/<2 hex>/<30 hex>`.
//!
//! Owns: making bytes durable before anyone refers to them, keeping a file
//! while someone reads it, removing what nothing refers to. Refuses: keys,
//! versions, metadata. A name is random and never derived from a key, so any
//! legal key works and nothing that a client says reaches the file system.

use super::digest::{Algorithm, Digester, Digests};
use super::durable;
use super::error::StorageError;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

const INCOMING: &str = "incoming";

/// Bytes of the disk that uploads leave free, so that the database can still
/// record deletions: a full disk must be one that its owner can empty.
const RESERVE: u64 = 8 * 1024 * 1024;

/// The folder of data files.
#[derive(Debug)]
pub(crate) struct Blobs {
    root: PathBuf,
    readers: Mutex<HashMap<String, Readers>>,
}

/// Who still reads a file, and whether it goes away with the last of them.
#[derive(Debug, Default)]
struct Readers {
    count: usize,
    doomed: bool,
}

/// What start-up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Data files and half-written uploads that no object refers to; removed.
    pub removed: usize,
    /// Data files that an object refers to and that are not there.
    pub missing: usize,
}

impl Blobs {
    /// Prepares the folder with its 256 shards.
    pub(crate) fn open(root: PathBuf) -> Result<Self, StorageError> {
        let make = |path: &Path| {
            fs::create_dir_all(path)
                .map_err(|error| StorageError::file(format!("creating {}", path.display()), error))
        };
        make(&root.join(INCOMING))?;
        for shard in 0..=255_u8 {
            make(&root.join(format!("{shard:02x}")))?;
        }
        sync_folder(&root)?;
        // The folder's own entry.
        sync_folder(root.parent().unwrap_or(&root))?;
        Ok(Self { root, readers: Mutex::default() })
    }

    /// Removes half-written uploads and every file whose name is not in `known`.
    ///
    /// Runs before anything is served, so nothing that is being written can be
    /// mistaken for an orphan. One listing of 256 folders against one set.
    pub(crate) fn sweep(&self, known: &HashSet<String>) -> Result<Recovery, StorageError> {
        let mut recovery = Recovery::default();
        let mut seen = 0;
        let mut visit = |folder: PathBuf, shard: Option<&str>| -> Result<(), StorageError> {
            let during = |error| StorageError::file(format!("reading {}", folder.display()), error);
            for entry in fs::read_dir(&folder).map_err(during)? {
                let entry = entry.map_err(during)?;
                let name = entry.file_name();
                let id = shard.zip(name.to_str()).map(|(shard, rest)| format!("{shard}{rest}"));
                if id.is_some_and(|id| known.contains(&id)) {
                    seen += 1;
                } else {
                    let path = entry.path();
                    fs::remove_file(&path).map_err(|error| {
                        StorageError::file(format!("removing the orphan {}", path.display()), error)
                    })?;
                    recovery.removed += 1;
                }
            }
            Ok(())
        };
        visit(self.root.join(INCOMING), None)?;
        for shard in 0..=255_u8 {
            let shard = format!("{shard:02x}");
            visit(self.root.join(&shard), Some(&shard))?;
        }
        recovery.missing = known.len().saturating_sub(seen);
        Ok(recovery)
    }

    /// How many data files there are.
    pub(crate) fn count(&self) -> Result<usize, StorageError> {
        let mut count = 0;
        for shard in 0..=255_u8 {
            let folder = self.root.join(format!("{shard:02x}"));
            let entries = fs::read_dir(&folder)
                .map_err(|error| StorageError::file(format!("reading {}", folder.display()), error))?;
            count += entries.count();
        }
        Ok(count)
    }

    /// Refuses when an upload of `coming` bytes would eat into the reserve.
    pub(crate) fn check_space(&self, coming: u64) -> Result<(), StorageError> {
        let disk = rustix::fs::statvfs(&self.root).map_err(|error| {
            StorageError::file(format!("asking for the free space of {}", self.root.display()), error.into())
        })?;
        if disk.f_bavail.saturating_mul(disk.f_frsize) < RESERVE.saturating_add(coming) {
            return Err(StorageError::DiskFull { during: "receiving an upload".to_owned() });
        }
        Ok(())
    }

    fn path(&self, id: &str) -> PathBuf {
        let (shard, rest) = id.split_at(2);
        self.root.join(shard).join(rest)
    }

    /// Opens a file for reading.
    pub(crate) fn read(&self, id: &str) -> Result<File, StorageError> {
        File::open(self.path(id))
            .map_err(|error| StorageError::file(format!("opening data file {id}"), error))
    }

    /// Keeps the files from being removed until the guard is dropped. Call it
    /// while the database lock proves that they are still referred to.
    pub(crate) fn pin(self: &Arc<Self>, ids: Vec<String>) -> Pinned {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        for id in &ids {
            readers.entry(id.clone()).or_default().count += 1;
        }
        Pinned { blobs: Arc::clone(self), ids }
    }

    /// Removes files that nothing refers to any more; those being read go when
    /// their last reader does. A failure leaves an orphan for the next start,
    /// which loses nothing, and is logged.
    pub(crate) fn remove(&self, ids: &[String]) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            match readers.get_mut(id) {
                Some(entry) => entry.doomed = true,
                None => self.unlink(id),
            }
        }
    }

    fn unlink(&self, id: &str) {
        if let Err(error) = fs::remove_file(self.path(id)) {
            tracing::warn!(blob = id, %error, "an unused data file stays until the next start");
        }
    }
}

/// A guard that keeps data files.
#[derive(Debug)]
pub(crate) struct Pinned {
    blobs: Arc<Blobs>,
    ids: Vec<String>,
}

impl Pinned {
    /// Opens one of the kept files.
    pub(crate) fn read(&self, id: &str) -> Result<File, StorageError> {
        self.blobs.read(id)
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut readers = self.blobs.readers.lock().unwrap_or_else(PoisonError::into_inner);
        for id in &self.ids {
            let Some(entry) = readers.get_mut(id) else { continue };
            entry.count -= 1;
            if entry.count == 0 {
                let doomed = entry.doomed;
                readers.remove(id);
                if doomed {
                    self.blobs.unlink(id);
                }
            }
        }
    }
}

/// A file being written under `incoming/`; removed when dropped unfinished.
pub(crate) struct Incoming {
    blobs: Arc<Blobs>,
    id: String,
    path: PathBuf,
    file: File,
    size: u64,
    digester: Digester,
    finished: bool,
}

impl Incoming {
    /// Creates the file; MD5 and `algorithms` are computed as bytes are written.
    pub(crate) fn create(blobs: &Arc<Blobs>, algorithms: &[Algorithm]) -> Result<Self, StorageError> {
        let id = Uuid::new_v4().simple().to_string();
        let path = blobs.root.join(INCOMING).join(&id);
        let file = File::create_new(&path)
            .map_err(|error| StorageError::file(format!("creating {}", path.display()), error))?;
        Ok(Self {
            blobs: Arc::clone(blobs),
            id,
            path,
            file,
            size: 0,
            digester: Digester::new(algorithms),
            finished: false,
        })
    }

    /// Appends bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.blobs.check_space(bytes.len() as u64)?;
        self.file
            .write_all(bytes)
            .map_err(|error| StorageError::file(format!("writing {}", self.path.display()), error))?;
        self.digester.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Makes the file durable under its final name: data synced, renamed,
    /// folder synced. Nothing refers to it yet.
    pub(crate) fn finish(mut self) -> Result<Staged, StorageError> {
        let target = self.blobs.path(&self.id);
        let during = |error| StorageError::file(format!("storing {}", target.display()), error);
        self.file.sync_all().map_err(during)?;
        fs::rename(&self.path, &target).map_err(during)?;
        self.finished = true;
        let staged = Staged {
            blobs: Arc::clone(&self.blobs),
            id: self.id.clone(),
            size: self.size,
            digests: std::mem::replace(&mut self.digester, Digester::new(&[])).finish(),
            kept: false,
        };
        sync_folder(target.parent().unwrap_or(&self.blobs.root))?;
        Ok(staged)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.finished {
            // Swept at the next start when this fails.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A durable file that no object refers to yet; removed when dropped before
/// [`Staged::keep`].
pub(crate) struct Staged {
    blobs: Arc<Blobs>,
    id: String,
    size: u64,
    digests: Digests,
    kept: bool,
}

impl Staged {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn digests(&self) -> &Digests {
        &self.digests
    }

    /// The database now refers to the file.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.kept {
            self.blobs.unlink(&self.id);
        }
    }
}

/// Creates a folder with those above it, each entry synced: a folder that power
/// loss takes away takes its files along.
pub(super) fn make_durable_folder(folder: &Path) -> Result<(), StorageError> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make_durable_folder(parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(StorageError::file(format!("creating {}", folder.display()), error))
        }
        _ => sync_folder(parent),
    }
}

fn sync_folder(folder: &Path) -> Result<(), StorageError> {
    durable::sync_folder(folder)
        .map_err(|error| StorageError::file(format!("syncing {}", folder.display()), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staged(blobs: &Arc<Blobs>, bytes: &[u8]) -> Staged {
        let mut incoming = Incoming::create(blobs, &[]).unwrap();
        incoming.write(bytes).unwrap();
        incoming.finish().unwrap()
    }

    fn files(root: &Path) -> usize {
        fs::read_dir(root).unwrap().map(|entry| fs::read_dir(entry.unwrap().path()).unwrap().count()).sum()
    }

    #[test]
    fn unkept_files_vanish_and_kept_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(folder.path().to_owned()).unwrap());
        drop(staged(&blobs, b"dropped"));
        drop(Incoming::create(&blobs, &[]).unwrap());
        assert_eq!(files(folder.path()), 0);
        staged(&blobs, b"kept").keep();
        assert_eq!(files(folder.path()), 1);
    }

    #[test]
    fn sweep_removes_orphans_and_counts_missing_files() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(folder.path().to_owned()).unwrap());
        let kept = staged(&blobs, b"referred to");
        let known = HashSet::from([kept.id().to_owned(), "f".repeat(32)]);
        kept.keep();
        staged(&blobs, b"renamed, never committed").keep();
        fs::write(folder.path().join(INCOMING).join("half"), b"half an upl").unwrap();
        assert_eq!(blobs.sweep(&known).unwrap(), Recovery { removed: 2, missing: 1 });
        assert_eq!(files(folder.path()), 1);
    }

    #[test]
    fn a_file_being_read_outlives_its_removal() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(folder.path().to_owned()).unwrap());
        let file = staged(&blobs, b"data");
        let id = file.id().to_owned();
        file.keep();
        let first = blobs.pin(vec![id.clone()]);
        let second = blobs.pin(vec![id.clone()]);
        blobs.remove(std::slice::from_ref(&id));
        drop(first);
        assert!(second.read(&id).is_ok());
        drop(second);
        assert_eq!(files(folder.path()), 0);
    }
}
