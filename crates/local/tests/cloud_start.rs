//! The whole small cloud in one process: an object arrives over S3, its event
//! runs the function, the function writes with its role's credentials.

mod probe;
#[path = "probe/cloud.rs"]
mod probe_cloud;

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use minilab_local::activity::Activity;
use minilab_local::cloud::{Cloud, CloudConfig, StartError};
use minilab_local::iam::Effect;
use minilab_local::lambda::Outcome;
use minilab_local::notify::Rule;
use probe_cloud::{ANY, config, idle, send};
use serde_json::{Value, json};

#[test]
#[ignore = "this is the function that the other tests run, not a test"]
fn function() {
    probe::run();
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
