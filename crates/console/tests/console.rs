//! The console over a whole small cloud: what the page is told, and who is told.

#[path = "../../local/tests/probe/mod.rs"]
mod probe;
#[path = "../../local/tests/probe/cloud.rs"]
mod probe_cloud;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use minilab_console::ConsolePage;
use minilab_local::cloud::{Additions, Cloud, StartError};
use probe::s3::exchange;
use probe_cloud::{config, idle, send};
use serde_json::{Value, json};

#[test]
#[ignore = "this is the function that the other tests run, not a test"]
fn function() {
    probe::run();
}

async fn start(folder: &Path) -> Result<Cloud, StartError> {
    let additions = Additions { extension: None, page: Some(Arc::new(ConsolePage::default())) };
    Cloud::start_with(config(folder), additions).await
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
    let cloud = start(folder.path()).await.unwrap();
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
    let cloud = start(folder.path()).await.unwrap();
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
