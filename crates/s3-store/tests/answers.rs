//! What the store makes of answers that no S3 gives: those of whatever stands
//! before it.

#[expect(dead_code, reason = "the tests of the bootstrap look at whole requests, these at the method alone")]
#[path = "../../lambda/tests/bootstrap/http.rs"]
mod http;

use http::{Request, Response, response, serve};
use minilab_handler::Store;
use minilab_handler::store::{Cause, StoreError};
use minilab_s3_store::{Credentials, Endpoint, S3Access, S3Store};

fn store(answer: impl Fn(Request) -> Option<Response> + Send + Sync + 'static) -> S3Store {
    let credentials = Credentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: None,
    };
    let endpoint = Endpoint::parse(&format!("http://{}", serve(answer))).expect("a URL");
    S3Store::new(S3Access { credentials, region: "us-east-1".to_owned(), endpoint: Some(endpoint) })
}

fn cause<T>(result: Result<T, StoreError>) -> Option<Cause> {
    result.err().map(|error| error.cause)
}

const NO_SUCH_KEY: &str = "<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>";

#[tokio::test]
async fn an_object_is_absent_where_s3_says_so() {
    let store = store(|_| Some(response(404, &[], NO_SUCH_KEY)));
    assert_eq!(store.head("b", "k").await.expect("an answer"), None);
    assert!(store.get("b", "k", 1).await.expect("an answer").is_none());
    store.delete("b", "k").await.expect("it is not there");
}

/// A proxy whose route is missing for a moment: prints would be deleted, and the
/// event acknowledged.
#[tokio::test]
async fn a_404_of_a_gateway_says_nothing_of_the_object() {
    let bodies = ["", "404 page not found", "<html><body>not found</body></html>"];
    for body in bodies {
        let store = store(move |_| Some(response(404, &[("content-type", "text/plain")], body)));
        assert_eq!(cause(store.head("b", "k").await), Some(Cause::Unavailable), "HEAD, {body:?}");
        assert_eq!(cause(store.get("b", "k", 1).await), Some(Cause::Unavailable), "GET, {body:?}");
        assert_eq!(cause(store.delete("b", "k").await), Some(Cause::Unavailable), "DELETE, {body:?}");
    }
}

#[tokio::test]
async fn an_object_that_get_shows_is_not_absent() {
    let store = store(|request| {
        Some(if request.method == "HEAD" {
            response(404, &[], "")
        } else {
            response(200, &[("etag", "\"e\"")], "bytes")
        })
    });
    assert_eq!(cause(store.head("b", "k").await), Some(Cause::Unavailable));
}
