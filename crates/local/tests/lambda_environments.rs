//! Execution environments and asynchronous invocation, with a real program in
//! real processes.

mod probe;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use minilab_local::activity::{Activity, Feed};
use minilab_local::database::Database;
use minilab_local::iam::{Authority, Credentials};
use minilab_local::lambda::{FunctionSpec, Identity, InvocationRecord, Invoker, Outcome, Pool, end_orphans};
use minilab_local::queue;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[test]
#[ignore = "this is the function that the other tests run, not a test"]
fn function() {
    probe::run();
}

struct Bench {
    invoker: Arc<Invoker>,
    feed: Feed,
    worker: JoinHandle<()>,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(change: impl FnOnce(&mut FunctionSpec)) -> Self {
        Self::over(tempfile::tempdir().unwrap(), change)
    }

    fn over(folder: tempfile::TempDir, change: impl FnOnce(&mut FunctionSpec)) -> Self {
        let mut spec = probe::spec("function");
        spec.retry_delays = vec![Duration::from_millis(10)];
        change(&mut spec);
        spec.check().unwrap();
        let authority = Arc::new(Authority::new("123456789012", Credentials::generate().unwrap()));
        authority.put_role(&spec.role, Vec::new());
        let identity = Identity {
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
            function: spec.name.clone(),
            mark: folder.path().display().to_string(),
        };
        let feed = Feed::new();
        let database = Arc::new(Database::open(&folder.path().join("q.db"), &[queue::SCHEMA]).unwrap());
        let endpoint = Some("http://127.0.0.1:1".to_owned());
        let pool = Pool::new(spec, identity, authority, Arc::default(), endpoint, feed.clone());
        let invoker = Invoker::new(database, pool, watch::Sender::new(0));
        let worker = tokio::spawn(Arc::clone(&invoker).work());
        Self { invoker, feed, worker, folder }
    }

    async fn invoke(&self, event: Value) -> (InvocationRecord, Outcome) {
        self.invoker.invoke(Bytes::from(event.to_string())).await
    }

    async fn enqueue(&self, event: Value) {
        self.invoker.enqueue(event.to_string().into_bytes()).await.unwrap();
    }

    /// One in 20 is refused and one in 20 crashes its environment, three times
    /// over; the others succeed.
    async fn enqueue_many(&self, numbers: std::ops::Range<u64>) {
        for n in numbers {
            let what = match n % 20 {
                3 => "error",
                7 => "exit",
                _ => "ok",
            };
            self.enqueue(json!({ "do": what, "n": n })).await;
        }
    }

    async fn idle(&self) {
        tokio::time::timeout(Duration::from_mins(1), self.invoker.idle()).await.expect("idle").unwrap();
    }

    async fn close(self) -> tempfile::TempDir {
        self.invoker.close(Duration::from_secs(5)).await;
        self.worker.await.unwrap();
        self.folder
    }
}

fn answer(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Success(body) => serde_json::from_slice(body).unwrap(),
        other => panic!("no success: {other:?}"),
    }
}

fn error_of(record: &InvocationRecord) -> (&str, &str) {
    (&record.outcome, record.error["errorMessage"].as_str().unwrap_or_default())
}

fn logged(record: &InvocationRecord, text: &str) -> bool {
    record.log.iter().any(|line| line.contains(text))
}

