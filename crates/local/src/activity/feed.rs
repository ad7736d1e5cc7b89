//! Where everything that happens is said, and who is told.
//!
//! Owns: the listeners and the bounded memory of the newest attempts. Refuses:
//! holding anything up; a listener that is too slow loses the oldest.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;

use super::counted::Invocations;
use super::event::Activity;
use super::history::{History, REMEMBERED};
use super::journal::Journal;
use crate::extension::Extension;
use crate::record::InvocationRecord;

/// How many bytes of log the remembered attempts may have together; above it the oldest go.
const REMEMBERED_BYTES: usize = 64 * 1024 * 1024;
/// How far behind a listener may be.
const BACKLOG: usize = 1024;

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
