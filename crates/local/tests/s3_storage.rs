//! Storage as a whole: what is acknowledged is there, with its events; what
//! is refused or interrupted leaves nothing.

use bytes::Bytes;
use futures::StreamExt as _;
use minilab_local::notify::{EventName, Origin, Place, Rule};
use minilab_local::storage::{
    Algorithm, Attributes, BodyError, CompletedPart, EtagMatch, NewObject, NewUpload, ObjectInfo, OpenError,
    Paging, Received, Reception, Recovery, Storage, StorageError, WriteCondition,
};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Fixture {
    folder: tempfile::TempDir,
    woken: Arc<AtomicUsize>,
    storage: Storage,
}

fn open(folder: &Path, woken: &Arc<AtomicUsize>) -> Result<Storage, OpenError> {
    let woken = Arc::clone(woken);
    Storage::open(folder, Place::default(), Arc::new(move || _ = woken.fetch_add(1, Ordering::SeqCst)))
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let woken = Arc::new(AtomicUsize::new(0));
        let storage = open(folder.path(), &woken).unwrap();
        storage.create_bucket("b").unwrap();
        Self { folder, woken, storage }
    }

    fn reopen(self) -> Self {
        let Self { folder, woken, storage } = self;
        drop(storage);
        let storage = open(folder.path(), &woken).unwrap();
        Self { folder, woken, storage }
    }

    fn listen(&self) {
        let rule = Rule {
            id: "rule".to_owned(),
            function: "arn:aws:lambda:us-east-1:123456789012:function:f".to_owned(),
            events: vec!["s3:ObjectCreated:*".to_owned(), "s3:ObjectRemoved:*".to_owned()],
            prefix: String::new(),
            suffix: String::new(),
        };
        self.storage.set_notifications("b", &[rule]).unwrap();
    }

    async fn receive(&self, data: &[u8]) -> Received {
        let chunks: Vec<Result<Bytes, BodyError>> =
            data.chunks(100_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        let reception = Reception { algorithms: vec![Algorithm::Crc64Nvme], limit: u64::MAX };
        self.storage.receive(futures::stream::iter(chunks), reception).await.unwrap()
    }

    async fn put(&self, key: &str, data: &[u8]) -> Option<String> {
        self.put_if(key, data, WriteCondition::default()).await.unwrap()
    }

    async fn put_if(
        &self,
        key: &str,
        data: &[u8],
        condition: WriteCondition,
    ) -> Result<Option<String>, StorageError> {
        let received = self.receive(data).await;
        self.storage.put(&object(key, condition), received, &Origin::default()).map(|stored| stored.version)
    }

    async fn read(&self, key: &str, version: Option<&str>) -> Result<Vec<u8>, StorageError> {
        let (info, reader) = self.storage.open_object("b", key, version)?;
        let mut data = Vec::new();
        let mut stream = std::pin::pin!(reader.stream(0..info.size));
        while let Some(chunk) = stream.next().await {
            data.extend_from_slice(&chunk?);
        }
        Ok(data)
    }

    fn delete(&self, key: &str, version: Option<&str>) -> minilab_local::storage::Deleted {
        self.storage.delete("b", key, version, &WriteCondition::default(), &Origin::default()).unwrap()
    }

    fn files(&self) -> usize {
        fs::read_dir(self.folder.path().join("objects"))
            .unwrap()
            .map(|shard| fs::read_dir(shard.unwrap().path()).unwrap().count())
            .sum()
    }

    /// Event name, key and sequencer of every queued invocation.
    fn events(&self) -> Vec<(String, String, String)> {
        self.storage
            .database()
            .read(|connection| {
                connection
                    .prepare("SELECT payload FROM invocations ORDER BY id")?
                    .query_map([], |row| row.get::<_, Vec<u8>>(0))?
                    .collect::<Result<Vec<_>, _>>()
            })
            .unwrap()
            .into_iter()
            .map(|payload| {
                let message: serde_json::Value = serde_json::from_slice(&payload).unwrap();
                let record = &message["Records"][0];
                let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
                let object = &record["s3"]["object"];
                (text(&record["eventName"]), text(&object["key"]), text(&object["sequencer"]))
            })
            .collect()
    }
}

