//! What the handler did, as counters for Prometheus: the same numbers that the
//! function writes for CloudWatch.
//!
//! Owns: the metrics' names and meanings. Refuses: keys; each value of a label
//! is a series of its own.

use minilab_handler::Batch;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// A counter for each value of one label.
type By = Family<[(&'static str, String); 1], Counter>;
/// A distribution for each stage.
type Stages = Family<[(&'static str, String); 1], Histogram, fn() -> Histogram>;

/// From a millisecond to a minute.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0];

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

/// Everything that is counted about sources and prints.
#[derive(Debug)]
pub(crate) struct Metrics {
    events: By,
    prints: By,
    deleted: Counter,
    source_bytes: Counter,
    print_bytes: Counter,
    rejected: By,
    retries: Counter,
    reconcile: Histogram,
    stages: Stages,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            events: By::default(),
            prints: By::default(),
            deleted: Counter::default(),
            source_bytes: Counter::default(),
            print_bytes: Counter::default(),
            rejected: By::default(),
            retries: Counter::default(),
            reconcile: seconds(),
            stages: Stages::new_with_constructor(seconds),
        }
    }
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let minilab = registry.sub_registry_with_prefix("minilab");
        minilab.register("events", "Sources looked at, by what came of it", self.events.clone());
        minilab.register("prints", "Prints stored, by format", self.prints.clone());
        minilab.register("deleted", "Prints and reports deleted", self.deleted.clone());
        minilab.register("source_bytes", "Size of the sources read", self.source_bytes.clone());
        minilab.register("print_bytes", "Size of the prints stored", self.print_bytes.clone());
        minilab.register("rejected", "Sources rejected, by the report's code", self.rejected.clone());
        minilab.register(
            "retries",
            "Requests to S3 that were tried again after a pause",
            self.retries.clone(),
        );
        minilab.register("reconcile_seconds", "How long a source took", self.reconcile.clone());
        minilab.register("stage_seconds", "How long a source took, by stage", self.stages.clone());
    }

    /// A key or record of which nothing more is known.
    pub(crate) fn event(&self, result: &str) {
        self.events.get_or_create(&[("result", result.to_owned())]).inc();
    }

    /// Counts what was done.
    pub(crate) fn add(&self, batch: &Batch) {
        for (family, label, counts) in [
            (&self.events, "result", &batch.verdicts),
            (&self.prints, "format", &batch.formats),
            (&self.rejected, "reason", &batch.reasons),
        ] {
            for (value, count) in counts {
                family.get_or_create(&[(label, value.clone())]).inc_by(*count);
            }
        }
        self.deleted.inc_by(batch.prints_deleted);
        self.source_bytes.inc_by(batch.source_bytes);
        self.print_bytes.inc_by(batch.print_bytes);
        self.retries.inc_by(batch.store_retries);
        for milliseconds in &batch.reconcile_time {
            self.reconcile.observe(milliseconds / 1e3);
        }
        for (stage, times) in [
            ("get", &batch.get_time),
            ("render", &batch.render_time),
            ("put", &batch.put_time),
            ("head", &batch.head_time),
        ] {
            let stage = self.stages.get_or_create(&[("stage", stage.to_owned())]);
            for milliseconds in times {
                stage.observe(milliseconds / 1e3);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fmt::Write as _;

    fn text(metrics: &Metrics) -> String {
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn a_batch_is_counted_by_what_became_of_it() {
        let counts =
            |pairs: &[(&str, u64)]| pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let batch = Batch {
            source_bytes: 1000,
            print_bytes: 300,
            store_retries: 2,
            reconcile_time: vec![20.0, 700.0],
            put_time: vec![1.5],
            verdicts: counts(&[("printed", 1), ("rejected", 1)]),
            reasons: counts(&[("over-limit", 1)]),
            formats: counts(&[("webp", 3)]),
            ..Batch::default()
        };
        let metrics = Metrics::default();
        metrics.add(&batch);
        metrics.add(&batch);
        let text = text(&metrics);
        for line in [
            "minilab_events_total{result=\"printed\"} 2",
            "minilab_prints_total{format=\"webp\"} 6",
            "minilab_rejected_total{reason=\"over-limit\"} 2",
            "minilab_source_bytes_total 2000",
            "minilab_print_bytes_total 600",
            "minilab_retries_total 4",
            "minilab_reconcile_seconds_count 4",
            "minilab_reconcile_seconds_bucket{le=\"0.025\"} 2",
            "minilab_stage_seconds_count{stage=\"put\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");

    /// Refreshed by `MINILAB_BLESS=1`.
    #[test]
    fn the_operations_page_lists_every_metric() {
        let mut cloudwatch = "| metric | unit | what it counts |\n|---|---|---|\n".to_owned();
        for (name, unit, meaning) in minilab_lambda::metrics::METRICS {
            writeln!(cloudwatch, "| `{name}` | {unit} | {meaning} |").unwrap();
        }
        let metrics = Metrics::default();
        let some = BTreeMap::from([("…".to_owned(), 1)]);
        metrics.add(&Batch {
            verdicts: some.clone(),
            formats: some.clone(),
            reasons: some,
            ..Batch::default()
        });
        let mut prometheus = "| metric | what it counts |\n|---|---|\n".to_owned();
        let text = text(&metrics);
        for line in text.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
            let (family, meaning) = line.split_once(' ').unwrap();
            // The first sample has the whole name and the labels' names.
            let sample = text.lines().find(|line| line.starts_with(family)).unwrap();
            let name = sample.split([' ', '{']).next().unwrap().trim_end_matches("_sum");
            let label = sample.split_once('{').and_then(|(_, rest)| rest.split_once('='));
            let label = label.map_or_else(String::new, |(label, _)| format!("{{{label}}}"));
            writeln!(prometheus, "| `{name}{label}` | {} |", meaning.trim_end_matches('.')).unwrap();
        }
        let found = std::fs::read_to_string(PAGE).unwrap();
        let page = with_block(&with_block(&found, "cloudwatch", &cloudwatch), "prometheus", &prometheus);
        if option_env!("MINILAB_BLESS").is_some() {
            std::fs::write(PAGE, page).unwrap();
            return;
        }
        assert!(found == page, "docs/operations.md is stale: MINILAB_BLESS=1 cargo test -p minilab");
    }

    /// The page with `text` between the markers of a rendered block.
    fn with_block(page: &str, name: &str, text: &str) -> String {
        let (begin, end) =
            (format!("<!-- {name}: MINILAB_BLESS=1 cargo test -->\n\n"), format!("\n<!-- /{name} -->"));
        let (head, rest) = page.split_once(&begin).unwrap();
        let (_, tail) = rest.split_once(&end).unwrap();
        format!("{head}{begin}{text}{end}{tail}")
    }
}
