//! The things that happen in the small cloud.
//!
//! Owns: their types, as they are shown. Refuses: passing them on.

use serde::Serialize;
use serde_json::Value;

use crate::iam::LoggedDecision;
use crate::record::InvocationRecord;

/// One thing that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Activity {
    /// An asynchronous invocation is durable in the queue.
    Queued {
        /// The invocation's request id, the same through all attempts.
        request_id: String,
        /// What the event names: `ObjectCreated:Put bucket/key`, for each record.
        subjects: Vec<String>,
        /// Milliseconds since 1970.
        created_ms: i64,
    },
    /// An attempt begins.
    Started {
        /// The invocation.
        request_id: String,
        /// 1 for the first.
        attempt: u32,
    },
    /// A line of the invocation log.
    Log {
        /// The invocation.
        request_id: String,
        /// Without its line end.
        line: String,
    },
    /// An attempt ended.
    Finished(InvocationRecord),
    /// A failed attempt will be repeated.
    RetryScheduled {
        /// The invocation.
        request_id: String,
        /// The attempt that failed.
        attempt: u32,
        /// When it is tried again, milliseconds since 1970.
        due_ms: i64,
        /// The error's type.
        because: String,
    },
    /// No more attempts: the event is with the failure destination.
    SentToDestination {
        /// The invocation.
        request_id: String,
        /// `RetriesExhausted`, `EventAgeExceeded` or `RecursiveInvocationException`.
        condition: String,
        /// The record as Lambda sends it.
        envelope: Value,
    },
    /// A request was allowed or denied.
    Decision(LoggedDecision),
}