fn object(key: &str, condition: WriteCondition) -> NewObject {
    NewObject {
        bucket: "b".to_owned(),
        key: key.to_owned(),
        attributes: Attributes::default(),
        tags: Vec::new(),
        algorithm: Algorithm::Crc64Nvme,
        condition,
        event: EventName::CreatedPut,
    }
}

#[tokio::test]
async fn an_object_and_its_event_become_true_together() {
    let fixture = Fixture::new();
    fixture.listen();
    fixture.put("a b", b"one").await;
    let unwanted = WriteCondition { if_none_match: Some(EtagMatch::Any), if_match: None };
    let refused = fixture.put_if("a b", b"two", unwanted).await;
    assert!(matches!(refused, Err(StorageError::PreconditionFailed(_))), "{refused:?}");
    assert_eq!(fixture.read("a b", None).await.unwrap(), b"one");
    assert_eq!((fixture.files(), fixture.woken.load(Ordering::SeqCst)), (1, 1));
    fixture.delete("a b", None);
    fixture.delete("a b", None);
    let events = fixture.events();
    let names: Vec<_> = events.iter().map(|event| (event.0.as_str(), event.1.as_str())).collect();
    assert_eq!(names, [("ObjectCreated:Put", "a+b"), ("ObjectRemoved:Delete", "a+b")]);
    assert!(events[0].2 < events[1].2, "sequencers grow: {events:?}");
    assert_eq!(fixture.files(), 0);
}

#[tokio::test]
async fn reopening_removes_what_was_interrupted_and_keeps_what_was_acknowledged() {
    let fixture = Fixture::new();
    let large = vec![7; 700_000];
    fixture.put("large", &large).await;
    fixture.put("empty", b"").await;
    let upload = fixture
        .storage
        .create_upload(&NewUpload {
            bucket: "b".to_owned(),
            key: "k".to_owned(),
            attributes: Attributes::default(),
            tags: Vec::new(),
            checksum: None,
        })
        .unwrap();
    let part = fixture.receive(b"part").await;
    let part = fixture.storage.put_part("b", "k", &upload, 1, part).unwrap();
    let objects = fixture.folder.path().join("objects");
    fs::write(objects.join("incoming").join("x"), b"half").unwrap();
    fs::write(objects.join("00").join("0".repeat(30)), b"renamed, not committed").unwrap();

    let fixture = fixture.reopen();
    assert_eq!(fixture.storage.recovery(), Recovery { removed: 2, missing: 0 });
    assert_eq!(fixture.read("large", None).await.unwrap(), large);
    assert_eq!(fixture.read("empty", None).await.unwrap(), b"");
    let listed = [CompletedPart { number: 1, etag: part.etag, checksum: None }];
    let condition = WriteCondition::default();
    fixture
        .storage
        .complete_upload("b", "k", &upload, &listed, None, &condition, &Origin::default())
        .unwrap();
    assert_eq!(fixture.read("k", None).await.unwrap(), b"part");
}

#[tokio::test]
async fn two_processes_cannot_share_a_folder() {
    let fixture = Fixture::new();
    assert!(matches!(open(fixture.folder.path(), &fixture.woken), Err(OpenError::InUse(_))));
}

#[tokio::test]
async fn versions_follow_the_buckets_state() {
    let fixture = Fixture::new();
    assert_eq!(fixture.put("k", b"unversioned").await, None);
    fixture.storage.set_versioning("b", true).unwrap();
    let first = fixture.put("k", b"first").await.unwrap();
    let second = fixture.put("k", b"second").await.unwrap();
    assert_eq!(fixture.read("k", Some("null")).await.unwrap(), b"unversioned");
    assert_eq!(fixture.read("k", Some(&first)).await.unwrap(), b"first");

    let marker = fixture.delete("k", None);
    assert!(marker.marker);
    assert!(matches!(fixture.read("k", None).await, Err(StorageError::NoSuchKey { marker: Some(_), .. })));
    let marker_version = marker.version.unwrap();
    assert!(matches!(
        fixture.read("k", Some(&marker_version)).await,
        Err(StorageError::IsDeleteMarker { .. })
    ));
    assert!(fixture.delete("k", Some(&marker_version)).marker);
    assert_eq!(fixture.read("k", None).await.unwrap(), b"second");
    fixture.delete("k", Some(&second));
    assert_eq!(fixture.read("k", None).await.unwrap(), b"first");

    fixture.storage.set_versioning("b", false).unwrap();
    assert_eq!(fixture.put("k", b"suspended").await.as_deref(), Some("null"));
    assert_eq!(fixture.files(), 2, "the old null version is replaced, the first stays");
    assert_eq!(fixture.delete("k", None).version.as_deref(), Some("null"));
    assert_eq!(fixture.read("k", Some(&first)).await.unwrap(), b"first");
    let paging = Paging { limit: 10, ..Paging::default() };
    let listed = fixture.storage.list_versions("b", &paging, None).unwrap();
    let listed: Vec<_> =
        listed.entries.iter().map(|info| (info.version.as_str(), info.marker, info.latest)).collect();
    assert_eq!(listed, [("null", true, true), (first.as_str(), false, false)]);
}

