//! What the worker counts, in the words of Prometheus: what the handler did, as
//! `minilab up` counts it, and what became of the events. Owns the registry;
//! decides nothing.

use std::sync::Arc;

use minilab_handler::{Account, Batch};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::metrics::Metrics as Handled;

/// The media type of [`Metrics::text`] (OpenMetrics 1.0).
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the inbox holds, as a scrape finds it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct InboxCounts {
    /// Events that wait or are worked on.
    pub(super) waiting: i64,
    /// Events that were given up.
    pub(super) dead: i64,
}

#[derive(Debug, Default)]
pub(super) struct Metrics {
    registry: Registry,
    handled: Handled,
    refused: Family<[(&'static str, &'static str); 1], Counter>,
    redelivered: Counter,
    dead: Counter,
    in_flight: Gauge,
    inbox: Gauge,
    dead_letters: Gauge,
    reserved: Gauge,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut metrics = Self::default();
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        self.handled.register(&mut self.registry);
        let registry = self.registry.sub_registry_with_prefix("minilab");
        registry.register("webhook_refused", "Requests that were not taken, by reason", self.refused.clone());
        registry.register("redelivered", "Events left for another try", self.redelivered.clone());
        registry.register("dead", "Events given up and kept as dead letters", self.dead.clone());
        registry.register("in_flight", "Events that are worked on", self.in_flight.clone());
        registry.register("inbox_depth", "Events of the inbox that are not done", self.inbox.clone());
        registry.register("dead_letters", "Dead letters that are kept", self.dead_letters.clone());
        registry.register_with_unit(
            "memory_reserved",
            "Memory reserved by pictures under way",
            Unit::Bytes,
            self.reserved.clone(),
        );
    }

    /// A key that was left in a final state; the wait for memory is no part of
    /// its time.
    pub(super) fn settled(&self, account: &Account) {
        self.handled.add(&Batch::of([account]));
    }

    /// A key that was not finished, or a record that is none: `retried`,
    /// `refused`, `ignored` or `unreadable`.
    pub(super) fn event(&self, result: &str) {
        self.handled.event(result);
    }

    pub(super) fn redelivered(&self) {
        self.redelivered.inc();
    }

    pub(super) fn died(&self) {
        self.dead.inc();
    }

    /// A request that the webhook did not take.
    pub(super) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&[("reason", reason)]).inc();
    }

    /// Counts an event as in flight until the guard is dropped.
    pub(super) fn flight(self: &Arc<Self>) -> Flight {
        self.in_flight.inc();
        Flight(Arc::clone(self))
    }

    /// The whole registry as OpenMetrics text.
    pub(super) fn text(&self, inbox: InboxCounts, reserved: u64) -> String {
        self.inbox.set(inbox.waiting);
        self.dead_letters.set(inbox.dead);
        self.reserved.set(i64::try_from(reserved).unwrap_or(i64::MAX));
        let mut text = String::new();
        #[expect(clippy::expect_used, reason = "a String takes everything")]
        encode(&mut text, &self.registry).expect("metrics are text");
        text
    }
}

/// See [`Metrics::flight`].
pub(super) struct Flight(Arc<Metrics>);

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minilab_handler::{Outcome, State, Timings};
    use std::collections::BTreeMap;
    use std::time::Duration;

    #[test]
    fn names_are_those_that_dashboards_use() {
        let metrics = Arc::new(Metrics::new());
        let outcome = Outcome {
            state: State::Rejected { code: "not-an-image", reason: "text".to_owned() },
            rounds: 1,
            written: 1,
            deleted: 0,
            bytes_in: 10,
            bytes_out: 5,
            formats: BTreeMap::from([("webp", 1)]),
            retries: 4,
            in_doubt: false,
            timings: Timings { get: Duration::from_millis(20), ..Timings::default() },
        };
        let (bucket, key) = ("b".to_owned(), "k".to_owned());
        metrics.settled(&Account { bucket, key, outcome, elapsed: Duration::from_millis(30) });
        metrics.event("retried");
        metrics.redelivered();
        metrics.died();
        metrics.refused("token");
        let flight = metrics.flight();
        let text = metrics.text(InboxCounts { waiting: 3, dead: 2 }, 1 << 20);
        for line in [
            "minilab_events_total{result=\"rejected\"} 1",
            "minilab_prints_total{format=\"webp\"} 1",
            "minilab_source_bytes_total 10",
            "minilab_print_bytes_total 5",
            "minilab_rejected_total{reason=\"not-an-image\"} 1",
            "minilab_events_total{result=\"retried\"} 1",
            "minilab_retries_total 4",
            "minilab_redelivered_total 1",
            "minilab_dead_total 1",
            "minilab_webhook_refused_total{reason=\"token\"} 1",
            "minilab_reconcile_seconds_count 1",
            "minilab_stage_seconds_bucket{le=\"0.025\",stage=\"get\"} 1",
            "minilab_in_flight 1",
            "minilab_inbox_depth 3",
            "minilab_dead_letters 2",
            "minilab_memory_reserved_bytes 1048576",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        drop(flight);
        assert!(metrics.text(InboxCounts::default(), 0).contains("minilab_in_flight 0\n"));
    }
}
