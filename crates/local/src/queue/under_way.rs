//! What is in the queue, for people to look at. Owns: one query. Refuses:
//! changing anything.

use rusqlite::{Connection, params};
use serde::Serialize;

use super::function_name;

/// An invocation that is queued, running or waiting for its next attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    /// A UUID, the same through all attempts.
    pub request_id: String,
    /// The event as JSON.
    pub payload: Vec<u8>,
    /// When it was queued, milliseconds since 1970.
    pub created_ms: i64,
    /// When it is, or was, due, milliseconds since 1970.
    pub due_ms: i64,
    /// Attempts begun.
    pub attempts: u32,
    /// Where it is.
    pub stage: Stage,
}

/// Where an invocation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Due, not running.
    Queued,
    /// Running.
    Running,
    /// Failed and waiting for its next attempt.
    Waiting,
}

/// Invocations of `function` that are under way, oldest first, at most `limit`.
pub fn under_way(connection: &Connection, function: &str, limit: u32) -> rusqlite::Result<Vec<UnderWay>> {
    connection
        .prepare_cached(
            "SELECT request_id, payload, created_ms, due_ms, attempts, leased FROM invocations
             WHERE +function = ?1 ORDER BY id LIMIT ?2",
        )?
        .query_map(params![function_name(function), limit], |row| {
            let attempts = row.get(4)?;
            let stage = match (row.get::<_, bool>(5)?, attempts) {
                (true, _) => Stage::Running,
                (false, 0) => Stage::Queued,
                (false, _) => Stage::Waiting,
            };
            Ok(UnderWay {
                request_id: row.get(0)?,
                payload: row.get(1)?,
                created_ms: row.get(2)?,
                due_ms: row.get(3)?,
                attempts,
                stage,
            })
        })?
        .collect()
}
