//! The one embedded database of the small cloud: object metadata, multipart
//! uploads, notification rules and the invocation queue live in one SQLite
//! file, so that "the object exists" and "its event is queued" become true in
//! one transaction.
//!
//! Owns: opening, durability settings, the write lock. Refuses: any table's
//! meaning; each module brings its own schema.

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
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
    /// The file is not a sound database.
    #[error("the database {} is damaged ({problem}); nothing was changed. Put a copy of it back, together with its -wal file, or move the whole folder away to start afresh", path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// A durable SQLite database with one connection; calls block, so async code
/// goes through `tokio::task::spawn_blocking`.
#[derive(Debug)]
pub struct Database {
    connection: Mutex<Connection>,
    /// For those who look on: they see what was last committed, and neither
    /// wait for a commit's sync nor hold one up.
    onlooker: Mutex<Connection>,
}

impl Database {
    /// Opens or creates `path` and runs each schema (idempotent
    /// `CREATE … IF NOT EXISTS` statements).
    ///
    /// `synchronous = FULL` with a write-ahead log: a committed transaction
    /// survives power loss (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
    ///
    /// [`DatabaseError::Damaged`] when `SQLite` finds the file unsound: an
    /// acknowledged object must not be found missing one at a time.
    pub fn open(path: &Path, schemas: &[&str]) -> Result<Self, DatabaseError> {
        let existed = std::fs::metadata(path).is_ok_and(|found| found.len() > 0);
        let prepare = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(path)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "foreign_keys", "ON")?;
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            if existed {
                sound(&connection)?;
            }
            for schema in schemas {
                connection.execute_batch(schema)?;
            }
            Ok(connection)
        };
        let look_on = || -> rusqlite::Result<Connection> {
            let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            Ok(connection)
        };
        let problem = |source: rusqlite::Error| match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                DatabaseError::Damaged { path: path.to_owned(), problem: source.to_string() }
            }
            _ => DatabaseError::Open { path: path.to_owned(), source },
        };
        let connection = prepare().map_err(problem)?;
        let onlooker = look_on().map_err(problem)?;
        Ok(Self { connection: Mutex::new(connection), onlooker: Mutex::new(onlooker) })
    }

    /// Runs `work` on what was last committed, beside any transaction.
    pub fn look<T, E>(&self, work: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        let connection = self.onlooker.lock().unwrap_or_else(PoisonError::into_inner);
        work(&connection)
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

/// Reads the whole file once and checks that its pages hang together.
fn sound(connection: &Connection) -> rusqlite::Result<()> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    // One line for people; SQLite's own first line says only which database.
    let words = found.lines().last().unwrap_or_default().to_owned();
    Err(rusqlite::Error::SqliteFailure(code, Some(words)))
}