#[tokio::test]
async fn a_reader_finishes_what_was_replaced_and_deleted_meanwhile() {
    let fixture = Fixture::new();
    let data: Vec<u8> = (0..900_000_u32).map(|n| (n % 251) as u8).collect();
    fixture.put("k", &data).await;
    let (info, reader) = fixture.storage.open_object("b", "k", None).unwrap();
    let mut stream = std::pin::pin!(reader.stream(1..info.size - 1));
    let mut read = stream.next().await.unwrap().unwrap().to_vec();
    fixture.put("k", b"new").await;
    fixture.delete("k", None);
    while let Some(chunk) = stream.next().await {
        read.extend_from_slice(&chunk.unwrap());
    }
    assert_eq!(read, data[1..data.len() - 1]);
}

#[tokio::test]
async fn any_legal_key_is_stored_and_listed_in_byte_order() {
    let fixture = Fixture::new();
    let long = "k".repeat(1024);
    let mut keys = ["a//b", "..", "../x", "/lead", "trail/", "a b+%", "日本", "é", "~", "a\tb", &long];
    for key in keys {
        fixture.put(key, key.as_bytes()).await;
    }
    keys.sort_unstable();
    let listed = fixture.storage.list("b", &Paging { limit: 100, ..Paging::default() }).unwrap();
    assert_eq!(listed.entries.iter().map(|info| info.key.as_str()).collect::<Vec<_>>(), keys);
    for key in keys {
        assert_eq!(fixture.read(key, None).await.unwrap(), key.as_bytes());
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing() {
    let fixture = Fixture::new();
    let body: Vec<Result<Bytes, BodyError>> =
        vec![Ok(Bytes::from(vec![1; 600_000])), Err("the connection was reset".into())];
    let reception = Reception { algorithms: Vec::new(), limit: u64::MAX };
    let broken = fixture.storage.receive(futures::stream::iter(body), reception).await;
    assert!(matches!(broken, Err(StorageError::Body(_))));
    let body: Vec<Result<Bytes, BodyError>> = vec![Ok(Bytes::from(vec![1; 11]))];
    let reception = Reception { algorithms: Vec::new(), limit: 10 };
    let long = fixture.storage.receive(futures::stream::iter(body), reception).await;
    assert!(matches!(long, Err(StorageError::TooLarge { limit: 10 })));
    // The write under way when the body broke may end after the answer.
    let fixture = fixture.reopen();
    assert_eq!(fixture.files(), 0);
}

#[tokio::test]
async fn what_is_replaced_or_deleted_behind_a_reader_hides_nothing_before_it() {
    let fixture = Fixture::new();
    for key in ["in/a", "in/b", "in/c", "in/d", "in/e", "in/f", "out/g"] {
        fixture.put(key, b"1").await;
    }
    let part = |last: Option<&ObjectInfo>| fixture.storage.older("b", "in/", last, 2).unwrap();
    let keys = |part: &[ObjectInfo]| part.iter().map(|info| info.key.clone()).collect::<Vec<_>>();
    let first = part(None);
    assert_eq!(keys(&first), ["in/f", "in/e"]);
    fixture.put("in/f", b"2").await;
    fixture.delete("in/e", None);
    let second = part(first.last());
    assert_eq!(keys(&second), ["in/d", "in/c"]);
    fixture.delete("in/c", None);
    let third = part(second.last());
    assert_eq!(keys(&third), ["in/b", "in/a"]);
    assert_eq!(keys(&part(third.last())), Vec::<String>::new());
}
