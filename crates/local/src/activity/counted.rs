//! Events and invocations, counted as they happen.
//!
//! Owns: what each activity adds to. Refuses: the text; [`crate::metrics`]
//! registers the counters.

use std::fmt;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::event::Activity;
use crate::counters::Counters;

/// From 10 ms to the longest invocation.
const SECONDS: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 900.0];

/// Events and invocations.
#[derive(Clone)]
pub(crate) struct Invocations {
    pub(crate) queued: Counter,
    pub(crate) finished: Counters<1>,
    pub(crate) seconds: Histogram,
    pub(crate) retries: Counter,
    pub(crate) given_up: Counters<1>,
}

impl fmt::Debug for Invocations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Invocations").finish_non_exhaustive()
    }
}

impl Default for Invocations {
    fn default() -> Self {
        Self {
            queued: Counter::default(),
            finished: Family::default(),
            seconds: Histogram::new(SECONDS),
            retries: Counter::default(),
            given_up: Family::default(),
        }
    }
}

impl Invocations {
    /// Counts what happened.
    pub(crate) fn note(&self, activity: &Activity) {
        match activity {
            Activity::Queued { .. } => {
                self.queued.inc();
            }
            Activity::Finished(record) => {
                // A function's own error types are without bound.
                let outcome = match record.outcome.as_str() {
                    known @ ("success" | "interrupted") => known,
                    _ => "error",
                };
                self.finished.get_or_create(&[("outcome", outcome.to_owned())]).inc();
                self.seconds.observe(record.duration_ms / 1e3);
            }
            Activity::RetryScheduled { .. } => {
                self.retries.inc();
            }
            Activity::SentToDestination { condition, .. } => {
                self.given_up.get_or_create(&[("condition", condition.clone())]).inc();
            }
            Activity::Started { .. } | Activity::Log { .. } | Activity::Decision(_) => {}
        }
    }
}