fn is_running(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z')))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_environment_is_used_again_and_logs_as_lambda_does() {
    let bench = Bench::new(|spec| spec.concurrency = 1);
    let (first, outcome) = bench.invoke(json!({ "n": 1 })).await;
    let one = answer(&outcome);
    assert!(first.init_ms.is_some());
    // What the program printed at its start stands before.
    assert!(first.log.contains(&format!("START RequestId: {} Version: $LATEST", first.request_id)));
    assert!(logged(&first, "handling {\"n\":1}"), "{:?}", first.log);
    assert!(first.log.iter().rev().nth(1).unwrap().starts_with("END RequestId: "));
    let report = first.log.last().unwrap();
    assert!(report.starts_with("REPORT RequestId: ") && report.contains("\tInit Duration: "), "{report}");
    assert!(first.max_memory_mb > 0 && first.max_memory_mb < 128, "{}", first.max_memory_mb);
    let second = bench.invoke(json!({})).await;
    let two = answer(&second.1);
    assert!(second.0.init_ms.is_none() && two["handled"] == 2, "{two}");
    assert_eq!(
        one["headers"]["lambda-runtime-invoked-function-arn"],
        "arn:aws:lambda:us-east-1:123456789012:function:probe"
    );
    assert!(one["headers"]["lambda-runtime-trace-id"].as_str().unwrap().starts_with("Root=1-"));
    let deadline: i64 = one["headers"]["lambda-runtime-deadline-ms"].as_str().unwrap().parse().unwrap();
    assert_eq!(deadline - first.started_ms, 20_000);
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_holds_what_lambda_sets_and_nothing_of_the_parents() {
    let bench = Bench::new(|spec| spec.env.push(("MINE".to_owned(), "yes".to_owned())));
    let (_, outcome) = bench.invoke(json!({})).await;
    let answer = answer(&outcome);
    let mut names: Vec<&str> = answer["env"].as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "AWS_ACCESS_KEY_ID",
            "AWS_DEFAULT_REGION",
            "AWS_ENDPOINT_URL_S3",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            "AWS_LAMBDA_FUNCTION_NAME",
            "AWS_LAMBDA_FUNCTION_VERSION",
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            "AWS_LAMBDA_LOG_GROUP_NAME",
            "AWS_LAMBDA_LOG_STREAM_NAME",
            "AWS_LAMBDA_RUNTIME_API",
            "AWS_REGION",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "LAMBDA_RUNTIME_DIR",
            "LAMBDA_TASK_ROOT",
            "LANG",
            "MINE",
            "PATH",
            "TZ",
            "_HANDLER",
            "_LOCAL_CLOUD",
        ]
    );
    assert!(answer["env"]["AWS_ACCESS_KEY_ID"].as_str().unwrap().starts_with("ASIA"));
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_fail_is_named_as_on_lambda_and_the_next_event_still_runs() {
    let bench = Bench::new(|spec| {
        spec.timeout = Duration::from_secs(1);
        spec.concurrency = 1;
    });
    for (event, error_type, message) in [
        (json!({ "do": "error" }), "Probe.Refused", "as asked"),
        (json!({ "do": "exit" }), "Runtime.ExitError", "Runtime exited with error: exit status 7"),
        (json!({ "do": "abort" }), "Runtime.ExitError", "Runtime exited with error: signal: aborted"),
        (json!({ "do": "hang" }), "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
        (json!({ "do": "eat" }), "Runtime.ExitError", "Runtime exited with error: signal: killed"),
        (json!({ "do": "spike" }), "Runtime.ExitError", "Runtime exited with error: signal: killed"),
        (json!({ "do": "broken stream" }), "Probe.Halfway", "halfway"),
        (json!({ "do": "large" }), "Function.ResponseSizeTooLarge", "payload size"),
    ] {
        let (record, outcome) = bench.invoke(event.clone()).await;
        assert!(matches!(outcome, Outcome::Failure(_)), "{event}: {outcome:?}");
        let (kind, text) = error_of(&record);
        assert!(kind == error_type && text.contains(message), "{event}: {kind} {text}");
        if message.starts_with("Runtime exited") || message.starts_with("Task") {
            assert!(logged(&record, message), "{event}: {:?}", record.log);
        }
        let (record, outcome) = bench.invoke(json!({})).await;
        assert!(matches!(outcome, Outcome::Success(_)), "after {event}: {record:?}");
    }
    let (record, _) = bench.invoke(json!({ "do": "eat" })).await;
    assert_eq!(record.max_memory_mb, 128);
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_chunks_is_put_together() {
    let bench = Bench::new(|_| {});
    let (_, outcome) = bench.invoke(json!({ "do": "chunks" })).await;
    assert_eq!(answer(&outcome), "abcd");
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_does_not_start_is_an_error_of_the_invocation() {
    for (mode, error_type, message) in [
        ("exit", "Runtime.ExitError", "exit status 3"),
        ("error", "Probe.NoConfig", "no configuration"),
        ("hang", "Sandbox.Timedout", "timed out after 1.00 seconds"),
    ] {
        let bench = Bench::new(|spec| {
            spec.env.push(("PROBE_INIT".to_owned(), mode.to_owned()));
            spec.init_timeout = Duration::from_secs(1);
        });
        let (record, _) = bench.invoke(json!({})).await;
        let (kind, text) = error_of(&record);
        assert!(kind == error_type && text.contains(message), "{mode}: {kind} {text}");
        if mode == "exit" {
            assert!(logged(&record, "cannot start"), "{:?}", record.log);
        }
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_program_started_is_killed_with_it() {
    let bench = Bench::new(|spec| spec.timeout = Duration::from_secs(1));
    let (record, _) = bench.invoke(json!({ "do": "child" })).await;
    let pid = record
        .log
        .iter()
        .find_map(|line| line.strip_prefix("child "))
        .expect("the child's number")
        .to_owned();
    bench.close().await;
    for _ in 0..100 {
        if !is_running(&pid) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{pid} still runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_child_whose_cloud_is_gone_is_found_by_its_mark() {
    let bench = Bench::new(|_| {});
    let mark = bench.folder.path().display().to_string();
    let mut live = bench.feed.subscribe();
    let invoker = Arc::clone(&bench.invoker);
    let hung = tokio::spawn(async move { invoker.invoke(Bytes::from_static(br#"{"do":"child"}"#)).await });
    tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            if matches!(&*live.recv().await.unwrap(), Activity::Log { line, .. } if line.starts_with("child ")) {
                return;
            }
        }
    })
    .await
    .unwrap();
    assert_eq!(end_orphans("another"), 0);
    // What the child started has its environment, and is in its group.
    assert_eq!(end_orphans(&mark), 1);
    let (record, _) = hung.await.unwrap();
    assert_eq!(error_of(&record).0, "Runtime.ExitError");
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_registers_and_sees_invocations() {
    let bench = Bench::new(|spec| spec.env.push(("PROBE_EXTENSION".to_owned(), "1".to_owned())));
    let mut live = bench.feed.subscribe();
    let (record, _) = bench.invoke(json!({})).await;
    let seen = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            if let Activity::Log { line, .. } = &*live.recv().await.unwrap()
                && line.starts_with("extension saw")
            {
                return line.clone();
            }
        }
    })
    .await
    .unwrap();
    assert!(seen.contains("\"eventType\":\"INVOKE\"") && seen.contains(&record.request_id), "{seen}");
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_gets_exactly_two_retries_and_others_flow() {
    let bench = Bench::new(|_| {});
    bench.enqueue(json!({ "do": "exit", "poison": true })).await;
    for n in 0..10 {
        bench.enqueue(json!({ "n": n })).await;
    }
    bench.idle().await;
    let attempts: Vec<u32> = bench
        .feed
        .finished()
        .iter()
        .filter(|record| record.outcome == "Runtime.ExitError")
        .map(|record| record.attempt)
        .collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(bench.feed.finished().iter().filter(|record| record.outcome == "success").count(), 10);
    let failed = bench.invoker.failed_events(1000).await.unwrap();
    assert_eq!(failed.len(), 1);
    let envelope = &failed[0].envelope;
    assert_eq!(envelope["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(envelope["requestContext"]["approximateInvokeCount"], 3);
    assert_eq!(envelope["requestPayload"]["poison"], true);
    assert_eq!(envelope["responsePayload"]["errorType"], "Runtime.ExitError");
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_past_its_age_goes_to_the_destination_with_its_last_error() {
    let bench = Bench::new(|spec| {
        spec.maximum_event_age = Duration::from_secs(2);
        spec.retry_delays = vec![Duration::from_mins(1)];
    });
    bench.enqueue(json!({ "do": "error" })).await;
    bench.idle().await;
    let failed = bench.invoker.failed_events(1000).await.unwrap();
    assert_eq!(failed[0].condition, "EventAgeExceeded");
    assert_eq!(failed[0].envelope["requestContext"]["approximateInvokeCount"], 1);
    assert_eq!(failed[0].envelope["responsePayload"]["errorMessage"], "as asked");
    assert!(bench.invoker.requeue(failed[0].id).await.unwrap());
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_interrupts_and_the_next_start_finishes() {
    let bench = Bench::new(|_| {});
    bench.enqueue(json!({ "do": "wait", "ms": 3000 })).await;
    tokio::time::timeout(Duration::from_secs(20), async {
        while bench.invoker.pending().await.unwrap().running == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    bench.invoker.close(Duration::from_millis(10)).await;
    bench.worker.await.unwrap();
    let pending = bench.invoker.pending().await.unwrap();
    assert_eq!((pending.queued, pending.running, pending.failed), (1, 0, 0));
    let again = Bench::over(bench.folder, |_| {});
    again.idle().await;
    let finished = again.feed.finished();
    assert_eq!((finished.len(), finished[0].attempt, finished[0].outcome.as_str()), (1, 1, "success"));
    again.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_events_of_which_some_fail_each_ends_in_exactly_one_place() {
    const EVENTS: u64 = 600;
    let bench = Bench::new(|_| {});
    bench.enqueue_many(0..EVENTS).await;
    bench.idle().await;
    let failed = bench.invoker.failed_events(1000).await.unwrap();
    let mut given_up: Vec<u64> =
        failed.iter().map(|event| event.envelope["requestPayload"]["n"].as_u64().unwrap()).collect();
    given_up.sort_unstable();
    let expected: Vec<u64> = (0..EVENTS).filter(|n| n % 20 == 3 || n % 20 == 7).collect();
    assert_eq!(given_up, expected);
    let finished = bench.feed.finished();
    let succeeded: std::collections::HashSet<&str> = finished
        .iter()
        .filter(|record| record.outcome == "success")
        .map(|record| record.request_id.as_str())
        .collect();
    assert_eq!(succeeded.len() as u64, EVENTS - expected.len() as u64);
    assert_eq!(finished.len() as u64, EVENTS + 2 * expected.len() as u64);
    bench.close().await;
}

/// A function that fails one time in five, now and then by dying: each event
/// is handled once or filed once, and the counts add up.
async fn none_is_lost(events: u64) {
    let folder = tempfile::tempdir().unwrap();
    let successes = folder.path().join("successes");
    let noted = successes.display().to_string();
    let bench = Bench::new(|spec| spec.env.push(("PROBE_SUCCESSES".to_owned(), noted)));
    let begun = std::time::Instant::now();
    for n in 0..events {
        bench.enqueue(json!({ "do": "flaky", "n": n })).await;
    }
    println!("queued after {:?}", begun.elapsed());
    bench.invoker.idle().await.unwrap();
    println!("idle after {:?}", begun.elapsed());
    let pending = bench.invoker.pending().await.unwrap();
    assert_eq!((pending.queued, pending.running, pending.waiting), (0, 0, 0));
    let mut handled: Vec<u64> =
        std::fs::read_to_string(&successes).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    let given_up = bench.invoker.failed_events(1000).await.unwrap();
    println!("{} handled, {} given up", handled.len(), given_up.len());
    assert_eq!(pending.failed, given_up.len() as u64);
    handled.extend(given_up.iter().map(|event| event.envelope["requestPayload"]["n"].as_u64().unwrap()));
    handled.sort_unstable();
    assert_eq!(handled, (0..events).collect::<Vec<_>>());
    for event in &given_up {
        assert_eq!(event.envelope["requestContext"]["approximateInvokeCount"], 3);
    }
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_events_that_fail_at_random_each_is_handled_or_filed() {
    none_is_lost(150).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak: 50,000 events take minutes"]
async fn of_fifty_thousand_events_none_is_lost() {
    none_is_lost(50_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_environments_than_the_concurrency() {
    let bench = Bench::new(|spec| spec.concurrency = 2);
    for _ in 0..8 {
        bench.enqueue(json!({ "do": "wait", "ms": 50 })).await;
    }
    bench.idle().await;
    let finished = bench.feed.finished();
    let streams: std::collections::HashSet<&str> =
        finished.iter().map(|record| record.log_stream.as_str()).collect();
    assert_eq!(finished.len(), 8);
    assert!(streams.len() <= 2, "{streams:?}");
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_waits_too_long_for_an_environment_is_filed_untried() {
    let bench = Bench::new(|spec| {
        spec.concurrency = 1;
        spec.maximum_event_age = Duration::from_millis(600);
    });
    bench.enqueue(json!({ "do": "wait", "ms": 1500 })).await;
    while bench.invoker.pending().await.unwrap().running == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bench.enqueue(json!({ "n": 2 })).await;
    bench.idle().await;
    let failed = bench.invoker.failed_events(1000).await.unwrap();
    assert_eq!(failed.len(), 1);
    let context = &failed[0].envelope["requestContext"];
    assert_eq!(
        (&context["condition"], &context["approximateInvokeCount"]),
        (&json!("EventAgeExceeded"), &json!(0))
    );
    assert_eq!(failed[0].envelope["requestPayload"]["n"], 2);
    assert!(failed[0].envelope.get("responsePayload").is_none());
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn given_up_events_are_driven_anew_together() {
    let bench = Bench::new(|spec| spec.retries = 0);
    for n in 0..5 {
        bench.enqueue(json!({ "do": "error", "n": n })).await;
    }
    bench.idle().await;
    assert_eq!(bench.invoker.pending().await.unwrap().failed, 5);
    assert_eq!(bench.invoker.redrive().await.unwrap(), 5);
    bench.idle().await;
    let mut given_up: Vec<u64> = bench
        .invoker
        .failed_events(1000)
        .await
        .unwrap()
        .iter()
        .map(|event| event.envelope["requestPayload"]["n"].as_u64().unwrap())
        .collect();
    given_up.sort_unstable();
    assert_eq!((given_up, bench.feed.finished().len()), ((0..5).collect(), 10));
    bench.close().await;
}
