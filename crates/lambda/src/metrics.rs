//! What invocations did, as CloudWatch metrics in the embedded metric format:
//! lines of the log that CloudWatch turns into metrics, without a request.
//!
//! Owns: the metrics' names, units and meanings, and the shape of a line.
//! Refuses: keys (each value of a dimension is a metric that is paid for).
//!
//! Source: "Specification: Embedded metric format" in the Amazon CloudWatch
//! User Guide.

use crate::log::timestamp;
use minilab_handler::{Account, Batch};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the metrics lie unless the settings say otherwise.
pub const NAMESPACE: &str = "minilab";
/// Most values of one metric in a line.
const MOST_VALUES: usize = 100;

/// A metric's name, its unit, and what it counts.
pub const METRICS: [(&str, &str, &str); 13] = [
    ("Printed", "Count", "sources whose prints are all there"),
    ("Rejected", "Count", "sources that were rejected with a report; also by `Reason`, the report's `code`"),
    ("Failed", "Count", "sources that must come again: the store, the role or the configuration is at fault"),
    ("PrintsWritten", "Count", "prints stored"),
    ("PrintsDeleted", "Count", "prints and reports deleted"),
    ("SourceBytes", "Bytes", "size of the sources read"),
    ("PrintBytes", "Bytes", "size of the prints stored"),
    ("StoreRetries", "Count", "requests to S3 that were tried again after a pause"),
    ("ReconcileTime", "Milliseconds", "for each source, all of it"),
    ("GetTime", "Milliseconds", "of that, reading the source"),
    ("RenderTime", "Milliseconds", "of that, making the prints, uploads running beside it"),
    ("PutTime", "Milliseconds", "of that, uploads after the last print was made"),
    ("HeadTime", "Milliseconds", "of that, looking at the source again"),
];

/// Whose metrics a line has.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The namespace of the metrics.
    pub namespace: &'a str,
    /// The dimension `FunctionName`.
    pub function: &'a str,
    /// The invocation.
    pub request_id: &'a str,
    /// Of the metrics' points.
    pub now: SystemTime,
}

/// The batch in a line of the log; `None` for any other line.
pub fn parse(line: &str) -> Option<Batch> {
    // Most lines are none, and need not be read.
    if !line.starts_with('{') || !line.contains("\"_aws\"") {
        return None;
    }
    let value: Value = serde_json::from_str(line).ok()?;
    if value.get("_aws")?.get("CloudWatchMetrics").is_none() || value.get(REASON).is_some() {
        return None;
    }
    serde_json::from_value(value).ok()
}

/// The batch as a line, and a line for each reason of a rejection: what a
/// dimension is called has one value in a line.
fn lines_of(batch: &Batch, context: Context<'_>) -> Vec<String> {
    let metrics = METRICS.map(|(name, unit, _)| json!({ "Name": name, "Unit": unit }));
    let mut lines = vec![line(context, &json!(metrics), None, json!(batch))];
    let rejected = json!([{ "Name": "Rejected", "Unit": "Count" }]);
    lines.extend(batch.reasons.iter().map(|(reason, count)| {
        line(context, &rejected, Some(REASON), json!({ REASON: reason, "Rejected": count }))
    }));
    lines
}
/// The dimension of rejections.
const REASON: &str = "Reason";

fn line(context: Context<'_>, metrics: &Value, dimension: Option<&str>, root: Value) -> String {
    let Context { namespace, function, request_id, now } = context;
    let dimensions: Vec<&str> = std::iter::once("FunctionName").chain(dimension).collect();
    let milliseconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    let mut line = json!({
        "_aws": {
            "Timestamp": milliseconds,
            "CloudWatchMetrics": [{ "Namespace": namespace, "Dimensions": [dimensions], "Metrics": metrics }]
        },
        "FunctionName": function,
        // As in every other line, so that Lambda knows its level.
        "timestamp": timestamp(now),
        "level": "INFO",
        "message": "metrics",
        "requestId": request_id,
    });
    if let (Some(line), Value::Object(root)) = (line.as_object_mut(), root) {
        line.extend(root);
    }
    line.to_string()
}

