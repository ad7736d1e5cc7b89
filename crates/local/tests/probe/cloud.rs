//! A whole small cloud whose function copies each object of `source` to `target`:
//! for tests that have the probe as `crate::probe` and its entry named `function`.

use std::path::Path;
use std::time::Duration;

use minilab_local::cloud::{Cloud, CloudConfig, Trigger};
use serde_json::{Value, json};

use crate::probe;
use crate::probe::s3::Signer;

pub(crate) const ANY: &str = "127.0.0.1:0";

fn policy() -> Value {
    json!({ "Version": "2012-10-17", "Statement": [
        { "Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::source/*" },
        { "Sid": "Write", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::target/*" },
    ]})
}

pub(crate) fn config(data_dir: &Path) -> CloudConfig {
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

pub(crate) async fn send(cloud: &Cloud, method: &'static str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let (signer, path, body) = (signer(cloud), path.to_owned(), body.to_vec());
    tokio::task::spawn_blocking(move || signer.send(method, &path, &body)).await.unwrap()
}

pub(crate) async fn idle(cloud: &Cloud) {
    tokio::time::timeout(Duration::from_mins(1), cloud.idle()).await.expect("idle").unwrap();
}
