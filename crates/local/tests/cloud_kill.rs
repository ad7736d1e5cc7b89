//! The whole cloud in a process of its own that is killed with SIGKILL at some
//! moment, again and again: what was acknowledged is there, and was handled.

mod probe;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use minilab_local::cloud::{Cloud, CloudConfig, Trigger};
use probe::s3::Signer;
use serde_json::json;

#[test]
#[ignore = "this is the function that the other tests run, not a test"]
fn function() {
    probe::run();
}

#[test]
#[ignore = "this is the cloud that the other test kills, not a test"]
fn cloud_process() {
    let folder = probe::variable("PROBE_DATA_DIR").expect("told where");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let cloud = Cloud::start(config(Path::new(&folder))).await.unwrap();
        let key = cloud.credentials();
        println!("\nREADY {} {} {}", cloud.s3_endpoint(), key.access_key_id, key.secret_access_key);
        std::future::pending::<()>().await;
    });
}

fn config(data_dir: &Path) -> CloudConfig {
    let mut function = probe::spec("function");
    function.env.push(("PROBE_COPY_TO".to_owned(), "target".to_owned()));
    function.retry_delays = vec![Duration::from_millis(10)];
    CloudConfig {
        data_dir: data_dir.to_owned(),
        s3_addr: "127.0.0.1:0".parse().unwrap(),
        console_addr: None,
        region: "us-east-1".to_owned(),
        account: "123456789012".to_owned(),
        buckets: vec!["source".to_owned(), "target".to_owned()],
        function,
        policy: json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::source/*" },
            { "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::target/*" },
        ]}),
        triggers: vec![Trigger {
            bucket: "source".to_owned(),
            prefix: String::new(),
            suffix: String::new(),
            events: vec!["s3:ObjectCreated:*".to_owned()],
        }],
        root_credentials: None,
    }
}

fn start(folder: &Path) -> (Child, Signer) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["cloud_process", "--exact", "--ignored", "--nocapture"])
        .env("PROBE_DATA_DIR", folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready =
        lines.map_while(Result::ok).find(|line| line.starts_with("READY ")).expect("the cloud starts");
    let mut words = ready.split(' ').skip(1).map(str::to_owned);
    let mut word = || words.next().unwrap();
    let signer =
        Signer { endpoint: word(), access_key_id: word(), secret_access_key: word(), session_token: None };
    (child, signer)
}

/// Uploads until the cloud is gone, and returns what it acknowledged.
fn upload(signer: &Signer, round: u64, killed: &AtomicBool) -> Vec<(String, Vec<u8>)> {
    let mut acknowledged = Vec::new();
    for number in 0_u64.. {
        if killed.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("{round}/{number}");
        // Some keep the function busy, so that a kill comes while it works.
        let body = if number % 4 == 1 { "wait 60".to_owned() } else { key.repeat(1 + number as usize * 40) };
        match signer.try_send("PUT", &format!("/source/{key}"), body.as_bytes()) {
            Some((200, _)) => acknowledged.push((key, body.into_bytes())),
            Some((status, answer)) => panic!("{key}: {status} {}", String::from_utf8_lossy(&answer)),
            None => break,
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_a_kill_is_there_and_is_handled() {
    const ROUNDS: u64 = 8;
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let (mut child, signer) = start(folder.path());
        let killed = AtomicBool::new(false);
        let more = std::thread::scope(|scope| {
            let uploading = scope.spawn(|| upload(&signer, round, &killed));
            std::thread::sleep(Duration::from_millis(40 + 37 * (round % 5)));
            child.kill().unwrap();
            child.wait().unwrap();
            killed.store(true, Ordering::Relaxed);
            uploading.join().unwrap()
        });
        acknowledged.extend(more);
    }
    assert!(acknowledged.len() as u64 > ROUNDS, "only {} uploads were acknowledged", acknowledged.len());
    let cloud = Cloud::start(config(folder.path())).await.unwrap();
    tokio::time::timeout(Duration::from_mins(2), cloud.idle()).await.expect("idle").unwrap();
    assert_eq!(cloud.failed_events().await.unwrap(), []);
    let signer = Signer {
        endpoint: cloud.s3_endpoint().to_owned(),
        access_key_id: cloud.credentials().access_key_id.clone(),
        secret_access_key: cloud.credentials().secret_access_key.clone(),
        session_token: None,
    };
    let (checked, count) = tokio::task::spawn_blocking(move || {
        let wrong = acknowledged.iter().find(|(key, body)| {
            ["source", "target"]
                .iter()
                .any(|bucket| signer.send("GET", &format!("/{bucket}/{key}"), b"") != (200, body.clone()))
        });
        (wrong.map(|(key, _)| key.clone()), acknowledged.len())
    })
    .await
    .unwrap();
    assert_eq!(checked, None, "one of {count}");
    cloud.shutdown().await;
}
