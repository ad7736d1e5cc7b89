//! The CloudWatch dashboard's body ("Dashboard body structure and syntax" in
//! the CloudWatch API Reference), with a placeholder for the region.

use minilab_lambda::metrics::NAMESPACE;
use serde_json::{Value, json};

use super::plan::Plan;

pub(super) fn body(plan: &Plan<'_>, region: &str) -> String {
    let name = plan.name;
    let function =
        |metric: &str, options: Value| json!(["AWS/Lambda", metric, "FunctionName", name, options]);
    let own = |metric: &str, options: Value| json!([NAMESPACE, metric, "FunctionName", name, options]);
    let queue = |queue: &str, metric: &str, statistic: &str| json!(["AWS/SQS", metric, "QueueName", format!("{name}-{queue}"), { "stat": statistic }]);
    let graph = |title: &str, metrics: Vec<Value>, x: u32, y: u32| {
        json!({
            "type": "metric", "x": x, "y": y, "width": 12, "height": 6,
            "properties": { "title": title, "region": region, "period": 300, "view": "timeSeries", "metrics": metrics }
        })
    };
    let mut waiting = vec![queue("dead-letters", "ApproximateNumberOfMessagesVisible", "Maximum")];
    if plan.is_queued() {
        waiting.push(queue("events", "ApproximateNumberOfMessagesVisible", "Maximum"));
        waiting.push(queue("events", "ApproximateAgeOfOldestMessage", "Maximum"));
    } else {
        waiting.push(function("AsyncEventAge", json!({ "stat": "Maximum" })));
    }
    let log = json!({
        "type": "log", "x": 0, "y": 18, "width": 24, "height": 6,
        "properties": {
            "title": "Rejected pictures, by reason", "region": region, "view": "table",
            "query": format!("SOURCE '/aws/lambda/{name}' | filter message = 'rejected' | stats count(*) as pictures, latest(key) as for_example by code | sort pictures desc")
        }
    });
    let widgets = json!([
        graph(
            "Invocations",
            vec![
                function("Invocations", json!({ "stat": "Sum" })),
                function("Errors", json!({ "stat": "Sum" })),
                function("Throttles", json!({ "stat": "Sum" })),
            ],
            0,
            0
        ),
        graph(
            "Duration (ms)",
            vec![
                function("Duration", json!({ "stat": "p50" })),
                function("Duration", json!({ "stat": "p95" })),
                function("Duration", json!({ "stat": "Maximum" })),
            ],
            12,
            0
        ),
        graph("At once", vec![function("ConcurrentExecutions", json!({ "stat": "Maximum" }))], 0, 6),
        graph("Waiting, and given up", waiting, 12, 6),
        graph(
            "Pictures",
            vec![
                own("Printed", json!({ "stat": "Sum" })),
                own("Rejected", json!({ "stat": "Sum" })),
                own("Failed", json!({ "stat": "Sum" })),
                own("StoreRetries", json!({ "stat": "Sum" })),
            ],
            0,
            12
        ),
        graph(
            "Time of a picture, by stage (ms, the slowest of twenty)",
            ["ReconcileTime", "GetTime", "RenderTime", "PutTime", "HeadTime"]
                .map(|metric| own(metric, json!({ "stat": "p95" })))
                .into(),
            12,
            12
        ),
        log,
    ]);
    format!("{:#}", json!({ "widgets": widgets }))
}
