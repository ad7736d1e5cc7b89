//! What the worker counts, in the words of Prometheus. Owns the registry and
//! every metric's name; decides nothing.

use std::sync::Arc;
use std::time::Duration;

use minilab_handler::store::{Head, Object, Page, Put, StoreError};
use minilab_handler::{Outcome, State, Store};
use minilab_imaging::recipe::REPORT_PREFIX;
use minilab_lambda::S3Store;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// One label.
type Labelled<M> = Family<Vec<(&'static str, String)>, M>;

/// A histogram for each stage, all with the same buckets.
type Stages = Family<Vec<(&'static str, String)>, Histogram, fn() -> Histogram>;

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

#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    events: Labelled<Counter>,
    prints: Labelled<Counter>,
    rejected: Labelled<Counter>,
    refused: Labelled<Counter>,
    source_bytes: Counter,
    print_bytes: Counter,
    retries: Counter,
    dead: Counter,
    reconcile: Histogram,
    stages: Stages,
    in_flight: Gauge,
    inbox: Gauge,
    dead_letters: Gauge,
    reserved: Gauge,
}

/// From 5 ms to 164 s.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.005, 2.0, 16))
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("minilab"),
            events: Family::default(),
            prints: Family::default(),
            rejected: Family::default(),
            refused: Family::default(),
            source_bytes: Counter::default(),
            print_bytes: Counter::default(),
            retries: Counter::default(),
            dead: Counter::default(),
            reconcile: seconds(),
            stages: Family::new_with_constructor(seconds),
            in_flight: Gauge::default(),
            inbox: Gauge::default(),
            dead_letters: Gauge::default(),
            reserved: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let Self { registry, .. } = self;
        registry.register("events", "Keys and records by what became of them", self.events.clone());
        registry.register("prints", "Prints stored, by format", self.prints.clone());
        registry.register("rejected", "Sources rejected with a report, by code", self.rejected.clone());
        registry.register("webhook_refused", "Requests that were not taken, by reason", self.refused.clone());
        registry.register_with_unit("source", "Sources read", Unit::Bytes, self.source_bytes.clone());
        registry.register_with_unit("print", "Prints stored", Unit::Bytes, self.print_bytes.clone());
        registry.register("retries", "Events left for another try", self.retries.clone());
        registry.register("dead", "Events given up and kept as dead letters", self.dead.clone());
        registry.register_with_unit(
            "reconcile",
            "Time from an event's turn to the key's last write, the wait for memory excluded",
            Unit::Seconds,
            self.reconcile.clone(),
        );
        registry.register_with_unit(
            "stage",
            "Where the time of a reconciled key went; render is part of render_and_put",
            Unit::Seconds,
            self.stages.clone(),
        );
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

    /// A key that was left in a final state.
    pub(super) fn settled(&self, outcome: &Outcome, elapsed: Duration) {
        self.event(outcome.state.word());
        if let State::Rejected { code, .. } = outcome.state {
            self.rejected.get_or_create(&vec![("reason", code.to_owned())]).inc();
        }
        self.reconcile.observe(elapsed.as_secs_f64());
        let timings = &outcome.timings;
        for (stage, time) in [
            ("get", timings.get),
            ("render", timings.render),
            ("render_and_put", timings.render_and_put),
            ("tidy", timings.tidy),
            ("settle", timings.settle),
        ] {
            self.stages.get_or_create(&vec![("stage", stage.to_owned())]).observe(time.as_secs_f64());
        }
    }

    /// `printed`, `absent`, `rejected`, `ignored`, `failed` or `unreadable`.
    pub(super) fn event(&self, result: &str) {
        self.events.get_or_create(&vec![("result", result.to_owned())]).inc();
    }

    pub(super) fn retried(&self) {
        self.retries.inc();
    }

    pub(super) fn died(&self) {
        self.dead.inc();
    }

    /// A request that the webhook did not take.
    pub(super) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&vec![("reason", reason.to_owned())]).inc();
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

/// The buckets, with what goes through them counted: a key's outcome does not
/// say in which formats its prints were stored.
#[derive(Debug)]
pub(super) struct Counted {
    store: Arc<S3Store>,
    metrics: Arc<Metrics>,
}

impl Counted {
    pub(super) const fn new(store: Arc<S3Store>, metrics: Arc<Metrics>) -> Self {
        Self { store, metrics }
    }
}

impl Store for Counted {
    async fn get(&self, bucket: &str, key: &str, max_bytes: u64) -> Result<Option<Object>, StoreError> {
        let found = self.store.get(bucket, key, max_bytes).await?;
        if let Some(Object::Whole { head, .. }) = &found {
            self.metrics.source_bytes.inc_by(head.size);
        }
        Ok(found)
    }

    async fn head(&self, bucket: &str, key: &str) -> Result<Option<Head>, StoreError> {
        self.store.head(bucket, key).await
    }

    async fn put(&self, bucket: &str, key: &str, put: Put) -> Result<(), StoreError> {
        let (size, media) = (put.bytes.len() as u64, put.content_type);
        self.store.put(bucket, key, put).await?;
        if !key.starts_with(REPORT_PREFIX) {
            // "image/jpeg" and "application/json" end in the format's name.
            let format = media.rsplit('/').next().unwrap_or(media);
            self.metrics.prints.get_or_create(&vec![("format", format.to_owned())]).inc();
            self.metrics.print_bytes.inc_by(size);
        }
        Ok(())
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        self.store.delete(bucket, key).await
    }

    async fn list(&self, bucket: &str, prefix: &str, from: Option<&str>) -> Result<Page, StoreError> {
        self.store.list(bucket, prefix, from).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minilab_handler::Timings;
    use std::collections::BTreeMap;

    #[test]
    fn names_are_those_that_dashboards_use() {
        let metrics = Arc::new(Metrics::new());
        let outcome = Outcome {
            state: State::Rejected { code: "not-an-image", reason: "text".to_owned() },
            rounds: 1,
            written: 0,
            deleted: 0,
            bytes_in: 10,
            bytes_out: 0,
            formats: BTreeMap::new(),
            retries: 0,
            timings: Timings { get: Duration::from_millis(20), ..Timings::default() },
        };
        metrics.settled(&outcome, Duration::from_millis(30));
        metrics.retried();
        metrics.died();
        metrics.refused("token");
        metrics.source_bytes.inc_by(10);
        metrics.print_bytes.inc_by(5);
        metrics.prints.get_or_create(&vec![("format", "webp".to_owned())]).inc();
        let flight = metrics.flight();
        let text = metrics.text(InboxCounts { waiting: 3, dead: 2 }, 1 << 20);
        for line in [
            "minilab_events_total{result=\"rejected\"} 1",
            "minilab_prints_total{format=\"webp\"} 1",
            "minilab_source_bytes_total 10",
            "minilab_print_bytes_total 5",
            "minilab_rejected_total{reason=\"not-an-image\"} 1",
            "minilab_retries_total 1",
            "minilab_dead_total 1",
            "minilab_webhook_refused_total{reason=\"token\"} 1",
            "minilab_reconcile_seconds_count 1",
            "minilab_stage_seconds_bucket{le=\"0.02\",stage=\"get\"} 1",
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
