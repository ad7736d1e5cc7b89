//! The bootstrap binary as the platform sees it: a Runtime API before it, an
//! S3 behind it, both a few lines of HTTP.

mod http;

use http::{Request, response, serve};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longer than anything here takes on a busy machine; only a broken build waits so long.
const PATIENCE: Duration = Duration::from_mins(1);

/// A Runtime API that hands out `events` and then hangs up; what is posted to
/// it comes out of the receiver.
fn runtime_api(events: Vec<Vec<u8>>) -> (String, Receiver<Request>) {
    let events = Mutex::new(VecDeque::from(events));
    let (posted, requests): (Sender<Request>, Receiver<Request>) = channel();
    let posted = Mutex::new(posted);
    let address = serve(move |request| {
        if request.path != "/2018-06-01/runtime/invocation/next" {
            posted.lock().expect("unpoisoned").send(request).ok()?;
            return Some(response(202, &[], "{\"status\":\"OK\"}"));
        }
        let event = events.lock().expect("unpoisoned").pop_front()?;
        let deadline = SystemTime::now() + Duration::from_secs(3);
        let deadline = deadline.duration_since(UNIX_EPOCH).expect("after 1970").as_millis().to_string();
        let headers = [
            ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
            ("lambda-runtime-deadline-ms", &deadline),
            ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:f"),
        ];
        Some(response(200, &headers, event))
    });
    (address, requests)
}

type Objects = Arc<Mutex<HashMap<String, (Vec<u8>, Vec<(String, String)>)>>>;

