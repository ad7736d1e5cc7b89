//! What every [`Store`] must do, as one suite that every backend runs against
//! its live self. Owns no backend; leaves the bucket as it found it.

use crate::store::{Cause, Metadata, Object, Put, Store};
use bytes::Bytes;

/// Keys that naive clients change on their way: path normalisation, double
/// decoding, form encoding.
pub const AWKWARD_KEYS: [&str; 16] = [
    "plain.jpg",
    "with space.jpg",
    "plus+sign.jpg",
    "per%cent.jpg",
    "per%20cent.jpg",
    "a//b",
    "//lead",
    "trail/",
    "../x",
    "a/../b",
    "a/./b",
    "Übergröße (1)/日本語 🙂.jpg",
    "q?x=1&y=2#z",
    "!-_.*'();:@=,$[]{}|^`\"<>~",
    "back\\slash",
    ".",
];

fn put(bytes: &'static [u8], metadata: &[(&str, &str)]) -> Put {
    Put {
        bytes: Bytes::from_static(bytes),
        content_type: "image/png",
        cache_control: "max-age=60".to_owned(),
        metadata: metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    }
}

/// Runs the whole suite against `store` in an existing, empty `bucket`.
///
/// # Panics
/// When the store breaks the contract; the message says where.
pub async fn check<S: Store>(store: &S, bucket: &str) {
    absent_objects(store, bucket).await;
    round_trip(store, bucket).await;
    bounded_reads(store, bucket).await;
    awkward_keys(store, bucket).await;
    listing(store, bucket).await;
    missing_bucket(store, bucket).await;
}

async fn absent_objects<S: Store>(store: &S, bucket: &str) {
    assert_eq!(store.get(bucket, "absent", 10).await, Ok(None), "get of an absent key");
    assert_eq!(opened(store, bucket, "absent", 10).await, None, "opening of an absent key");
    assert_eq!(store.head(bucket, "absent").await, Ok(None), "head of an absent key");
    assert_eq!(store.delete(bucket, "absent").await, Ok(()), "delete of an absent key");
    let page = store.list(bucket, "", None).await.expect("list of an empty bucket");
    assert_eq!((page.keys.len(), page.next), (0, None), "an empty bucket lists as empty");
}

async fn round_trip<S: Store>(store: &S, bucket: &str) {
    let metadata = [("minilab-source", "a%20b"), ("minilab-recipe", "0123")];
    store.put(bucket, "k", put(b"first", &metadata)).await.expect("put");
    let head = store.head(bucket, "k").await.expect("head").expect("the object is there after its put");
    assert_eq!(head.size, 5, "the size is that of the bytes");
    assert!(!head.etag.is_empty() && !head.etag.contains('"'), "an etag without quotes: {:?}", head.etag);
    let expected: Metadata = metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    assert_eq!(head.metadata, expected, "metadata comes back as it went in");
    let got = store.get(bucket, "k", 5).await.expect("get").expect("present");
    assert_eq!(
        got,
        Object::Whole { head: head.clone(), bytes: Bytes::from_static(b"first") },
        "get agrees with head"
    );
    assert_eq!(opened(store, bucket, "k", 5).await, Some(got), "what is opened is what is got");

    store.put(bucket, "k", put(b"second", &[])).await.expect("overwrite");
    let after = store.head(bucket, "k").await.expect("head").expect("present");
    assert_ne!(after.etag, head.etag, "other bytes, other etag");
    assert_eq!(after.metadata, Metadata::new(), "an overwrite replaces the metadata");
    store.put(bucket, "k", put(b"first", &[])).await.expect("overwrite");
    let back = store.head(bucket, "k").await.expect("head").expect("present");
    assert_eq!(back.etag, head.etag, "equal bytes, equal etag");

    store.put(bucket, "k", put(b"", &[])).await.expect("an empty object");
    let empty = store.get(bucket, "k", 0).await.expect("get").expect("an empty object is present");
    assert!(matches!(&empty, Object::Whole { bytes, .. } if bytes.is_empty()), "{empty:?}");

    store.delete(bucket, "k").await.expect("delete");
    assert_eq!(store.head(bucket, "k").await, Ok(None), "absent after its delete");
    store.delete(bucket, "k").await.expect("deleting twice");
}

