//! The one embedded database of the small cloud: object metadata, multipart
//! uploads, notification rules and the invocation queue live in one SQLite
//! file, so that "the object exists" and "its event is queued" become true in
//! one transaction.
//!
//! Owns: opening, durability settings, the write lock. Refuses: any table's
//! meaning; each module brings its own schema.

use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use thiserror::Error;

/// Why the database cannot be used.
#[derive(Debug, Error)]
pub enum DatabaseError {
    /// Opening or preparing the file failed.
    #[error("cannot open the database {}: {source}; check that the folder is writable and the file is one of minilab's", path.display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// SQLite's word.
        source: rusqlite::Error,
    },
}

/// A durable SQLite database with one connection; calls block, so async code
/// goes through `tokio::task::spawn_blocking`.
#[derive(Debug)]
pub struct Database {
    connection: Mutex<Connection>,
}

impl Database {
    /// Opens or creates `path` and runs each schema (idempotent
    /// `CREATE … IF NOT EXISTS` statements).
    ///
    /// `synchronous = FULL` with a write-ahead log: a committed transaction
    /// survives power loss (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
    pub fn open(path: &Path, schemas: &[&str]) -> Result<Self, DatabaseError> {
        let prepare = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(path)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "foreign_keys", "ON")?;
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            for schema in schemas {
                connection.execute_batch(schema)?;
            }
            Ok(connection)
        };
        let connection = prepare().map_err(|source| DatabaseError::Open { path: path.to_owned(), source })?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// Runs `work` in one immediate transaction: committed, and on disk, when
    /// this returns `Ok`; rolled back on any error.
    pub fn write<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Runs `work` on the connection without a transaction of its own.
    pub fn read<T, E>(&self, work: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(&connection)
    }
}
