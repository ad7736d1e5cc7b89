//! The durable queue of asynchronous invocations: an event that was
//! acknowledged is here until it was handled or sent to its destination.
//!
//! Owns: the tables `invocations` and `failed_events`. Refuses: deciding
//! when or how often to retry; the invoker does.

mod lease;
mod under_way;

pub use lease::{Added, Counts, FailedEvent, Lease, Leased};
pub use lease::{
    added_since, complete, counts, fail, failed_events, is_empty, lease, recover, redrive, release, requeue,
    retry,
};

pub use under_way::{Stage, UnderWay, under_way};

use rusqlite::{Transaction, params};
use uuid::Uuid;

use crate::lineage::Lineage;

/// The tables; run at every opening.
///
/// `leased` is 1 while an attempt runs; `response` is the last attempt's error. One process owns the database (the data
/// folder is locked), so a lease found at opening belongs to a process that
/// died, and is given back. `chain` has a row for an invocation that another caused.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS invocations (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id    TEXT    NOT NULL UNIQUE,
    function      TEXT    NOT NULL,
    payload       BLOB    NOT NULL,
    created_ms    INTEGER NOT NULL,
    due_ms        INTEGER NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    interruptions INTEGER NOT NULL DEFAULT 0,
    leased        INTEGER NOT NULL DEFAULT 0,
    response      BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS invocations_due ON invocations (function, leased, due_ms, id);
CREATE TABLE IF NOT EXISTS chain (
    invocation INTEGER PRIMARY KEY REFERENCES invocations (id) ON DELETE CASCADE,
    root       TEXT    NOT NULL,
    depth      INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS failed_events (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id    TEXT    NOT NULL UNIQUE,
    function      TEXT    NOT NULL,
    condition     TEXT    NOT NULL,
    failed_ms     INTEGER NOT NULL,
    payload       BLOB    NOT NULL,
    envelope      TEXT    NOT NULL
) STRICT;
";

/// Queues one asynchronous invocation inside the caller's transaction: the
/// invocation is durable exactly when the caller's other writes are. Returns
/// the invocation's row id.
///
/// `function` is a name or an ARN; `payload` is the event as JSON; `now_ms`
/// is milliseconds since 1970, from which the maximum event age counts;
/// `cause` is the invocation that brought the event about, if one did.
pub fn enqueue(
    tx: &Transaction<'_>,
    function: &str,
    payload: &[u8],
    now_ms: i64,
    cause: Option<&Lineage>,
) -> rusqlite::Result<i64> {
    tx.prepare_cached(
        "INSERT INTO invocations (request_id, function, payload, created_ms, due_ms) VALUES (?1, ?2, ?3, ?4, ?4)",
    )?
    .execute(params![Uuid::new_v4().to_string(), function_name(function), payload, now_ms])?;
    let id = tx.last_insert_rowid();
    if let Some(place) = cause.map(Lineage::next) {
        tx.prepare_cached("INSERT INTO chain (invocation, root, depth) VALUES (?1, ?2, ?3)")?
            .execute(params![id, place.root, place.depth])?;
    }
    Ok(id)
}

/// The name in `name`, `arn:aws:lambda:region:account:function:name` or the
/// same with a qualifier.
#[must_use]
pub fn function_name(name_or_arn: &str) -> &str {
    match name_or_arn.split_once(":function:") {
        Some((_, rest)) => rest.split_once(':').map_or(rest, |(name, _)| name),
        None => name_or_arn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_by_itself_or_by_its_arn() {
        for (given, name) in [
            ("resize", "resize"),
            ("arn:aws:lambda:us-east-1:123456789012:function:resize", "resize"),
            ("arn:aws:lambda:us-east-1:123456789012:function:resize:$LATEST", "resize"),
        ] {
            assert_eq!(function_name(given), name);
        }
    }
}
