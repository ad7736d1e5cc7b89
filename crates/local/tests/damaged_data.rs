//! Data folders that something else has damaged: each start says which file it
//! is and what to do, and changes nothing.

use minilab_local::notify::{EventName, Origin, Place};
use minilab_local::storage::{Algorithm, Attributes, NewObject, Reception, Storage, WriteCondition};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

const OBJECTS: usize = 60;

fn open(folder: &Path) -> Result<Storage, String> {
    Storage::open(folder, Place::default(), Arc::new(|| ())).map_err(|error| error.to_string())
}

async fn put(storage: &Storage, key: &str) {
    let body = futures::stream::iter([Ok(bytes::Bytes::from(key.repeat(50)))]);
    let reception = Reception { algorithms: vec![Algorithm::Crc64Nvme], limit: u64::MAX };
    let received = storage.receive(body, reception).await.unwrap();
    let object = NewObject {
        bucket: "b".to_owned(),
        key: key.to_owned(),
        attributes: Attributes::default(),
        tags: Vec::new(),
        algorithm: Algorithm::Crc64Nvme,
        condition: WriteCondition::default(),
        event: EventName::CreatedPut,
    };
    storage.put(&object, received, &Origin::default()).unwrap();
}

async fn filled(folder: &Path) {
    let storage = open(folder).unwrap();
    storage.create_bucket("b").unwrap();
    for number in 0..OBJECTS {
        put(&storage, &format!("key {number}")).await;
    }
}

/// Every file with its bytes, by path.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                found.insert(path.strip_prefix(folder).unwrap().display().to_string(), bytes);
            }
        }
    }
    found
}

#[tokio::test]
async fn a_damaged_database_is_named_and_its_objects_stay() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path()).await;
    let database = folder.path().join("cloud.db");
    let whole = fs::read(&database).unwrap();
    assert!(whole.len() > 40_000 && !folder.path().join("cloud.db-wal").exists());
    let garbage = |from: usize, until: usize| {
        let mut bytes = whole.clone();
        bytes[from..until].fill(0xA5);
        bytes
    };
    let cases = [
        ("no database at all", None, "objects"),
        ("an empty one", Some(Vec::new()), "objects"),
        ("a header only", Some(whole[..100].to_vec()), "damaged"),
        ("half a page", Some(whole[..2000].to_vec()), "damaged"),
        ("half of it", Some(whole[..whole.len() / 2 / 4096 * 4096].to_vec()), "damaged"),
        ("all but the last page", Some(whole[..whole.len() - 4096].to_vec()), "damaged"),
        ("a garbled header", Some(garbage(0, 64)), "damaged"),
        ("a garbled page", Some(garbage(3 * 4096, 4 * 4096)), "damaged"),
        ("another kind of file", Some(b"hello ".repeat(1000)), "damaged"),
    ];
    for (what, bytes, word) in cases {
        match &bytes {
            Some(bytes) => fs::write(&database, bytes).unwrap(),
            None => fs::remove_file(&database).unwrap(),
        }
        let before = contents(folder.path());
        let error = open(folder.path()).map(drop).expect_err(what);
        assert!(error.contains("cloud.db") && error.contains(word), "{what}: {error}");
        assert!(error.contains("put a copy") || error.contains("Put a copy"), "{what}: {error}");
        assert_eq!(error.lines().count(), 1, "{what}: {error}");
        let after = contents(folder.path());
        let objects = |all: &BTreeMap<String, Vec<u8>>| {
            all.iter()
                .filter(|(path, _)| path.starts_with("objects/") || *path == "cloud.db")
                .map(|(path, bytes)| (path.clone(), bytes.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(objects(&before), objects(&after), "{what}: nothing is changed");
    }
    fs::write(&database, &whole).unwrap();
    let storage = open(folder.path()).unwrap();
    assert_eq!((storage.recovery().removed, storage.recovery().missing), (0, 0));
    for number in 0..OBJECTS {
        let key = format!("key {number}");
        let (info, _) = storage.open_object("b", &key, None).unwrap();
        assert_eq!(info.size as usize, key.len() * 50);
    }
}

#[tokio::test]
async fn a_torn_end_of_the_log_loses_nothing_that_was_committed_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let storage = open(folder.path()).unwrap();
    storage.create_bucket("b").unwrap();
    put(&storage, "k").await;
    // As power loss leaves it: the database as it was, the log with a torn end.
    let copy = tempfile::tempdir().unwrap();
    for (name, bytes) in contents(folder.path()) {
        let target = copy.path().join(name);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bytes).unwrap();
    }
    let log = copy.path().join("cloud.db-wal");
    let mut bytes = fs::read(&log).unwrap();
    bytes.extend_from_slice(&[0x5A; 3000]);
    fs::write(&log, bytes).unwrap();
    let again = open(copy.path()).unwrap();
    assert_eq!(again.open_object("b", "k", None).unwrap().0.size, 50);
}

#[tokio::test]
#[ignore = "soak: makes a hundred thousand objects"]
async fn a_start_with_a_hundred_thousand_objects() {
    const MANY: usize = 100_000;
    let folder = tempfile::tempdir().unwrap();
    {
        let storage = open(folder.path()).unwrap();
        storage.create_bucket("b").unwrap();
        put(&storage, "model").await;
        // Rows and files as a put makes them, without a sync for each.
        let objects = folder.path().join("objects");
        storage
            .database()
            .write(|tx| -> rusqlite::Result<()> {
                let mut version = tx.prepare(
                    "INSERT INTO object_version SELECT ?1, bucket, CAST(?2 AS BLOB), version, 1, 0, size, etag, modified_ms,
                     attributes, tags, checksum FROM object_version WHERE bucket = 'b' AND key = CAST('model' AS BLOB)",
                )?;
                let mut segment = tx.prepare("INSERT INTO segment VALUES (?1, 0, ?2, 5)")?;
                for number in 1..MANY {
                    let blob = format!("{:02x}{number:030x}", number % 256);
                    version.execute(rusqlite::params![number as i64, format!("folder/key {number:06}.jpg")])?;
                    segment.execute(rusqlite::params![number as i64, blob])?;
                    fs::write(objects.join(&blob[..2]).join(&blob[2..]), b"bytes").unwrap();
                }
                Ok(())
            })
            .unwrap();
    }
    for half in ["objects/incoming/half", "objects/00/ffffffffffffffffffffffffffffff"] {
        fs::write(folder.path().join(half), b"interrupted").unwrap();
    }
    let begun = std::time::Instant::now();
    let storage = open(folder.path()).unwrap();
    println!("opened {MANY} objects in {:?}", begun.elapsed());
    assert_eq!((storage.recovery().removed, storage.recovery().missing), (2, 0));
}
