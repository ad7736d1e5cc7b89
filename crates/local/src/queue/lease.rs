//! The life of a queued invocation: leased, done, tried again, given up.
//!
//! Owns: each step as one statement inside the caller's transaction. Refuses:
//! clocks and policies; times and limits are arguments.
//!
//! The worker without Lambda has a queue of its own, in a file of its own: that
//! queue shares one sync of the disk among many senders, while this queue lives
//! in the cloud's database, where an object and its event are one transaction.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use serde::Serialize;

use super::{enqueue, function_name};
use crate::lineage::Lineage;

/// An invocation whose attempt is the holder's to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased {
    /// The row.
    pub id: i64,
    /// A UUID, the same through all attempts.
    pub request_id: String,
    /// The event as JSON.
    pub payload: Vec<u8>,
    /// When it was queued, milliseconds since 1970.
    pub created_ms: i64,
    /// Which attempt this is; 1 for the first.
    pub attempt: u32,
    /// The error of the attempt before, as JSON.
    pub response: Option<Vec<u8>>,
    /// Its place among the invocations that led to it.
    pub lineage: Lineage,
}

/// What the queue has to do for a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lease {
    /// Run this attempt.
    Run(Leased),
    /// Too old to be tried (again): `attempt` counts one that will not happen.
    Expired(Leased),
    /// Nothing is due before this time (milliseconds since 1970), if ever.
    Nothing(Option<i64>),
}

/// An invocation as it was queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The row; later ones have higher ids.
    pub id: i64,
    /// A UUID, the same through all attempts.
    pub request_id: String,
    /// The event as JSON.
    pub payload: Vec<u8>,
    /// Milliseconds since 1970.
    pub created_ms: i64,
}

/// How many invocations are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Due, not running.
    pub queued: u64,
    /// Running.
    pub running: u64,
    /// Failed and waiting for their next attempt.
    pub waiting: u64,
    /// In the failure destination.
    pub failed: u64,
}

/// An event that was given up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailedEvent {
    /// For [`requeue`].
    pub id: i64,
    /// The invocation's request id.
    pub request_id: String,
    /// `RetriesExhausted`, `EventAgeExceeded` or `RecursiveInvocationException`.
    pub condition: String,
    /// Milliseconds since 1970.
    pub failed_ms: i64,
    /// The record as Lambda sends it to a destination.
    pub envelope: serde_json::Value,
}

/// Gives back what a dead process had leased; such an attempt does not count.
/// Those go behind what is due at `now_ms`: an event that takes the process
/// down must not keep the others from being handled. Returns how many there were.
pub fn recover(tx: &Transaction<'_>, now_ms: i64) -> rusqlite::Result<usize> {
    tx.execute(
        "UPDATE invocations SET leased = 0, attempts = max(attempts - 1, 0), interruptions = interruptions + 1,
         due_ms = max(due_ms, ?1) WHERE leased = 1",
        [now_ms],
    )
}

/// Takes the invocation of `function` that has been due longest.
pub fn lease(
    tx: &Transaction<'_>,
    function: &str,
    now_ms: i64,
    maximum_age_ms: i64,
) -> rusqlite::Result<Lease> {
    let function = function_name(function);
    let found = tx
        .prepare_cached(
            "SELECT id, request_id, payload, created_ms, attempts + 1, response, due_ms, root, depth
             FROM invocations LEFT JOIN chain ON invocation = id
             WHERE function = ?1 AND leased = 0 ORDER BY due_ms, id LIMIT 1",
        )?
        .query_row(params![function], |row| {
            let request_id: String = row.get(1)?;
            let lineage = match row.get(7)? {
                Some(root) => Lineage { root, depth: row.get(8)? },
                None => Lineage::begin(&request_id),
            };
            Ok((
                Leased {
                    id: row.get(0)?,
                    request_id,
                    payload: row.get(2)?,
                    created_ms: row.get(3)?,
                    attempt: row.get(4)?,
                    response: row.get(5)?,
                    lineage,
                },
                row.get::<_, i64>(6)?,
            ))
        })
        .optional()?;
    let Some((leased, due_ms)) = found else { return Ok(Lease::Nothing(None)) };
    if due_ms > now_ms {
        return Ok(Lease::Nothing(Some(due_ms)));
    }
    if now_ms.saturating_sub(leased.created_ms) >= maximum_age_ms {
        return Ok(Lease::Expired(leased));
    }
    tx.prepare_cached("UPDATE invocations SET leased = 1, attempts = attempts + 1 WHERE id = ?1")?
        .execute([leased.id])?;
    Ok(Lease::Run(leased))
}