/// An S3 that knows GET, HEAD, PUT and DELETE.
fn s3(objects: Objects) -> String {
    let address = serve(move |request| {
        let path = request.path.split('?').next().unwrap_or_default().to_owned();
        let mut objects = objects.lock().expect("unpoisoned");
        Some(match request.method.as_str() {
            "PUT" => {
                let meta = request.headers.into_iter().filter(|(name, _)| name.starts_with("x-amz-meta-"));
                objects.insert(path, (request.body, meta.collect()));
                response(200, &[("etag", "\"e\"")], "")
            }
            "DELETE" => {
                objects.remove(&path);
                response(204, &[], "")
            }
            _ => match objects.get(&path) {
                Some((body, meta)) => {
                    let mut found = response(200, &[("etag", "\"e\"")], body.clone());
                    found.headers.extend(meta.iter().cloned());
                    found
                }
                None => {
                    response(404, &[], "<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>")
                }
            },
        })
    });
    format!("http://{address}")
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn bootstrap(runtime_api: &str, endpoint: &str, extra: &[(&str, &str)]) -> Process {
    let child = Command::new(env!("CARGO_BIN_EXE_bootstrap"))
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", runtime_api),
            ("AWS_LAMBDA_FUNCTION_NAME", "f"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI"),
            ("AWS_SESSION_TOKEN", "IQoJb3JpZ2luX2Vj"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL_S3", endpoint),
            ("MINILAB_SOURCE_BUCKET", "photos-source"),
            ("MINILAB_PROCESSED_BUCKET", "photos-processed"),
        ])
        .envs(extra.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    Process(child)
}

/// Waits for the end; exit status, standard output, standard error.
fn end(mut process: Process) -> (Option<i32>, String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    let mut stdout = process.0.stdout.take().expect("piped");
    let mut stderr = process.0.stderr.take().expect("piped");
    stdout.read_to_string(&mut out).expect("text");
    stderr.read_to_string(&mut err).expect("text");
    (process.0.wait().expect("ended").code(), out, err)
}

fn created(key: &str) -> Vec<u8> {
    json!({ "Records": [{ "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "s3": { "bucket": { "name": "photos-source" }, "object": { "key": key } } }] })
    .to_string()
    .into_bytes()
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("JSON is posted")
}

const RESPONSE: &str = "/2018-06-01/runtime/invocation/8476a536-e9f4-11e8-9739-2dfe598c3fcd/response";
const ERROR: &str = "/2018-06-01/runtime/invocation/8476a536-e9f4-11e8-9739-2dfe598c3fcd/error";

#[test]
fn events_are_answered_one_after_the_other_until_the_platform_hangs_up() {
    let objects = Objects::default();
    objects
        .lock()
        .expect("unpoisoned")
        .insert("/photos-source/a%20b.txt".to_owned(), (b"no picture".to_vec(), Vec::new()));
    let events = vec![
        created("a+b.txt"),
        b"{\"hello\":\"world\"}".to_vec(),
        b"not JSON".to_vec(),
        created("gone.jpg"),
    ];
    let (runtime, posted) = runtime_api(events);
    let process = bootstrap(&runtime, &s3(objects.clone()), &[]);

    let first = posted.recv_timeout(PATIENCE).expect("an answer");
    assert_eq!(first.path, RESPONSE);
    assert_eq!(body(&first)["rejected"], 1, "{}", body(&first));
    let report =
        objects.lock().expect("unpoisoned").get("/photos-processed/failures/a%20b.txt.json").cloned();
    let (report, metadata) = report.expect("a report is written");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    assert_eq!((&report["key"], &report["code"]), (&json!("a b.txt"), &json!("not-an-image")));
    assert!(
        metadata.contains(&("x-amz-meta-minilab-source".to_owned(), "a%20b.txt".to_owned())),
        "{metadata:?}"
    );

    for what in ["an unknown shape", "a payload that is not JSON"] {
        let error = posted.recv_timeout(PATIENCE).expect("an error is an answer");
        assert_eq!(error.path, ERROR, "{what}");
        assert_eq!(body(&error)["errorType"], "Minilab.UnknownEvent", "{what}");
        let message = body(&error)["errorMessage"].to_string();
        assert!(message.contains("expected an S3 event notification"), "{what}: {message}");
    }

    let last = posted.recv_timeout(PATIENCE).expect("still serving");
    assert_eq!((last.path.as_str(), &body(&last)["absent"]), (RESPONSE, &json!(1)));

    let (_, out, err) = end(process);
    assert!(err.contains("Runtime API"), "says why it ends: {err}");
    let logged: Vec<Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect();
    let reconciled = logged.iter().find(|line| line["message"] == "reconciled").expect("each key is logged");
    assert_eq!(reconciled["key"], "a b.txt");
    assert_eq!(reconciled["requestId"], "8476a536-e9f4-11e8-9739-2dfe598c3fcd");
    for line in &logged {
        let time = line["timestamp"].as_str().expect("every line has a time");
        assert!(time.ends_with('Z') && line["level"].is_string() && line["message"].is_string(), "{line}");
    }
    let told: Vec<&Value> = logged.iter().filter(|line| line.get("_aws").is_some()).collect();
    // One for the rejected picture and one for its reason, one for the deleted source; none where nothing was done.
    let numbers = |line: &Value| (line["Rejected"].clone(), line["Reason"].clone(), line["verdicts"].clone());
    assert_eq!(
        told.iter().map(|line| numbers(line)).collect::<Vec<_>>(),
        [
            (json!(1), json!(null), json!({ "rejected": 1 })),
            (json!(1), json!("not-an-image"), json!(null)),
            (json!(0), json!(null), json!({ "absent": 1 })),
        ]
    );
    assert_eq!(told[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"], "minilab");
    assert_eq!((&told[0]["FunctionName"], &told[0]["SourceBytes"]), (&json!("f"), &json!(10)));
    assert_eq!(told[0]["requestId"], "8476a536-e9f4-11e8-9739-2dfe598c3fcd");
    assert!(!out.contains("wJalrXUtnFEMI") && !out.contains("IQoJb3JpZ2luX2Vj"), "no secret is logged");
}

#[test]
fn a_store_that_is_away_is_an_error_that_the_platform_retries() {
    let (runtime, posted) = runtime_api(vec![created("a.jpg")]);
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
    let process = bootstrap(&runtime, &format!("http://{closed}"), &[]);
    let error = posted.recv_timeout(PATIENCE).expect("an error before the deadline");
    assert_eq!(error.path, ERROR);
    assert_eq!(body(&error)["errorType"], "Minilab.Retry");
    let message = body(&error)["errorMessage"].to_string();
    assert!(
        message.contains("could not read s3://photos-source/a.jpg: the store is unavailable"),
        "{message}"
    );
    end(process);
}

#[test]
fn a_wrong_configuration_is_told_to_the_platform_and_ends_with_status_2() {
    let (runtime, posted) = runtime_api(Vec::new());
    let process = bootstrap(&runtime, "http://127.0.0.1:1", &[("MINILAB_RECIPE", "[source]\nbuckets = 1\n")]);
    let error = posted.recv_timeout(PATIENCE).expect("an init error");
    assert_eq!(error.path, "/2018-06-01/runtime/init/error");
    assert_eq!(error.headers["lambda-runtime-function-error-type"], "Minilab.Configuration");
    assert_eq!(body(&error)["errorType"], "Minilab.Configuration");
    let (status, _, err) = end(process);
    assert_eq!(status, Some(2));
    assert!(err.contains("the recipe in MINILAB_RECIPE is not valid"), "{err}");
}

#[test]
fn the_recipe_may_lie_in_a_bucket_and_metrics_may_be_off() {
    let objects = Objects::default();
    let recipe = b"[source]\nbucket = \"film\"\n[processed]\nbucket = \"paper\"\n\
                   [[output]]\nkey = \"p/{key}\"\nwatermark = { image = \"logo.png\" }\n";
    let picture = include_bytes!("../../../../tests/golden/png/rgb8/input.png");
    for (path, bytes) in [
        ("/settings/photos/minilab.toml", recipe.as_slice()),
        ("/settings/photos/logo.png", picture),
        ("/photos-source/a.png", picture),
    ] {
        objects.lock().expect("unpoisoned").insert(path.to_owned(), (bytes.to_vec(), Vec::new()));
    }
    let endpoint = s3(objects.clone());
    let variables =
        [("MINILAB_CONFIG", "s3://settings/photos/minilab.toml"), ("MINILAB_METRICS_NAMESPACE", "off")];
    let (runtime, posted) = runtime_api(vec![created("a.png")]);
    let process = bootstrap(&runtime, &endpoint, &variables);
    let answer = posted.recv_timeout(PATIENCE).expect("an answer");
    assert_eq!((answer.path.as_str(), &body(&answer)["written"]), (RESPONSE, &json!(1)), "{}", body(&answer));
    assert!(objects.lock().expect("unpoisoned").contains_key("/photos-processed/p/a.png"));
    let (_, out, _) = end(process);
    assert!(out.contains("reconciled") && !out.contains("_aws"), "{out}");

    let (runtime, posted) = runtime_api(Vec::new());
    let process = bootstrap(&runtime, &endpoint, &[("MINILAB_CONFIG", "s3://settings/other.toml")]);
    let error = posted.recv_timeout(PATIENCE).expect("an init error");
    let message = body(&error)["errorMessage"].to_string();
    assert!(
        message.contains("MINILAB_CONFIG names s3://settings/other.toml, which does not exist"),
        "{message}"
    );
    assert_eq!(end(process).0, Some(2));
}

/// The glibc of `provided.al2023`. A debug build asks for the same functions as
/// the one that is packaged; `minilab package` looks at that one again.
#[cfg(target_env = "gnu")]
#[test]
fn the_bootstrap_needs_no_newer_glibc_than_lambda_has() {
    const LAMBDA: (u32, u32) = (2, 34);
    let binary = std::fs::read(env!("CARGO_BIN_EXE_bootstrap")).expect("built");
    let versions: Vec<(u32, u32)> = binary
        .split(|byte| *byte == 0)
        .filter_map(|text| std::str::from_utf8(text).ok()?.strip_prefix("GLIBC_")?.split_once('.'))
        .filter_map(|(major, minor)| Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?)))
        .collect();
    assert!(versions.len() > 1, "the versions are plain text in the dynamic string table");
    let newest = versions.iter().max().expect("not empty");
    assert!(*newest <= LAMBDA, "needs glibc {newest:?}: see crates/lambda/src/glibc.c");
}
