//! The inbox worked off: each event handled, then finished, kept for later, or
//! put aside. Owns how long an event is tried; refuses to drop one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::engine::{Engine, Settled, pause_of_event};
use super::inbox::{Entry, Inbox, Taken, now_ms};

/// Where the worker looks again when the inbox itself fails.
const TROUBLE: Duration = Duration::from_secs(1);

/// What every event of an inbox is worked on with.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) engine: Arc<Engine>,
    pub(super) inbox: Arc<Inbox>,
    /// An event older than this becomes a dead letter instead of being tried again.
    pub(super) maximum_age: Duration,
}

/// Takes events as they are due until `stop`; those under way are `tasks`.
pub(super) async fn work(desk: Desk, stop: CancellationToken, tasks: TaskTracker) {
    let places = Arc::new(Semaphore::new(desk.engine.at_once()));
    loop {
        desk.engine.lull(&stop).await;
        let place = tokio::select! {
            () = stop.cancelled() => return,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let Ok(place) = place else { return };
        let wait = match desk.inbox.take().await {
            Ok(Taken::Entry(entry)) => {
                let desk = desk.clone();
                tasks.spawn(async move {
                    desk.one(entry).await;
                    drop(place);
                });
                continue;
            }
            Ok(Taken::Nothing { due_ms }) => due_ms
                .map(|due| Duration::from_millis(u64::try_from(due.saturating_sub(now_ms())).unwrap_or(0))),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "no event can be taken");
                Some(TROUBLE)
            }
        };
        drop(place);
        let due = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = desk.inbox.change() => {}
            () = due => {}
        }
    }
}

impl Desk {
    async fn one(&self, entry: Entry) {
        let settled = self.engine.handle(&entry.body).await;
        // Until it is written: an event whose end is not on disk is still taken.
        loop {
            match self.settle(&entry, &settled).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "the end of an event cannot be kept");
                    tokio::time::sleep(TROUBLE).await;
                }
            }
        }
    }

    async fn settle(&self, entry: &Entry, settled: &Settled) -> anyhow::Result<()> {
        let Entry { id, received_ms, attempts, .. } = *entry;
        let metrics = self.engine.metrics();
        let (reason, pause) = match settled {
            Settled::Done => return self.inbox.finish(id).await,
            Settled::Unreadable { reason } => (reason, None),
            Settled::Again { reason, at_least } => {
                let age = u128::try_from(now_ms().saturating_sub(received_ms)).unwrap_or(0);
                let pause = pause_of_event(attempts).max(*at_least);
                (reason, (age < self.maximum_age.as_millis()).then_some(pause))
            }
        };
        if let Some(pause) = pause {
            self.inbox.later(id, pause).await?;
            metrics.redelivered();
            tracing::info!(attempts, pause_ms = pause.as_millis() as u64, "tried again later");
        } else {
            self.inbox.bury(id, reason.clone()).await?;
            metrics.died();
            tracing::error!(attempts, reason, "given up: kept as a dead letter");
        }
        Ok(())
    }
}
