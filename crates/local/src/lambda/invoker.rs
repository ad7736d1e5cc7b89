//! Asynchronous invocation: takes events from the queue, runs them, tries
//! again, gives up.
//!
//! Owns: when an attempt happens and what a failed one leads to. Refuses:
//! losing an event; it leaves the queue only when the function handled it or
//! in the same transaction that files it with the failure destination.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::environment::{Attempt, until_true};
use super::outcome::{Condition, envelope};
use super::pool::{Pool, Slot};
use super::{Failure, FunctionSpec, InvocationRecord, Outcome};
use crate::activity::{Activity, subjects};
use crate::clock::now_ms;
use crate::database::Database;
use crate::lineage::{LONGEST_CHAIN, Lineage};
use crate::queue::{self, Added, Counts, FailedEvent, Lease, Leased, UnderWay};

/// What is under way.
pub type Pending = Counts;

/// How long a warm environment may wait for its next event.
const MOST_IDLE: Duration = Duration::from_mins(5);
/// How long to wait before asking a database again that failed.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);

/// The asynchronous (and, for tests, synchronous) callers' side of a function.
pub struct Invoker {
    database: Arc<Database>,
    pool: Arc<Pool>,
    /// Counts up at every change of the queue.
    changes: watch::Sender<u64>,
    direct: AtomicU64,
    closing: watch::Sender<bool>,
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Invoker {
    /// An invoker over a database that holds [`queue::SCHEMA`]. `changes` is
    /// also what whoever enqueues counts up.
    #[must_use]
    pub fn new(database: Arc<Database>, pool: Arc<Pool>, changes: watch::Sender<u64>) -> Arc<Self> {
        Arc::new(Self {
            database,
            pool,
            changes,
            direct: AtomicU64::new(0),
            closing: watch::Sender::new(false),
        })
    }

    fn function(&self) -> &str {
        &self.pool.spec().name
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> rusqlite::Result<T> {
        let this = Arc::clone(self);
        match tokio::task::spawn_blocking(move || this.database.write(work)).await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> rusqlite::Result<T> {
        let this = Arc::clone(self);
        match tokio::task::spawn_blocking(move || this.database.look(work)).await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Gives back what an earlier process had leased when it died; to be called
    /// once, before [`Invoker::work`].
    pub async fn recover(self: &Arc<Self>) -> rusqlite::Result<()> {
        let count = self.write(|tx| queue::recover(tx, now_ms())).await?;
        if count > 0 {
            tracing::info!(count, "interrupted invocations are queued again");
        }
        Ok(())
    }

    /// Works until [`Invoker::close`].
    pub async fn work(self: Arc<Self>) {
        // Both hold this invoker, and must not outlive an aborted worker.
        let _announcer = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&self).announce()));
        let _reaper = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&self).reap()));
        let mut running = JoinSet::new();
        let mut closing = self.closing.subscribe();
        loop {
            while running.try_join_next().is_some() {}
            let slot = tokio::select! {
                slot = self.pool.slot() => slot,
                () = until_true(&mut closing) => None,
            };
            let Some(slot) = slot else { break };
            let mut changes = self.changes.subscribe();
            let function = self.function().to_owned();
            let maximum_age = millis(self.pool.spec().maximum_event_age);
            let pause = match self.write(move |tx| queue::lease(tx, &function, now_ms(), maximum_age)).await {
                Ok(Lease::Run(leased)) if leased.lineage.depth > LONGEST_CHAIN => {
                    self.cut_loop(leased).await;
                    continue;
                }
                Ok(Lease::Run(leased)) => {
                    self.changed();
                    running.spawn(Arc::clone(&self).handle(slot, leased));
                    continue;
                }
                Ok(Lease::Expired(leased)) => {
                    let response = leased.response.clone();
                    let attempts = leased.attempt - 1;
                    self.give_up(leased, Condition::EventAgeExceeded, attempts, response).await;
                    continue;
                }
                Ok(Lease::Nothing(due)) => {
                    due.map(|due| Duration::from_millis(due.saturating_sub(now_ms()).max(1) as u64))
                }
                Err(error) => {
                    tracing::error!(%error, "the queue cannot be read; trying again");
                    Some(PAUSE_AFTER_ERROR)
                }
            };
            drop(slot);
            let wait = async {
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {}
                _ = changes.changed() => {}
                () = until_true(&mut closing) => break,
            }
        }
        while running.join_next().await.is_some() {}
    }

    async fn reap(self: Arc<Self>) {
        loop {
            tokio::time::sleep(MOST_IDLE / 5).await;
            self.pool.retire(MOST_IDLE).await;
        }
    }

    /// Says on the feed what was queued since the start.
    async fn announce(self: Arc<Self>) {
        const BATCH: u32 = 100;
        let mut changes = self.changes.subscribe();
        changes.mark_changed();
        let mut seen = 0;
        while changes.changed().await.is_ok() {
            loop {
                let function = self.function().to_owned();
                let Ok(added) = self.read(move |c| queue::added_since(c, &function, seen, BATCH)).await
                else {
                    break;
                };
                let full = added.len() == BATCH as usize;
                for Added { id, request_id, payload, created_ms } in added {
                    seen = id;
                    self.pool.feed().send(Activity::Queued {
                        request_id,
                        subjects: subjects(&payload),
                        created_ms,
                    });
                }
                if !full {
                    break;
                }
            }
        }
    }

    async fn handle(self: Arc<Self>, slot: Slot, leased: Leased) {
        let attempt = Attempt {
            request_id: leased.request_id.clone(),
            number: leased.attempt,
            payload: Bytes::from(leased.payload.clone()),
            lineage: leased.lineage.clone(),
        };
        let (_, outcome) = self.pool.run(slot, &attempt).await;
        let id = leased.id;
        match outcome {
            Outcome::Success(_) => {
                self.settle(id, move |tx| queue::complete(tx, id)).await;
            }
            Outcome::Interrupted => {
                self.settle(id, move |tx| queue::release(tx, id)).await;
            }
            Outcome::Failure(failure) => self.failed(leased, failure).await,
        }
        self.changed();
    }

    async fn failed(self: &Arc<Self>, leased: Leased, failure: Failure) {
        let spec = self.pool.spec();
        if leased.attempt > spec.retries {
            let attempts = leased.attempt;
            let response = Some(failure.payload.to_vec());
            self.give_up(leased, Condition::RetriesExhausted, attempts, response).await;
            return;
        }
        // Not later than the age limit, so that an event that will be too old
        // is filed when it is, not a delay later.
        let limit = leased.created_ms.saturating_add(millis(spec.maximum_event_age));
        let due_ms = now_ms().saturating_add(millis(spec.delay_after(leased.attempt))).min(limit);
        let id = leased.id;
        let response = failure.payload.to_vec();
        self.settle(id, move |tx| queue::retry(tx, id, due_ms, &response)).await;
        tracing::info!(
            request_id = leased.request_id,
            attempt = leased.attempt,
            because = failure.error_type,
            due_ms,
            "the invocation failed and will be tried again"
        );
        self.pool.feed().send(Activity::RetryScheduled {
            request_id: leased.request_id,
            attempt: leased.attempt,
            due_ms,
            because: failure.error_type,
        });
    }

    /// The event closes a loop: it is filed without being run.
    async fn cut_loop(self: &Arc<Self>, leased: Leased) {
        let message = format!(
            "the function wrote an object that starts it again, {LONGEST_CHAIN} times in a row since request {}; \
             let it write to another bucket, or to keys that no trigger matches",
            leased.lineage.root
        );
        let attempts = leased.attempt - 1;
        let response = json!({ "errorType": Condition::RecursiveInvocation.name(), "errorMessage": message })
            .to_string();
        self.give_up(leased, Condition::RecursiveInvocation, attempts, Some(response.into_bytes())).await;
    }

    async fn give_up(
        self: &Arc<Self>,
        leased: Leased,
        condition: Condition,
        attempts: u32,
        response: Option<Vec<u8>>,
    ) {
        let record = envelope(
            self.pool.identity(),
            &leased.request_id,
            condition,
            attempts,
            &leased.payload,
            response.as_deref(),
        );
        let (id, filed) = (leased.id, record.clone());
        self.settle(id, move |tx| queue::fail(tx, id, condition.name(), &filed, now_ms())).await;
        tracing::warn!(
            function = self.function(),
            request_id = leased.request_id,
            condition = condition.name(),
            attempts,
            error = %record["responsePayload"],
            "the event was given up and sent to the failure destination"
        );
        self.pool.feed().send(Activity::SentToDestination {
            request_id: leased.request_id,
            condition: condition.name().to_owned(),
            envelope: record,
        });
        self.changed();
    }

    /// Writes how an attempt ended, and does not give up while the process
    /// lives: otherwise the event would stay leased until the next start.
    async fn settle(
        self: &Arc<Self>,
        id: i64,
        work: impl Fn(&rusqlite::Transaction<'_>) -> rusqlite::Result<()> + Clone + Send + 'static,
    ) {
        loop {
            match self.write(work.clone()).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::error!(%error, id, "the end of an invocation cannot be written; trying again");
                }
            }
            let mut closing = self.closing.subscribe();
            tokio::select! {
                () = tokio::time::sleep(PAUSE_AFTER_ERROR) => {}
                // The next start finds the lease and runs the attempt again.
                () = until_true(&mut closing) => return,
            }
        }
    }

    /// Queues one event as an asynchronous invocation and wakes the worker.
    pub async fn enqueue(self: &Arc<Self>, payload: Vec<u8>) -> rusqlite::Result<()> {
        let function = self.function().to_owned();
        self.write(move |tx| queue::enqueue(tx, &function, &payload, now_ms(), None)).await?;
        self.changed();
        Ok(())
    }

    /// The same for many, in one transaction.
    pub async fn enqueue_all(self: &Arc<Self>, payloads: Vec<Vec<u8>>) -> rusqlite::Result<()> {
        let function = self.function().to_owned();
        self.write(move |tx| {
            payloads
                .iter()
                .try_for_each(|payload| queue::enqueue(tx, &function, payload, now_ms(), None).map(drop))
        })
        .await?;
        self.changed();
        Ok(())
    }

    /// Invocations that are queued, running or waiting, oldest first, at most `limit`.
    pub async fn under_way(self: &Arc<Self>, limit: u32) -> rusqlite::Result<Vec<UnderWay>> {
        let function = self.function().to_owned();
        self.read(move |c| queue::under_way(c, &function, limit)).await
    }

    /// Gives the function other environment variables: no invocation that
    /// begins from now on sees the earlier ones.
    pub async fn set_variables(&self, env: Vec<(String, String)>) {
        self.pool.set_variables(env).await;
    }

    /// The function as it was configured.
    pub fn spec(&self) -> &FunctionSpec {
        self.pool.spec()
    }

    /// Invokes synchronously: no queue, no retry.
    pub async fn invoke(self: &Arc<Self>, payload: Bytes) -> (InvocationRecord, Outcome) {
        struct Counted<'a>(&'a Invoker);
        impl Drop for Counted<'_> {
            fn drop(&mut self) {
                self.0.direct.fetch_sub(1, Ordering::AcqRel);
                self.0.changed();
            }
        }
        self.direct.fetch_add(1, Ordering::AcqRel);
        let _counted = Counted(self);
        let request_id = Uuid::new_v4().to_string();
        let lineage = Lineage::begin(&request_id);
        let attempt = Attempt { request_id, number: 1, payload, lineage };
        match self.pool.slot().await {
            Some(slot) => self.pool.run(slot, &attempt).await,
            None => self.pool.refuse(&attempt),
        }
    }

    /// How many invocations are where.
    pub async fn pending(self: &Arc<Self>) -> rusqlite::Result<Pending> {
        let function = self.function().to_owned();
        let mut counts = self.read(move |c| queue::counts(c, &function)).await?;
        counts.running += self.direct.load(Ordering::Acquire);
        Ok(counts)
    }

    /// Resolves when no invocation is queued, running or waiting for a retry.
    pub async fn idle(self: &Arc<Self>) -> rusqlite::Result<()> {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            let function = self.function().to_owned();
            let empty = self.read(move |c| queue::is_empty(c, &function)).await?;
            if empty && self.direct.load(Ordering::Acquire) == 0 {
                return Ok(());
            }
            if changes.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    /// The newest given-up events, newest first, at most `limit`.
    pub async fn failed_events(self: &Arc<Self>, limit: u32) -> rusqlite::Result<Vec<FailedEvent>> {
        let function = self.function().to_owned();
        self.read(move |c| queue::failed_events(c, &function, limit)).await
    }

    /// Queues a given-up event anew; false when there is no such event.
    pub async fn requeue(self: &Arc<Self>, failed_id: i64) -> rusqlite::Result<bool> {
        let found = self.write(move |tx| queue::requeue(tx, failed_id, now_ms())).await?;
        self.changed();
        Ok(found)
    }

    /// Queues every given-up event anew; returns how many there were.
    pub async fn redrive(self: &Arc<Self>) -> rusqlite::Result<u64> {
        let function = self.function().to_owned();
        let count = self.write(move |tx| queue::redrive(tx, &function, now_ms())).await?;
        self.changed();
        Ok(count)
    }

    /// Takes no more events; running ones are given `patience`, then killed
    /// and queued again for the next start.
    pub async fn close(&self, patience: Duration) {
        self.closing.send_replace(true);
        self.pool.close(patience).await;
    }
}