/// The event was handled.
pub fn complete(tx: &Transaction<'_>, id: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM invocations WHERE id = ?1")?.execute([id]).map(drop)
}

/// The attempt failed with `response`; the next is due at `due_ms`.
pub fn retry(tx: &Transaction<'_>, id: i64, due_ms: i64, response: &[u8]) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE invocations SET leased = 0, due_ms = ?2, response = ?3 WHERE id = ?1")?
        .execute(params![id, due_ms, response])
        .map(drop)
}

/// The attempt was interrupted and does not count.
pub fn release(tx: &Transaction<'_>, id: i64) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE invocations SET leased = 0, attempts = max(attempts - 1, 0), interruptions = interruptions + 1 WHERE id = ?1",
    )?
    .execute([id])
    .map(drop)
}

/// No more attempts: moves the event to the failure destination.
pub fn fail(
    tx: &Transaction<'_>,
    id: i64,
    condition: &str,
    envelope: &serde_json::Value,
    now_ms: i64,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO failed_events (request_id, function, condition, failed_ms, payload, envelope)
         SELECT request_id, function, ?2, ?3, payload, ?4 FROM invocations WHERE id = ?1",
    )?
    .execute(params![id, condition, now_ms, envelope.to_string()])?;
    complete(tx, id)
}

/// Queues a given-up event anew, as a new invocation; false when there is no
/// such event.
pub fn requeue(tx: &Transaction<'_>, failed_id: i64, now_ms: i64) -> rusqlite::Result<bool> {
    let found: Option<(String, Vec<u8>)> = tx
        .query_row("SELECT function, payload FROM failed_events WHERE id = ?1", [failed_id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((function, payload)) = found else { return Ok(false) };
    enqueue(tx, &function, &payload, now_ms, None)?;
    tx.execute("DELETE FROM failed_events WHERE id = ?1", [failed_id])?;
    Ok(true)
}

/// Queues every given-up event of `function` anew, oldest first, each as a new
/// invocation of a new chain; returns how many there were.
pub fn redrive(tx: &Transaction<'_>, function: &str, now_ms: i64) -> rusqlite::Result<u64> {
    let ids: Vec<i64> = tx
        .prepare_cached("SELECT id FROM failed_events WHERE function = ?1 ORDER BY id")?
        .query_map([function_name(function)], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut count = 0;
    for id in ids {
        count += u64::from(requeue(tx, id, now_ms)?);
    }
    Ok(count)
}

/// Whether no invocation of `function` is queued, running or waiting.
pub fn is_empty(connection: &Connection, function: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM invocations WHERE function = ?1)")?
        .query_row([function_name(function)], |row| row.get(0))
}

/// How many invocations of `function` are where.
pub fn counts(connection: &Connection, function: &str) -> rusqlite::Result<Counts> {
    let function = function_name(function);
    // SQLite counts in signed numbers, never below zero.
    let count = |row: &Row<'_>, column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let (queued, running, waiting) = connection
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE leased = 0 AND attempts = 0), count(*) FILTER (WHERE leased = 1),
             count(*) FILTER (WHERE leased = 0 AND attempts > 0) FROM invocations WHERE function = ?1",
        )?
        .query_row([function], |row| Ok((count(row, 0)?, count(row, 1)?, count(row, 2)?)))?;
    let failed = connection
        .prepare_cached("SELECT count(*) FROM failed_events WHERE function = ?1")?
        .query_row([function], |row| count(row, 0))?;
    Ok(Counts { queued, running, waiting, failed })
}

