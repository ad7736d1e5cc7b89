//! The numbered record of what happened lately, for readers that go away and
//! come back.
//!
//! Owns: numbers without gaps, and telling a reader that what it wants is no
//! longer there. Refuses: growing without bound; log lines, which the record
//! of a finished attempt repeats; allowed requests, of which there are too many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use uuid::Uuid;

use super::event::Activity;
use crate::iam::Effect;

/// How many entries are kept.
const MOST: usize = 8192;
/// How many bytes they may have together, roughly; above it the oldest go.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// An entry and its number; the first is 1.
pub type Entry = (u64, Arc<Activity>);

/// The newest entries of one run of the program.
#[derive(Debug)]
pub struct Journal {
    /// Tells this run's numbers from those of an earlier run.
    epoch: String,
    kept: Mutex<Kept>,
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: VecDeque<(Arc<Activity>, usize)>,
    bytes: usize,
    /// The number of the newest entry.
    newest: u64,
}

impl Journal {
    pub(crate) fn new() -> Self {
        let epoch = Uuid::new_v4().simple().to_string()[..12].to_owned();
        Self { epoch, kept: Mutex::default(), newest: watch::Sender::new(0) }
    }

    /// Notes it, unless it is of a kind that is not kept.
    pub(crate) fn note(&self, activity: &Arc<Activity>) {
        let Some(size) = size(activity) else { return };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.newest += 1;
        kept.bytes += size;
        kept.entries.push_back((Arc::clone(activity), size));
        while kept.entries.len() > MOST || (kept.bytes > MOST_BYTES && kept.entries.len() > 1) {
            kept.bytes -= kept.entries.pop_front().map_or(0, |(_, size)| size);
        }
        self.newest.send_replace(kept.newest);
    }

    /// Where the journal stands: `epoch-number`.
    #[must_use]
    pub fn position(&self) -> String {
        self.name(*self.newest.borrow())
    }

    /// An entry's id, as [`Journal::after`] takes it.
    #[must_use]
    pub fn name(&self, number: u64) -> String {
        format!("{}-{number}", self.epoch)
    }

    /// The number in an id of this run; `None` for any other text.
    #[must_use]
    pub fn number(&self, id: &str) -> Option<u64> {
        id.strip_prefix(&self.epoch)?.strip_prefix('-')?.parse().ok()
    }

    /// What came after entry `number`, oldest first, at most `limit`; `None`
    /// when some of it is gone, or when there is no such entry yet.
    #[must_use]
    pub fn after(&self, number: u64, limit: usize) -> Option<Vec<Entry>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = kept.newest - kept.entries.len() as u64;
        if number < oldest || number > kept.newest {
            return None;
        }
        let entries = kept.entries.iter().skip((number - oldest) as usize).take(limit);
        Some(
            entries.zip(number + 1..).map(|((activity, _), number)| (number, Arc::clone(activity))).collect(),
        )
    }

    /// Counts up with each entry.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
}

/// About how many bytes an entry holds; `None` for what is not kept.
fn size(activity: &Activity) -> Option<usize> {
    const BASE: usize = 512;
    Some(match activity {
        Activity::Log { .. } => return None,
        Activity::Decision(logged) if logged.decision.effect == Effect::Allow => return None,
        Activity::Finished(record) => BASE + record.log.iter().map(String::len).sum::<usize>(),
        Activity::SentToDestination { envelope, .. } => BASE + envelope.to_string().len(),
        Activity::Queued { subjects, .. } => BASE + subjects.iter().map(String::len).sum::<usize>(),
        Activity::Started { .. } | Activity::RetryScheduled { .. } | Activity::Decision(_) => BASE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(attempt: u32) -> Arc<Activity> {
        Arc::new(Activity::Started { request_id: "r".to_owned(), attempt })
    }

    fn numbers(journal: &Journal, after: u64) -> Option<Vec<u64>> {
        Some(journal.after(after, usize::MAX)?.into_iter().map(|(number, _)| number).collect())
    }

    #[test]
    fn a_reader_that_comes_back_gets_exactly_what_it_missed() {
        let journal = Journal::new();
        assert_eq!(numbers(&journal, 0), Some(vec![]));
        for attempt in 1..=5 {
            journal.note(&started(attempt));
        }
        assert_eq!(numbers(&journal, 0), Some(vec![1, 2, 3, 4, 5]));
        assert_eq!(numbers(&journal, 3), Some(vec![4, 5]));
        assert_eq!(numbers(&journal, 5), Some(vec![]));
        assert_eq!(journal.after(1, 2).unwrap().len(), 2);
        assert_eq!(journal.number(&journal.position()), Some(5));
    }

    #[test]
    fn what_is_gone_and_what_never_was_is_told_apart_from_nothing_new() {
        let journal = Journal::new();
        for attempt in 0..MOST as u32 + 10 {
            journal.note(&started(attempt));
        }
        assert_eq!(numbers(&journal, 9), None);
        assert_eq!(numbers(&journal, 10).unwrap().len(), MOST);
        assert_eq!(numbers(&journal, MOST as u64 + 11), None);
        for foreign in ["", "5", "-5", &Journal::new().position(), &format!("{}-x", journal.epoch)] {
            assert_eq!(journal.number(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn log_lines_are_not_kept_and_big_entries_push_out_old_ones() {
        let journal = Journal::new();
        journal.note(&Arc::new(Activity::Log { request_id: "r".to_owned(), line: "x".to_owned() }));
        assert_eq!(numbers(&journal, 0), Some(vec![]));
        for _ in 0..5 {
            journal.note(&Arc::new(Activity::Queued {
                request_id: "r".to_owned(),
                subjects: vec!["x".repeat(MOST_BYTES / 3)],
                created_ms: 0,
            }));
        }
        assert_eq!(numbers(&journal, 3), Some(vec![4, 5]));
    }
}
