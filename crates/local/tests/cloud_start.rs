//! The whole small cloud in one process: an object arrives over S3, its event
//! runs the function, the function writes with its role's credentials.

mod probe;

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use minilab_local::activity::Activity;
use minilab_local::cloud::{Cloud, CloudConfig, StartError, Trigger};
use minilab_local::iam::Effect;
use minilab_local::lambda::Outcome;
use minilab_local::notify::Rule;
use probe::s3::{Signer, exchange};
use serde_json::{Value, json};

#[test]
#[ignore = "this is the function that the other tests run, not a test"]
fn function() {
    probe::run();
}

const ANY: &str = "127.0.0.1:0";

fn policy() -> Value {
    json!({ "Version": "2012-10-17", "Statement": [
        { "Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::source/*" },
        { "Sid": "Write", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::target/*" },
    ]})
}

fn config(data_dir: &Path) -> CloudConfig {
    let mut function = probe::spec("function");
    function.env.push(("PROBE_COPY_TO".to_owned(), "target".to_owned()));
    function.retry_delays = vec![Duration::from_millis(10)];
    CloudConfig {
        data_dir: data_dir.to_owned(),
        s3_addr: ANY.parse().unwrap(),
        console_addr: Some(ANY.parse().unwrap()),
        region: "us-east-1".to_owned(),
        account: "123456789012".to_owned(),
        buckets: vec!["source".to_owned(), "target".to_owned()],
        function,
        policy: policy(),
        triggers: vec![Trigger {
            bucket: "source".to_owned(),
            prefix: String::new(),
            suffix: String::new(),
            events: vec!["s3:ObjectCreated:*".to_owned()],
        }],
        root_credentials: None,
    }
}

fn signer(cloud: &Cloud) -> Signer {
    Signer {
        endpoint: cloud.s3_endpoint().to_owned(),
        access_key_id: cloud.credentials().access_key_id.clone(),
        secret_access_key: cloud.credentials().secret_access_key.clone(),
        session_token: None,
    }
}

async fn send(cloud: &Cloud, method: &'static str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let (signer, path, body) = (signer(cloud), path.to_owned(), body.to_vec());
    tokio::task::spawn_blocking(move || signer.send(method, &path, &body)).await.unwrap()
}

async fn idle(cloud: &Cloud) {
    tokio::time::timeout(Duration::from_mins(1), cloud.idle()).await.expect("idle").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_put_over_s3_comes_out_of_the_other_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(config(folder.path())).await.unwrap();
    let mut live = cloud.activity();
    for (path, body) in [("a%20b%2Bc.txt", "one"), ("deep/er/%C3%BC.txt", "two"), ("plain", "three")] {
        assert_eq!(send(&cloud, "PUT", &format!("/source/{path}"), body.as_bytes()).await.0, 200);
    }
    idle(&cloud).await;
    assert_eq!(cloud.failed_events().await.unwrap(), []);
    assert_eq!(cloud.invocations().len(), 3);
    for (path, body) in [("a%20b%2Bc.txt", "one"), ("deep/er/%C3%BC.txt", "two"), ("plain", "three")] {
        let found = send(&cloud, "GET", &format!("/target/{path}"), b"").await;
        assert_eq!(found, (200, body.as_bytes().to_vec()), "{path}");
    }
    let mut subjects = Vec::new();
    while let Ok(activity) = live.try_recv() {
        if let Activity::Queued { subjects: named, .. } = &*activity {
            subjects.extend(named.clone());
        }
    }
    subjects.sort();
    assert_eq!(
        subjects,
        [
            "ObjectCreated:Put source/a b+c.txt",
            "ObjectCreated:Put source/deep/er/ü.txt",
            "ObjectCreated:Put source/plain"
        ]
    );
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_missing_permission_stops_the_event_and_the_log_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.policy["Statement"].as_array_mut().unwrap().pop();
    let cloud = Cloud::start(config).await.unwrap();
    assert_eq!(send(&cloud, "PUT", "/source/k", b"one").await.0, 200);
    idle(&cloud).await;
    let failed = cloud.failed_events().await.unwrap();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].envelope["requestContext"]["approximateInvokeCount"], 3);
    assert_eq!(failed[0].envelope["responsePayload"]["errorMessage"], "PUT answered 403");
    assert_eq!(failed[0].envelope["requestPayload"]["Records"][0]["s3"]["object"]["key"], "k");
    let denied = cloud.authority().recent_decisions();
    let denied = denied.iter().find(|entry| entry.decision.effect == Effect::Deny).expect("a denial");
    let needed = r#"needed: {"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::target/k"}"#;
    assert!(denied.decision.because.contains(needed), "{}", denied.decision.because);
    assert!(
        denied.principal.starts_with("arn:aws:sts::123456789012:assumed-role/probe-role/"),
        "{}",
        denied.principal
    );
    assert_eq!(send(&cloud, "GET", "/target/k", b"").await.0, 404);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cloud_left_undone_the_next_one_finishes() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(config(folder.path())).await.unwrap();
    let first = cloud.credentials().clone();
    assert_eq!(send(&cloud, "PUT", "/source/slow", b"wait 1500").await.0, 200);
    tokio::time::timeout(Duration::from_secs(20), async {
        while cloud.pending().await.unwrap().running == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    // Not shut down: as when the process is killed, the lease stays.
    drop(cloud);
    let again = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            match Cloud::start(config(folder.path())).await {
                Ok(cloud) => return cloud,
                // Tasks of the dropped one may still hold the folder.
                Err(StartError::Storage(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(other) => panic!("{other}"),
            }
        }
    })
    .await
    .unwrap();
    assert_eq!(*again.credentials(), first);
    idle(&again).await;
    assert_eq!(send(&again, "GET", "/target/slow", b"").await, (200, b"wait 1500".to_vec()));
    assert_eq!(again.invocations().last().unwrap().attempt, 1);
    let seen = |cloud: &Cloud| -> Vec<_> {
        cloud.invocations().into_iter().map(|run| (run.request_id, run.outcome, run.log)).collect()
    };
    let finished = seen(&again);
    again.shutdown().await;
    let third = Cloud::start(config(folder.path())).await.unwrap();
    assert_eq!(seen(&third), finished, "a restart forgets no invocation");
    third.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_is_dropped_or_shut_down_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    for shut_down in [true, false] {
        let cloud = Cloud::start(config(&folder.path().join(shut_down.to_string()))).await.unwrap();
        let (_, outcome) = cloud.invoke("{}").await;
        let Outcome::Success(answer) = outcome else { panic!("{outcome:?}") };
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let process = format!("/proc/{}/stat", answer["pid"]);
        assert!(Path::new(&process).exists());
        if shut_down {
            cloud.shutdown().await;
        } else {
            drop(cloud);
        }
        tokio::time::timeout(Duration::from_secs(20), async {
            while Path::new(&process).exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .expect("the function's process ends");
    }
}

type Change = Box<dyn FnOnce(&mut CloudConfig)>;

#[tokio::test(flavor = "multi_thread")]
async fn each_reason_not_to_start_is_one_line_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind(ANY).unwrap();
    let busy = taken.local_addr().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let cases: Vec<(&str, &str, Change)> = vec![
        ("port is in use", "another port", Box::new(move |c| c.s3_addr = busy)),
        ("the console cannot listen", "another port", Box::new(move |c| c.console_addr = Some(busy))),
        ("other machines", "127.0.0.1", Box::new(|c| c.s3_addr = "0.0.0.0:0".parse().unwrap())),
        ("other machines", "127.0.0.1", Box::new(|c| c.console_addr = Some("0.0.0.0:0".parse().unwrap()))),
        (
            "192.0.2.1",
            "choose 127.0.0.1",
            Box::new(|c| c.console_addr = None.or(Some("192.0.2.1:1".parse().unwrap()))),
        ),
        ("account", "12 digits", Box::new(|c| c.account = "1".to_owned())),
        ("region", "us-east-1", Box::new(|c| c.region = "US East".to_owned())),
        (
            "Statement[0].Action",
            "service:Name",
            Box::new(|c| c.policy["Statement"][0]["Action"] = json!("GetObject")),
        ),
        (
            "aws:MultiFactorAuthPresent",
            "aws:SourceIp",
            Box::new(|c| {
                c.policy["Statement"][0]["Condition"] =
                    json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } });
            }),
        ),
        ("128", "memory", Box::new(|c| c.function.memory_mb = 1)),
        ("\"nowhere\"", "add it", Box::new(|c| c.triggers[0].bucket = "nowhere".to_owned())),
        (
            "s3:ObjectEaten:*",
            "s3:ObjectCreated:*",
            Box::new(|c| c.triggers[0].events = vec!["s3:ObjectEaten:*".to_owned()]),
        ),
        ("\"No\"", "bucket", Box::new(|c| c.buckets.push("No".to_owned()))),
        ("data folder", "choose another", Box::new(move |c| c.data_dir = file.join("sub"))),
    ];
    for (number, (what, remedy, change)) in cases.into_iter().enumerate() {
        let mut config = config(&folder.path().join(number.to_string()));
        change(&mut config);
        let error = Cloud::start(config).await.expect_err(what).to_string();
        assert!(error.contains(what) && error.contains(remedy), "{what}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let first = Cloud::start(config(folder.path())).await.unwrap();
    let error = Cloud::start(config(folder.path())).await.unwrap_err().to_string();
    assert!(error.contains("in use by another"), "{error}");
    first.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_of_an_earlier_configuration_is_removed_and_foreign_rules_stay() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(config(folder.path())).await.unwrap();
    let mut rules = cloud.storage().notifications("target").unwrap();
    assert_eq!(rules, []);
    rules.push(Rule {
        id: "mine".to_owned(),
        function: "arn:aws:lambda:us-east-1:123456789012:function:probe".to_owned(),
        events: vec!["s3:ObjectRemoved:*".to_owned()],
        prefix: String::new(),
        suffix: String::new(),
    });
    cloud.storage().set_notifications("target", &rules).unwrap();
    cloud.shutdown().await;
    let mut other = config(folder.path());
    other.triggers[0].bucket = "target".to_owned();
    let cloud = Cloud::start(other).await.unwrap();
    assert_eq!(cloud.storage().notifications("source").unwrap(), []);
    let ids: Vec<String> =
        cloud.storage().notifications("target").unwrap().into_iter().map(|rule| rule.id).collect();
    assert_eq!(ids, ["mine", "configured-1"]);
    cloud.shutdown().await;
}

/// The console's address and token.
fn console_link(cloud: &Cloud) -> (String, String) {
    let link = cloud.console_url().unwrap().strip_prefix("http://").unwrap();
    let (addr, token) = link.split_once("/?token=").unwrap();
    (addr.to_owned(), token.to_owned())
}

/// One request to the console, with these header lines.
async fn console(cloud: &Cloud, request: &str, host: Option<&str>, headers: &str) -> (u16, String) {
    let (addr, _) = console_link(cloud);
    let host = host.unwrap_or(&addr);
    let head = format!("{request} HTTP/1.1\r\nhost: {host}\r\n{headers}connection: close\r\n\r\n");
    let (status, _, body) =
        tokio::task::spawn_blocking(move || exchange(&addr, &head, b"")).await.unwrap().unwrap();
    (status, String::from_utf8(body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_shows_what_happened_only_under_its_own_name_and_with_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(config(folder.path())).await.unwrap();
    assert_eq!(send(&cloud, "PUT", "/source/k", b"one").await.0, 200);
    idle(&cloud).await;
    let (addr, token) = console_link(&cloud);
    let bearer = format!("authorization: Bearer {token}\r\n");
    assert_eq!(console(&cloud, "GET /healthz", None, "").await, (200, "ok\n".to_owned()));
    assert_eq!(console(&cloud, "GET /healthz", Some("evil.example"), "").await.0, 421);
    let (status, page) = console(&cloud, "GET /", None, "").await;
    assert!(status == 200 && page.contains("/page/app.js") && !page.contains("https://"));
    assert_eq!(console(&cloud, "GET /page/app.js", None, "").await.0, 200);
    assert_eq!(console(&cloud, "GET /page/../Cargo.toml", None, "").await.0, 404);
    assert_eq!(console(&cloud, "GET /api/state", None, "").await.0, 401);
    let (status, state) = console(&cloud, "GET /api/state", None, &bearer).await;
    let state: Value = serde_json::from_str(&state).unwrap();
    assert_eq!((status, &state["buckets"]), (200, &json!(["source", "target"])));
    assert_eq!(state["invocations"][0]["outcome"], "success");
    assert_eq!(state["queue"], json!({ "queued": 0, "running": 0, "waiting": 0, "failed": 0 }));
    assert!(!state.to_string().contains(&cloud.credentials().secret_access_key));
    // A cookie alone changes nothing when another page sends it.
    let cookie = format!("cookie: minilab-console-{}={token}\r\n", addr.rsplit(':').next().unwrap());
    let post = "POST /api/failures/7/retry";
    for (origin, status) in
        [("", 403), ("origin: http://127.0.0.1:1\r\n", 403), (&format!("origin: http://{addr}\r\n"), 404)]
    {
        assert_eq!(console(&cloud, post, None, &format!("{cookie}{origin}")).await.0, status, "{origin}");
    }
    // There is nothing to say of pictures or recipes without somebody who knows them.
    for path in ["/api/pictures", "/api/recipe"] {
        assert_eq!(console(&cloud, &format!("GET {path}"), None, &bearer).await.0, 404, "{path}");
    }
    cloud.shutdown().await;
}

/// The ids of a stream's events in their order, and the data.
fn events_of(stream: &str) -> (Vec<String>, Vec<Value>) {
    let field = |name: &str| -> Vec<String> {
        stream.lines().filter_map(|line| line.strip_prefix(name)).map(|text| text.trim().to_owned()).collect()
    };
    let data = field("data:").iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    (field("id:"), data)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_that_connects_again_neither_loses_nor_repeats_an_event() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(config(folder.path())).await.unwrap();
    let (addr, token) = console_link(&cloud);
    let bearer = format!("authorization: Bearer {token}\r\n");
    let (_, state) = console(&cloud, "GET /api/state", None, &bearer).await;
    let at = serde_json::from_str::<Value>(&state).unwrap()["at"].as_str().unwrap().to_owned();
    for key in ["a", "b", "c"] {
        assert_eq!(send(&cloud, "PUT", &format!("/source/{key}"), b"one").await.0, 200);
    }
    idle(&cloud).await;
    // The streams end with the cloud, and so do the exchanges.
    let listen = |query: String, headers: String| {
        let head =
            format!("GET /api/events{query} HTTP/1.1\r\nhost: {addr}\r\n{headers}connection: close\r\n\r\n");
        let addr = addr.clone();
        tokio::task::spawn_blocking(move || exchange(&addr, &head, b"").unwrap())
    };
    let after_state = listen(format!("?after={at}"), bearer.clone());
    let middle = format!("{}-5", at.split('-').next().unwrap());
    // The header, which the browser sends by itself, is newer than the query.
    let again = listen(format!("?after={at}"), format!("{bearer}last-event-id: {middle}\r\n"));
    let other_run = listen(String::new(), format!("{bearer}last-event-id: 0123456789ab-5\r\n"));
    let from_now = listen(String::new(), bearer.clone());
    tokio::time::sleep(Duration::from_millis(300)).await;
    cloud.invoke(json!({}).to_string()).await;
    cloud.shutdown().await;
    let text = |(status, _, body): (u16, String, Vec<u8>)| {
        assert_eq!(status, 200);
        String::from_utf8(body).unwrap()
    };
    let (ids, events) = events_of(&text(after_state.await.unwrap()));
    let numbers: Vec<u64> = ids.iter().map(|id| id.rsplit('-').next().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    for kind in ["queued", "started", "finished"] {
        let count = events.iter().filter(|event| event["type"] == kind).count();
        // The invocation at the end was not queued.
        assert_eq!(count, if kind == "queued" { 3 } else { 4 }, "{kind}");
    }
    let (resumed, _) = events_of(&text(again.await.unwrap()));
    assert_eq!(resumed, ids[5..]);
    let (_, foreign) = events_of(&text(other_run.await.unwrap()));
    assert_eq!(foreign[0]["type"], "resync");
    assert!(foreign[1..].iter().all(|event| event["type"] != "queued"));
    let (_, fresh) = events_of(&text(from_now.await.unwrap()));
    assert_eq!(fresh.iter().map(|event| &event["type"]).collect::<Vec<_>>(), ["started", "finished"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_starts_itself_is_cut_off_after_sixteen_times_and_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    // It copies each object onto itself, which is what starts it.
    config.function.env = vec![("PROBE_COPY_TO".to_owned(), "source".to_owned())];
    config.policy["Statement"][1]["Resource"] = json!("arn:aws:s3:::source/*");
    let cloud = Cloud::start(config).await.unwrap();
    for round in 1..=2 {
        // A person's upload of the same key begins a chain of its own.
        assert_eq!(send(&cloud, "PUT", "/source/k", b"one").await.0, 200);
        idle(&cloud).await;
        let failed = cloud.failed_events().await.unwrap();
        assert_eq!((failed.len(), cloud.invocations().len()), (round, 16 * round));
        let envelope = &failed[0].envelope;
        assert_eq!(envelope["requestContext"]["condition"], "RecursiveInvocationException");
        assert_eq!(envelope["requestContext"]["approximateInvokeCount"], 0);
        assert_eq!(envelope["requestPayload"]["Records"][0]["s3"]["object"]["key"], "k");
        let root = &cloud.invocations()[16 * (round - 1)].request_id;
        let message = envelope["responsePayload"]["errorMessage"].as_str().unwrap();
        assert!(message.contains(root) && message.contains("write to another bucket"), "{message}");
    }
    assert_eq!(send(&cloud, "GET", "/source/k", b"").await, (200, b"one".to_vec()));
    cloud.shutdown().await;
}