/// Invocations of `function` with a row id above `after`, oldest first, at
/// most `limit`.
pub fn added_since(
    connection: &Connection,
    function: &str,
    after: i64,
    limit: u32,
) -> rusqlite::Result<Vec<Added>> {
    connection
        // The plus keeps SQLite from the index of functions, by which it would
        // have to read and sort all rows.
        .prepare_cached(
            "SELECT id, request_id, payload, created_ms FROM invocations
             WHERE +function = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        )?
        .query_map(params![function_name(function), after, limit], |row| {
            Ok(Added {
                id: row.get(0)?,
                request_id: row.get(1)?,
                payload: row.get(2)?,
                created_ms: row.get(3)?,
            })
        })?
        .collect()
}

/// The newest given-up events of `function`, newest first, at most `limit`.
pub fn failed_events(
    connection: &Connection,
    function: &str,
    limit: u32,
) -> rusqlite::Result<Vec<FailedEvent>> {
    let read = |row: &Row<'_>| {
        let envelope: String = row.get(4)?;
        Ok(FailedEvent {
            id: row.get(0)?,
            request_id: row.get(1)?,
            condition: row.get(2)?,
            failed_ms: row.get(3)?,
            envelope: serde_json::from_str(&envelope).unwrap_or(serde_json::Value::String(envelope)),
        })
    };
    connection
        .prepare_cached(
            "SELECT id, request_id, condition, failed_ms, envelope FROM failed_events WHERE function = ?1
             ORDER BY id DESC LIMIT ?2",
        )?
        .query_map(params![function_name(function), limit], read)?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Database;
    use crate::queue::SCHEMA;
    use serde_json::json;

    const AGE: i64 = 1000;

    fn database() -> (tempfile::TempDir, Database) {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("q.db"), &[SCHEMA]).unwrap();
        (folder, database)
    }

    fn write<T>(database: &Database, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> T {
        database.write(work).unwrap()
    }

    fn next(database: &Database, now: i64) -> Lease {
        write(database, |tx| lease(tx, "f", now, AGE))
    }

    fn run(lease: Lease) -> Leased {
        match lease {
            Lease::Run(leased) => leased,
            other => panic!("not leased: {other:?}"),
        }
    }

    #[test]
    fn an_invocation_is_leased_once_and_gone_when_done() {
        let (_folder, database) = database();
        write(&database, |tx| enqueue(tx, "arn:aws:lambda:r:1:function:f", b"{}", 10, None));
        let leased = run(next(&database, 10));
        assert_eq!((leased.attempt, leased.payload.as_slice(), leased.created_ms), (1, &b"{}"[..], 10));
        assert_eq!(next(&database, 10), Lease::Nothing(None));
        write(&database, |tx| complete(tx, leased.id));
        assert_eq!(database.read(|c| counts(c, "f")).unwrap(), Counts::default());
    }

    #[test]
    fn a_rolled_back_enqueue_leaves_nothing() {
        let (_folder, database) = database();
        let failed: rusqlite::Result<()> = database.write(|tx| {
            enqueue(tx, "f", b"{}", 0, None)?;
            Err(rusqlite::Error::InvalidQuery)
        });
        assert!(failed.is_err());
        assert_eq!(next(&database, 0), Lease::Nothing(None));
    }

    #[test]
    fn a_retry_waits_keeps_its_id_and_counts() {
        let (_folder, database) = database();
        write(&database, |tx| enqueue(tx, "f", b"{}", 0, None));
        let first = run(next(&database, 0));
        write(&database, |tx| retry(tx, first.id, 50, b"\"no\""));
        assert_eq!(next(&database, 49), Lease::Nothing(Some(50)));
        let second = run(next(&database, 50));
        assert_eq!((second.attempt, second.response.as_deref()), (2, Some(&b"\"no\""[..])));
        assert_eq!(second.request_id, first.request_id);
    }

    #[test]
    fn an_event_past_its_age_is_not_leased() {
        let (_folder, database) = database();
        write(&database, |tx| enqueue(tx, "f", b"{}", 0, None));
        assert!(matches!(next(&database, AGE), Lease::Expired(leased) if leased.attempt == 1));
    }

    #[test]
    fn a_dead_processs_lease_is_given_back_and_does_not_count() {
        let (folder, database) = database();
        write(&database, |tx| enqueue(tx, "f", b"{}", 0, None));
        run(next(&database, 0));
        drop(database);
        let database = Database::open(&folder.path().join("q.db"), &[SCHEMA]).unwrap();
        assert_eq!(write(&database, |tx| recover(tx, 0)), 1);
        let again = run(next(&database, 0));
        assert_eq!(again.attempt, 1);
        write(&database, |tx| release(tx, again.id));
        assert_eq!(run(next(&database, 0)).attempt, 1);
    }

    #[test]
    fn a_given_up_event_is_kept_and_can_be_queued_anew() {
        let (_folder, database) = database();
        write(&database, |tx| enqueue(tx, "f", b"{\"n\":1}", 0, None));
        let leased = run(next(&database, 0));
        write(&database, |tx| fail(tx, leased.id, "RetriesExhausted", &json!({ "version": "1.0" }), 7));
        let failed = database.read(|c| failed_events(c, "f", 10)).unwrap();
        assert_eq!(
            (failed.len(), failed[0].envelope["version"].as_str(), failed[0].failed_ms),
            (1, Some("1.0"), 7)
        );
        assert!(write(&database, |tx| requeue(tx, failed[0].id, 8)));
        assert!(!write(&database, |tx| requeue(tx, failed[0].id, 8)));
        let again = run(next(&database, 8));
        assert_eq!(again.payload, b"{\"n\":1}");
        assert_ne!(again.request_id, leased.request_id);
        assert_eq!(database.read(|c| counts(c, "f")).unwrap(), Counts { running: 1, ..Counts::default() });
    }

    #[test]
    fn an_event_that_took_the_process_down_goes_behind_the_others() {
        let (_folder, database) = database();
        for name in [&b"\"poison\""[..], b"\"other\""] {
            write(&database, |tx| enqueue(tx, "f", name, 0, None));
        }
        assert_eq!(run(next(&database, 0)).payload, b"\"poison\"");
        write(&database, |tx| recover(tx, 5));
        assert_eq!(run(next(&database, 5)).payload, b"\"other\"");
        assert_eq!(run(next(&database, 5)).payload, b"\"poison\"");
    }

    #[test]
    fn what_an_invocation_causes_is_one_further_in_its_chain() {
        let (_folder, database) = database();
        write(&database, |tx| enqueue(tx, "f", b"1", 0, None));
        let first = run(next(&database, 0));
        assert_eq!(first.lineage, Lineage::begin(&first.request_id));
        write(&database, |tx| enqueue(tx, "f", b"2", 0, Some(&first.lineage)));
        let second = run(next(&database, 0));
        assert_eq!(second.lineage, Lineage { root: first.request_id.clone(), depth: 2 });
        // A retry stays where it was, and a person's redrive begins anew.
        write(&database, |tx| retry(tx, second.id, 0, b"{}"));
        assert_eq!(run(next(&database, 0)).lineage.depth, 2);
        write(&database, |tx| fail(tx, second.id, "RetriesExhausted", &json!({}), 0));
        assert_eq!(write(&database, |tx| redrive(tx, "f", 0)), 1);
        assert_eq!(run(next(&database, 0)).lineage.depth, 1);
        assert_eq!(
            database
                .read(|c| c.query_row("SELECT count(*) FROM chain", [], |row| row.get::<_, i64>(0)))
                .unwrap(),
            0
        );
    }
}