async fn bounded_reads<S: Store>(store: &S, bucket: &str) {
    store.put(bucket, "k", put(b"12345", &[("m", "v")])).await.expect("put");
    let got = store.get(bucket, "k", 4).await.expect("get").expect("present");
    let head = store.head(bucket, "k").await.expect("head").expect("present");
    assert_eq!(got, Object::Oversize { head }, "over the bound: the state and no bytes");
    assert_eq!(opened(store, bucket, "k", 4).await, Some(got), "so it is when opened");
    store.delete(bucket, "k").await.expect("delete");
}

async fn awkward_keys<S: Store>(store: &S, bucket: &str) {
    let long = "k".repeat(1024);
    let mut keys: Vec<&str> = AWKWARD_KEYS.to_vec();
    keys.push(&long);
    for key in &keys {
        store.put(bucket, key, put(b"x", &[])).await.unwrap_or_else(|error| panic!("put {key:?}: {error}"));
    }
    keys.sort_unstable();
    assert_eq!(every_key(store, bucket, "").await, keys, "keys list as they were put");
    for key in &keys {
        let got = store.get(bucket, key, 1).await.unwrap_or_else(|error| panic!("get {key:?}: {error}"));
        assert!(got.is_some(), "{key:?} reads back");
        let head = store.head(bucket, key).await.unwrap_or_else(|error| panic!("head {key:?}: {error}"));
        assert!(head.is_some(), "{key:?} is seen by head");
        store.delete(bucket, key).await.unwrap_or_else(|error| panic!("delete {key:?}: {error}"));
        assert_eq!(store.head(bucket, key).await, Ok(None), "{key:?} is deleted");
    }
}

async fn listing<S: Store>(store: &S, bucket: &str) {
    for key in ["p/1", "p/2", "p/3 x", "p/4+y", "p/ü", "q/1", "p"] {
        store.put(bucket, key, put(b"x", &[])).await.expect("put");
    }
    assert_eq!(every_key(store, bucket, "p/").await, ["p/1", "p/2", "p/3 x", "p/4+y", "p/ü"]);
    assert_eq!(every_key(store, bucket, "p/3 ").await, ["p/3 x"], "a prefix with a space");
    assert_eq!(every_key(store, bucket, "r").await, Vec::<String>::new());
    for key in every_key(store, bucket, "").await {
        store.delete(bucket, &key).await.expect("delete");
    }
}

async fn missing_bucket<S: Store>(store: &S, bucket: &str) {
    let missing = format!("{bucket}-that-is-not-there");
    let error = store.put(&missing, "k", put(b"x", &[])).await.expect_err("put into no bucket");
    assert_eq!(error.cause, Cause::NoSuchBucket, "{error}");
    let error = store.get(&missing, "k", 1).await.expect_err("get from no bucket: not the same as no object");
    assert_eq!(error.cause, Cause::NoSuchBucket, "{error}");
    let error = store.open(&missing, "k", 1).await.map(|_| ()).expect_err("open in no bucket");
    assert_eq!(error.cause, Cause::NoSuchBucket, "{error}");
    let error = store.list(&missing, "", None).await.expect_err("list of no bucket");
    assert_eq!(error.cause, Cause::NoSuchBucket, "{error}");
}

/// What comes of an object that is opened.
async fn opened<S: Store>(store: &S, bucket: &str, key: &str, max_bytes: u64) -> Option<Object> {
    let opened = store.open(bucket, key, max_bytes).await.expect("open")?;
    Some(opened.whole().await.expect("its bytes"))
}

async fn every_key<S: Store>(store: &S, bucket: &str, prefix: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut from: Option<String> = None;
    loop {
        let page = store.list(bucket, prefix, from.as_deref()).await.expect("list");
        keys.extend(page.keys);
        match page.next {
            None => return keys,
            Some(next) => from = Some(next),
        }
    }
}
