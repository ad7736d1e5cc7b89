//! The S3 client keeps the store's contract against a live server.

use minilab_handler::contract;
use minilab_lambda::{Credentials, Endpoint, S3Access, S3Store};

fn store(endpoint: &str) -> S3Store {
    S3Store::new(S3Access {
        credentials: Credentials {
            access_key_id: "test".to_owned(),
            secret_access_key: "test".to_owned(),
            session_token: None,
        },
        region: "us-east-1".to_owned(),
        endpoint: Some(Endpoint::parse(endpoint).expect("an URL")),
    })
}

#[tokio::test]
#[ignore = "needs an S3 server with an empty bucket `contract`: name it in MINILAB_TEST_S3"]
async fn a_live_server_keeps_the_contract() {
    #[expect(clippy::disallowed_methods, reason = "a test that is run by hand")]
    let endpoint = std::env::var("MINILAB_TEST_S3").expect("MINILAB_TEST_S3=http://host:port");
    contract::check(&store(&endpoint), "contract").await;
}
