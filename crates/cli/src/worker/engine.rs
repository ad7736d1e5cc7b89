//! One event, whatever brought it: its records read, each key reconciled, and
//! what is to be done with the event afterwards. Owns how many keys are worked
//! on at once and the pauses between tries; what a failure means is the
//! handler's verdict.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use minilab_handler::event::{self, Record};
use minilab_handler::verdict::{Failure, Verdict, decide};
use minilab_handler::{Account, Clock as _, Handler, Logged, Options, Outcome};
use minilab_imaging::{Limits, Recipe};
use minilab_s3_store::{S3Store, SystemClock, seed, uptime};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::budget::{Budget, Frugal};
use super::metrics::Metrics;

/// What is to be done with an event that was worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Settled {
    /// Every key is as its source is: acknowledge it.
    Done,
    /// Something failed that may succeed later: keep it.
    Again {
        /// For the person who runs the worker.
        reason: String,
        /// It must not be tried again sooner.
        at_least: Duration,
    },
    /// It, or a part of it, will never be understood: put it aside.
    Unreadable {
        /// For the person who wired the notifications.
        reason: String,
    },
}

/// The longest work on one key, its retries included: Lambda's longest.
const LONGEST: Duration = Duration::from_mins(15);

/// A write that got no answer may still happen, and must not do so after the
/// next try: Lambda waits as long before its first retry, and no connection that
/// was closed lives so long.
pub(super) const DOUBT: Duration = Duration::from_mins(1);

/// The longest pause between two tries of an event.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// The longest pause of the whole worker while everything fails.
const LONGEST_LULL: Duration = Duration::from_secs(30);

struct Bench {
    handler: Handler<Arc<S3Store>, Arc<Frugal>, SystemClock>,
    renderer: Arc<Frugal>,
}

/// The handlers at work, and what they share.
pub(super) struct Engine {
    recipe: Arc<Recipe>,
    budget: Budget,
    metrics: Arc<Metrics>,
    at_once: usize,
    free: mpsc::Sender<Bench>,
    benches: Mutex<mpsc::Receiver<Bench>>,
    /// Failures since something last succeeded.
    in_a_row: AtomicU32,
}

