//! The S3 client keeps the handler's contract against the small cloud's S3:
//! the one suite that every store runs, over the wire.

use minilab_handler::store::Cause;
use minilab_handler::{Store as _, contract};
use minilab_local::cloud::{Cloud, CloudConfig};
use minilab_local::lambda::FunctionSpec;
use minilab_s3_store::{Credentials, Endpoint, S3Access, S3Store};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_s3_client_keeps_the_contract_against_the_small_cloud() {
    let folder = tempfile::tempdir().unwrap();
    let loopback = "127.0.0.1:0".parse().unwrap();
    let cloud = Cloud::start(CloudConfig {
        data_dir: folder.path().to_owned(),
        s3_addr: loopback,
        console_addr: None,
        region: "us-east-1".to_owned(),
        account: "123456789012".to_owned(),
        buckets: vec!["contract".to_owned()],
        // Never run: there is no trigger.
        function: FunctionSpec::new("none", env!("CARGO_BIN_EXE_minilab").into()),
        policy: json!({ "Version": "2012-10-17", "Statement": [] }),
        triggers: Vec::new(),
        root_credentials: None,
    })
    .await
    .unwrap();
    let credentials = cloud.credentials();
    let store = S3Store::new(S3Access {
        credentials: Credentials {
            access_key_id: credentials.access_key_id.clone(),
            secret_access_key: credentials.secret_access_key.clone(),
            session_token: None,
        },
        region: "us-east-1".to_owned(),
        endpoint: Some(Endpoint::parse(cloud.s3_endpoint()).unwrap()),
    });
    contract::check(&store, "contract").await;
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_request_that_may_have_been_sent_has_no_answer_and_one_that_was_not_sent_has_no_store() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let broken = std::thread::spawn(move || {
        // Takes the request and hangs up.
        let (mut stream, _) = listener.accept().unwrap();
        let _ = std::io::Read::read(&mut stream, &mut [0; 1 << 13]);
    });
    let store = || {
        S3Store::new(S3Access {
            credentials: Credentials {
                access_key_id: "id".to_owned(),
                secret_access_key: "secret".to_owned(),
                session_token: None,
            },
            region: "us-east-1".to_owned(),
            endpoint: Some(Endpoint::parse(&format!("http://{address}")).unwrap()),
        })
    };
    let error = store().delete("bucket", "key").await.unwrap_err();
    assert_eq!(error.cause, Cause::TimedOut, "it may yet happen: {error}");
    broken.join().unwrap();
    // Nobody listens there any more.
    let error = store().delete("bucket", "key").await.unwrap_err();
    assert_eq!(error.cause, Cause::Unavailable, "{error}");
}
