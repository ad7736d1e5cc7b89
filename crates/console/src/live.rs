//! Server-sent events: what happens, numbered, from where the reader stopped.
//!
//! Owns: replaying what a reader missed, and saying `resync` to one that
//! missed more than is kept or comes from before a restart. Refuses: losing or
//! repeating an event within one run.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::answer::blocking;
use crate::gallery;
use crate::shared::{Console, Shared};
use minilab_local::activity::{Activity, Journal};
use minilab_local::lambda::InvocationRecord;

/// How many entries are taken from the journal at once.
const BATCH: usize = 256;

struct Reader {
    shared: Arc<Shared>,
    journal: Arc<Journal>,
    changes: watch::Receiver<u64>,
    stop: CancellationToken,
    /// The number of the last entry taken; `None` when the reader has to begin anew.
    taken: Option<u64>,
    waiting: VecDeque<(u64, Arc<Activity>)>,
}

/// The stream after the entry `last`, an id that the reader was given; from
/// now on without one.
pub(crate) fn stream(
    shared: &Arc<Shared>,
    last: Option<&str>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let journal = Arc::clone(shared.console.observer.journal());
    let changes = journal.watch();
    let taken = match last {
        None => Some(*changes.borrow()),
        Some(id) => journal.number(id),
    };
    let reader = Reader {
        shared: Arc::clone(shared),
        journal,
        changes,
        stop: shared.stop.clone(),
        taken,
        waiting: VecDeque::new(),
    };
    let events = futures::stream::unfold(reader, |mut reader| async move {
        reader.next().await.map(|event| (Ok(event), reader))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(10)))
}

impl Reader {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((number, activity)) = self.waiting.pop_front() {
                match Event::default()
                    .id(self.journal.name(number))
                    .json_data(shown(&activity, &self.shared).await)
                {
                    Ok(event) => return Some(event),
                    Err(error) => tracing::warn!(%error, "an event cannot be shown"),
                }
                continue;
            }
            let newest = *self.changes.borrow_and_update();
            match self.taken.and_then(|taken| self.journal.after(taken, BATCH)) {
                None => {
                    self.taken = Some(newest);
                    let position = self.journal.name(newest);
                    return Some(Event::default().id(position).data(json!({ "type": "resync" }).to_string()));
                }
                Some(entries) if entries.is_empty() => tokio::select! {
                    // What happened before the end is still said.
                    biased;
                    changed = self.changes.changed() => changed.ok()?,
                    () = self.stop.cancelled() => return None,
                },
                Some(entries) => {
                    self.taken = entries.last().map(|(number, _)| *number);
                    self.waiting.extend(entries);
                }
            }
        }
    }
}

/// A finished attempt as the page gets it: with what became of each object. Blocks.
pub(crate) fn finished(console: &Console, record: &InvocationRecord) -> Value {
    let mut value = json!(record);
    value["results"] = json!(gallery::results(console, record));
    value
}

/// An event as the page gets it.
async fn shown(activity: &Arc<Activity>, shared: &Arc<Shared>) -> Value {
    let value = json!(&**activity);
    if !matches!(&**activity, Activity::Finished(_)) {
        return value;
    }
    let (activity, asked) = (Arc::clone(activity), Arc::clone(shared));
    let full = blocking(move || match &*activity {
        Activity::Finished(record) => Some(finished(&asked.console, record)),
        _ => None,
    });
    let Ok(Some(mut full)) = full.await else { return value };
    full["type"] = value["type"].clone();
    full
}