/// The pause after the `tried`-th try (1 is the first), at most `longest`:
/// doubled each time, and spread out so that what failed together does not
/// come again together.
pub(super) fn pause(tried: u32, longest: Duration) -> Duration {
    let full = Duration::from_secs(1_u64 << tried.saturating_sub(1).min(20)).min(longest);
    full.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// How long a key must be left alone, whatever it was that failed in the end.
const fn doubt(outcome: &Outcome) -> Duration {
    if outcome.in_doubt { DOUBT } else { Duration::ZERO }
}

/// The pause before the next try of an event that was tried `tried` times.
pub(super) fn pause_of_event(tried: u32) -> Duration {
    pause(tried, LONGEST_PAUSE)
}

impl Engine {
    /// `memory` in bytes bounds all pictures together; `count` bounds the keys
    /// at once, one for each core by default.
    pub(super) async fn start(
        recipe: Arc<Recipe>,
        store: Arc<S3Store>,
        metrics: Arc<Metrics>,
        memory: u64,
        count: Option<u32>,
    ) -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let at_once = count.map_or(cores, |count| count as usize);
        let (budget, limits) = Budget::new(memory, recipe.limits);
        let limits = Limits { threads: (cores / at_once).max(1), ..limits };
        let (free, benches) = mpsc::channel(at_once);
        for number in 0..at_once {
            let renderer = Arc::new(Frugal::new(uptime, budget.clone()));
            let seed = seed() ^ (number as u64).rotate_left(48);
            let options = Options { seed, ..Options::default() };
            let handler = Handler::new(
                Arc::clone(&recipe),
                limits,
                Arc::clone(&store),
                Arc::clone(&renderer),
                SystemClock::start(),
                options,
            );
            // Of that capacity, so that this does not wait.
            let _ = free.send(Bench { handler, renderer }).await;
        }
        Arc::new(Self {
            recipe,
            budget,
            metrics,
            at_once,
            free,
            benches: Mutex::new(benches),
            in_a_row: AtomicU32::new(0),
        })
    }

    pub(super) const fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(super) const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// How many events are worked on at once.
    pub(super) const fn at_once(&self) -> usize {
        self.at_once
    }

    /// While everything fails, waits before more is taken, so that a store that
    /// is away does not use up a queue's patience. Ends early on `stop`.
    pub(super) async fn lull(&self, stop: &CancellationToken) {
        let failures = self.in_a_row.load(Ordering::Relaxed);
        // Single failures are the events' own.
        if let Some(times) = failures.checked_sub(2) {
            let pause = pause(times, LONGEST_LULL);
            tracing::debug!(failures, pause_ms = pause.as_millis() as u64, "everything fails: waiting");
            let _ = tokio::time::timeout(pause, stop.cancelled()).await;
        }
    }

    /// Every one of `places` that is free, at least one and up to `most`, once
    /// there is no lull; `None` on `stop`.
    pub(super) async fn take(
        &self,
        places: &Arc<Semaphore>,
        most: usize,
        stop: &CancellationToken,
    ) -> Option<Vec<OwnedSemaphorePermit>> {
        self.lull(stop).await;
        let first = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            place = Arc::clone(places).acquire_owned() => place.ok()?,
        };
        let mut free = vec![first];
        while free.len() < most
            && let Ok(more) = Arc::clone(places).try_acquire_owned()
        {
            free.push(more);
        }
        Some(free)
    }

    /// Works on one event until it is settled.
    pub(super) async fn handle(&self, message: &[u8]) -> Settled {
        let _flight = self.metrics.flight();
        let records = match event::read(message) {
            Ok(records) => records,
            Err(error) => {
                self.metrics.event("unreadable");
                return Settled::Unreadable { reason: error.to_string() };
            }
        };
        let mut unreadable = None;
        let mut again: Option<(String, Duration)> = None;
        let mut keys = BTreeSet::new();
        for record in records {
            match record {
                Record::Hint(hint) if self.recipe.is_source(&hint.bucket, &hint.key) => {
                    keys.insert(hint.key);
                }
                Record::Hint(hint) => {
                    tracing::debug!(
                        bucket = hint.bucket,
                        key = hint.key,
                        "not a source of this recipe: ignored"
                    );
                    self.metrics.event("ignored");
                }
                Record::Nothing(name) => {
                    tracing::debug!(event = name, "an event that changes no bytes: acknowledged");
                    self.metrics.event("ignored");
                }
                Record::Unreadable(error) => {
                    self.metrics.event("unreadable");
                    unreadable = Some(error.to_string());
                }
            }
        }
        for key in keys {
            if let Err((failure, at_least)) = self.reconcile(&key).await {
                // Refused, too: whoever corrects the configuration does not send the events again.
                let result = if let Verdict::Refuse { reason } = decide(&failure) {
                    tracing::error!(key, reason, "the configuration is at fault");
                    "refused"
                } else {
                    "retried"
                };
                self.metrics.event(result);
                let before = again.map_or(Duration::ZERO, |(_, at_least)| at_least);
                again = Some((failure.to_string(), at_least.max(before)));
            }
        }
        match (again, unreadable) {
            (Some((reason, at_least)), _) => Settled::Again { reason, at_least },
            (None, Some(reason)) => Settled::Unreadable { reason },
            (None, None) => Settled::Done,
        }
    }

    /// A failure comes with how long the key must be left alone.
    async fn reconcile(&self, key: &str) -> Result<(), (Failure, Duration)> {
        let bench = self.benches.lock().await.recv().await;
        let Some(bench) = bench else { unreachable!("the sender is ours") };
        let result = self.within_budget(&bench, key).await;
        let _ = self.free.send(bench).await;
        match &result {
            Ok(()) => self.in_a_row.store(0, Ordering::Relaxed),
            Err((failure, _)) => {
                self.in_a_row.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(bucket = self.recipe.source.bucket, key, reason = %failure, "not finished");
            }
        }
        result
    }

    async fn within_budget(&self, bench: &Bench, key: &str) -> Result<(), (Failure, Duration)> {
        bench.renderer.reserve().await;
        let deadline = bench.handler.clock().now() + LONGEST;
        // On the heap, so that every future that awaits it stays small.
        let (account, failure) = Box::pin(bench.handler.attempt(key, deadline)).await;
        bench.renderer.release();
        if let Some(failure) = failure {
            return Err((failure, doubt(&account.outcome)));
        }
        self.log(&account);
        Ok(())
    }

    fn log(&self, account: &Account) {
        self.metrics.settled(account);
        Logged::of(account).for_each(|line| line.brief().write());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_whose_write_may_still_happen_is_left_alone_for_a_minute() {
        assert_eq!(doubt(&Outcome { in_doubt: true, ..Outcome::default() }), DOUBT);
        assert_eq!(doubt(&Outcome::default()), Duration::ZERO);
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_are_spread_out() {
        for (tried, full) in [(1, 1), (2, 2), (3, 4), (8, 128), (9, 256), (10, 300), (4_000_000_000, 300)] {
            for _ in 0..100 {
                let pause = pause_of_event(tried).as_secs_f64();
                let full = f64::from(full);
                assert!((full / 2.0..=full).contains(&pause), "{tried}: {pause}");
            }
        }
    }
}
