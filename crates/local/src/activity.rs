//! What happens in the small cloud, as it happens: for the console, for tests,
//! for whoever waits.
//!
//! Owns: the typed events and the bounded memory of the newest. Refuses:
//! holding anything up; a listener that is too slow loses the oldest.

mod history;
mod journal;

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;

use crate::extension::Extension;
use crate::iam::LoggedDecision;
use crate::lambda::InvocationRecord;
use crate::metrics::Invocations;
use history::History;
pub use journal::{Entry, Journal};

/// How many finished invocations are remembered.
const REMEMBERED: usize = 1000;
/// How many bytes of log they may have together; above it the oldest go.
const REMEMBERED_BYTES: usize = 64 * 1024 * 1024;
/// How far behind a listener may be.
const BACKLOG: usize = 1024;

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

/// Where everything that happens is said.
#[derive(Clone)]
pub struct Feed {
    live: broadcast::Sender<Arc<Activity>>,
    finished: Arc<Mutex<Memory>>,
    /// Of a cloud with a data folder.
    history: Option<Arc<History>>,
    journal: Arc<Journal>,
    counted: Invocations,
    /// Is told each line of the function's log.
    reader: Option<Arc<dyn Extension>>,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Feed").field("journal", &self.journal).finish_non_exhaustive()
    }
}

/// The newest finished attempts, bounded in number and in bytes.
#[derive(Debug, Default)]
struct Memory {
    records: VecDeque<InvocationRecord>,
    bytes: usize,
}

impl Memory {
    fn push(&mut self, record: InvocationRecord) {
        let size = |record: &InvocationRecord| record.log.iter().map(String::len).sum::<usize>();
        self.bytes += size(&record);
        self.records.push_back(record);
        while self.records.len() > REMEMBERED || (self.bytes > REMEMBERED_BYTES && self.records.len() > 1) {
            let oldest = self.records.pop_front();
            self.bytes -= oldest.as_ref().map_or(0, size);
        }
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self::new()
    }
}

impl Feed {
    /// A feed that nothing happened on yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            live: broadcast::channel(BACKLOG).0,
            finished: Arc::default(),
            history: None,
            journal: Arc::new(Journal::new()),
            counted: Invocations::default(),
            reader: None,
        }
    }

    /// The feed of the cloud in `folder`, which remembers the attempts that
    /// finished before this start; `reader` is told the lines of log.
    ///
    /// # Errors
    /// What is remembered cannot be read.
    pub(crate) fn open(folder: &Path, reader: Option<Arc<dyn Extension>>) -> io::Result<Self> {
        let (history, found) = History::open(folder)?;
        let feed = Self { reader, history: Some(Arc::new(history)), ..Self::new() };
        for record in found {
            feed.memory().push(record);
        }
        Ok(feed)
    }

    /// What was counted so far.
    pub(crate) fn counted(&self) -> &Invocations {
        &self.counted
    }

    /// Says that something happened.
    pub fn send(&self, activity: Activity) {
        if let Activity::Finished(record) = &activity {
            self.memory().push(record.clone());
            if let Some(history) = &self.history {
                history.note(record);
            }
        }
        if let (Activity::Log { line, .. }, Some(reader)) = (&activity, &self.reader) {
            reader.logged(line);
        }
        self.counted.note(&activity);
        let activity = Arc::new(activity);
        self.journal.note(&activity);
        // Nobody listening is fine.
        let _ = self.live.send(activity);
    }

    /// Everything from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Activity>> {
        self.live.subscribe()
    }

    /// The newest finished attempts, oldest first.
    #[must_use]
    pub fn finished(&self) -> Vec<InvocationRecord> {
        self.memory().records.iter().cloned().collect()
    }

    /// What happened lately, by number.
    #[must_use]
    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the records of an S3 event name, for people: `ObjectCreated:Put b/k`.
pub(crate) fn subjects(payload: &[u8]) -> Vec<String> {
    let Ok(event) = serde_json::from_slice::<Value>(payload) else { return Vec::new() };
    let Some(records) = event["Records"].as_array() else { return Vec::new() };
    records
        .iter()
        .filter_map(|record| {
            let name = record["eventName"].as_str()?;
            let bucket = record["s3"]["bucket"]["name"].as_str()?;
            let key = record["s3"]["object"]["key"].as_str()?.replace('+', " ");
            let key = percent_encoding::percent_decode_str(&key).decode_utf8_lossy();
            Some(format!("{name} {bucket}/{key}"))
        })
        .collect()
}