/// The lines for one invocation: one, or as many as its values need.
pub fn lines(accounts: &[Account], context: Context<'_>) -> Vec<String> {
    accounts.chunks(MOST_VALUES).flat_map(|accounts| lines_of(&Batch::of(accounts), context)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use minilab_handler::{Outcome, State, Timings, Unfinished};
    use std::collections::BTreeMap;
    use std::time::Duration;

    fn account(state: State, millis: u64) -> Account {
        let ms = Duration::from_millis;
        let timings =
            Timings { get: ms(1), render: ms(2), render_and_put: ms(5), tidy: ms(1), settle: ms(4) };
        let outcome = Outcome {
            state,
            rounds: 1,
            written: 2,
            deleted: 1,
            bytes_in: 1000,
            bytes_out: 300,
            formats: BTreeMap::from([("webp", 1), ("png", 1)]),
            retries: 3,
            in_doubt: false,
            timings,
        };
        Account { bucket: "b".to_owned(), key: "k".to_owned(), outcome, elapsed: ms(millis) }
    }

    fn rejected(code: &'static str) -> Account {
        account(State::Rejected { code, reason: "r".to_owned() }, 20)
    }

    fn context() -> Context<'static> {
        let now = UNIX_EPOCH + Duration::from_millis(1_574_109_732_004);
        Context { namespace: "minilab", function: "f", request_id: "r-1", now }
    }

    /// The specification's own rules: each metric and dimension that the
    /// metadata names is a member of the root; at most 100 values, 100 metrics.
    fn check(line: &str) -> Value {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["_aws"]["Timestamp"], 1_574_109_732_004_u64);
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            let metrics = directive["Metrics"].as_array().unwrap();
            assert!(!metrics.is_empty() && metrics.len() <= 100);
            for metric in metrics {
                let value = &line[metric["Name"].as_str().unwrap()];
                let count = value.as_array().map_or(1, Vec::len);
                assert!(value.is_number() || value.is_array(), "{metric}: {value}");
                assert!((1..=100).contains(&count), "{metric}: {count} values");
            }
            for name in directive["Dimensions"][0].as_array().unwrap() {
                assert!(line[name.as_str().unwrap()].is_string(), "{name}");
            }
        }
        line
    }

    #[test]
    fn an_invocation_is_one_line_with_every_metric_and_one_for_each_reason() {
        let failed = State::Unfinished { verdict: Unfinished::Retry, reason: "away".to_owned() };
        let accounts = [
            account(State::Printed, 10),
            account(failed, 15),
            rejected("not-an-image"),
            rejected("over-limit"),
            rejected("over-limit"),
        ];
        let lines: Vec<Value> = lines(&accounts, context()).iter().map(|line| check(line)).collect();
        assert_eq!(lines.len(), 3);
        let all = &lines[0];
        for (name, value) in [
            ("Printed", json!(1)),
            ("Rejected", json!(3)),
            ("Failed", json!(1)),
            ("PrintsWritten", json!(10)),
            ("PrintsDeleted", json!(5)),
            ("SourceBytes", json!(5000)),
            ("PrintBytes", json!(1500)),
            ("StoreRetries", json!(15)),
            ("ReconcileTime", json!([10.0, 15.0, 20.0, 20.0, 20.0])),
            ("PutTime", json!([3.0, 3.0, 3.0, 3.0, 3.0])),
            ("HeadTime", json!([4.0, 4.0, 4.0, 4.0, 4.0])),
            ("FunctionName", json!("f")),
            ("requestId", json!("r-1")),
            ("level", json!("INFO")),
            ("verdicts", json!({ "printed": 1, "rejected": 3, "retried": 1 })),
            ("formats", json!({ "webp": 5, "png": 5 })),
        ] {
            assert_eq!(all[name], value, "{name}");
        }
        let by_reason: Vec<_> = lines[1..].iter().map(|line| (&line["Reason"], &line["Rejected"])).collect();
        assert_eq!(by_reason, [(&json!("not-an-image"), &json!(1)), (&json!("over-limit"), &json!(2))]);
    }

    #[test]
    fn more_than_a_hundred_sources_are_more_than_one_line_and_none_is_no_line() {
        let accounts = vec![account(State::Printed, 1); 250];
        let lines = lines(&accounts, context());
        assert_eq!(lines.iter().map(|line| check(line)["Printed"].as_u64().unwrap()).sum::<u64>(), 250);
        assert_eq!(lines.len(), 3);
        assert!(super::lines(&[], context()).is_empty());
    }

    #[test]
    fn a_line_is_read_back_once() {
        let accounts = [account(State::Printed, 10), rejected("not-an-image")];
        let read: Vec<Batch> = lines(&accounts, context()).iter().filter_map(|line| parse(line)).collect();
        assert_eq!(read, [Batch::of(&accounts)]);
        for other in ["", "START RequestId: x", "{\"message\":\"\\\"_aws\\\"\"}", "{\"_aws\":{}}"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
