//! What the small cloud counts, as `OpenMetrics` text: what Prometheus reads at
//! `/metrics` of the console.
//!
//! Owns: the cloud's metrics and their text. Refuses: names of objects and of
//! callers, of which there is no bound, and whatever is particular to the
//! function: an [`Extension`] registers that.
//!
//! Source: the `OpenMetrics` specification, 1.0.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::activity::Invocations;
use crate::counters::{Counters, Labels};
use crate::extension::Extension;
use crate::queue::Counts;

/// What `/metrics` answers with.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that is counted.
pub(crate) struct Metrics {
    registry: Registry,
    /// Set when it is asked for; one at a time, so that no text mixes two states.
    events: Mutex<Family<Labels<1>, Gauge>>,
}

impl Metrics {
    pub(crate) fn new(
        invocations: &Invocations,
        requests: &Counters<2>,
        denied: &Counters<1>,
        extension: Option<&dyn Extension>,
    ) -> Self {
        let mut registry = Registry::default();
        let cloud = registry.sub_registry_with_prefix("minilab_cloud");
        let events = Family::<Labels<1>, Gauge>::default();
        cloud.register("events", "Events now, by where they are", events.clone());
        let Invocations { queued, finished, seconds, retries, given_up } = invocations.clone();
        cloud.register("events_queued", "Events that were queued", queued);
        cloud.register("events_given_up", "Events sent to the failure destination, by why", given_up);
        cloud.register("invocations", "Attempts that ended, by how", finished);
        cloud.register("invocation_seconds", "How long attempts took", seconds);
        cloud.register("invocation_retries", "Failed attempts that are repeated", retries);
        cloud.register("s3_requests", "Requests to S3, by operation and status", requests.clone());
        cloud.register("denied", "Requests that a policy did not allow, by action", denied.clone());
        if let Some(extension) = extension {
            extension.register(&mut registry);
        }
        Self { registry, events: Mutex::new(events) }
    }

    /// The text, with the queue as it is now.
    pub(crate) fn text(&self, counts: &Counts) -> Result<String, fmt::Error> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        for (state, count) in [
            ("queued", counts.queued),
            ("running", counts.running),
            ("waiting", counts.waiting),
            ("given_up", counts.failed),
        ] {
            events
                .get_or_create(&[("state", state.to_owned())])
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::Activity;
    use std::fmt::Write as _;

    #[test]
    fn what_happened_is_counted_and_told_as_openmetrics() {
        let (invocations, requests, denied) = <(Invocations, Counters<2>, Counters<1>)>::default();
        let metrics = Metrics::new(&invocations, &requests, &denied, None);
        let queued = Activity::Queued { request_id: "r".to_owned(), subjects: Vec::new(), created_ms: 0 };
        invocations.note(&queued);
        invocations.note(&queued);
        let because = "Minilab.Retry".to_owned();
        invocations.note(&Activity::RetryScheduled {
            request_id: "r".to_owned(),
            attempt: 1,
            due_ms: 0,
            because,
        });
        let get = [("operation", "GetObject".to_owned()), ("status", "200".to_owned())];
        requests.get_or_create(&get).inc();
        denied.get_or_create(&[("action", "s3:PutObject".to_owned())]).inc();
        let counts = Counts { queued: 2, running: 0, waiting: 1, failed: 0 };
        let text = metrics.text(&counts).unwrap();
        for line in [
            "# TYPE minilab_cloud_events gauge",
            "minilab_cloud_events{state=\"queued\"} 2",
            "minilab_cloud_events{state=\"waiting\"} 1",
            "minilab_cloud_events_queued_total 2",
            "minilab_cloud_invocation_retries_total 1",
            "minilab_cloud_s3_requests_total{operation=\"GetObject\",status=\"200\"} 1",
            "minilab_cloud_denied_total{action=\"s3:PutObject\"} 1",
            "minilab_cloud_invocation_seconds_bucket{le=\"+Inf\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");

    /// Refreshed by `MINILAB_BLESS=1`.
    #[test]
    fn the_operations_page_lists_every_metric() {
        let (invocations, requests, denied) = <(Invocations, Counters<2>, Counters<1>)>::default();
        let some = || "…".to_owned();
        invocations.finished.get_or_create(&[("outcome", some())]).inc();
        invocations.given_up.get_or_create(&[("condition", some())]).inc();
        requests.get_or_create(&[("operation", some()), ("status", some())]).inc();
        denied.get_or_create(&[("action", some())]).inc();
        let text = Metrics::new(&invocations, &requests, &denied, None).text(&Counts::default()).unwrap();
        let mut table = "| metric | what it counts |\n|---|---|\n".to_owned();
        for line in text.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
            let (family, meaning) = line.split_once(' ').unwrap();
            let sample = text.lines().find(|line| line.starts_with(family)).unwrap();
            let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
            let name = name.split(' ').next().unwrap().trim_end_matches("_sum");
            let labels: Vec<&str> =
                labels.split(',').filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            writeln!(table, "| `{name}{labels}` | {} |", meaning.trim_end_matches('.')).unwrap();
        }
        let found = std::fs::read_to_string(PAGE).unwrap();
        let (begin, end) = ("<!-- cloud: MINILAB_BLESS=1 cargo test -->\n\n", "\n<!-- /cloud -->");
        let (head, rest) = found.split_once(begin).unwrap();
        let (_, tail) = rest.split_once(end).unwrap();
        let page = format!("{head}{begin}{table}{end}{tail}");
        if option_env!("MINILAB_BLESS").is_some() {
            std::fs::write(PAGE, page).unwrap();
            return;
        }
        assert!(found == page, "docs/operations.md is stale: MINILAB_BLESS=1 cargo test -p minilab-local");
    }
}
