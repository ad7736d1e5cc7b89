//! The whole cloud in a process of its own that is killed with SIGKILL at some
//! moment, again and again: what was acknowledged is there, byte for byte, and
//! was handled; what was not is there whole or not at all.

mod probe;

use std::collections::BTreeMap;
use std::fmt::Write as _;
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

/// The function copies what is below `up/`; `plain` and `kept` (which keeps
/// versions) are the clients' own.
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
        buckets: ["source", "target", "plain", "kept"].map(str::to_owned).to_vec(),
        function,
        policy: json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::source/*" },
            { "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::target/*" },
        ]}),
        triggers: vec![Trigger {
            bucket: "source".to_owned(),
            prefix: "up/".to_owned(),
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

/// A small generator, so that each round is another and can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// Bytes that do not repeat, so that a piece of another object shows.
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length.div_ceil(8))
            .flat_map(|_| {
                self.below(u64::MAX);
                self.0.to_le_bytes()
            })
            .take(length)
            .collect()
    }
}

const CLIENTS: u64 = 3;

/// What a key may hold: one value once it is known, two after an operation
/// that the kill left open. `None` is no object.
type Held = Vec<Option<Vec<u8>>>;

/// What one client did and knows.
#[derive(Default)]
struct Client {
    number: u64,
    /// By path: what may be there.
    keys: BTreeMap<String, Held>,
    /// By path with a version: acknowledged once, there for ever.
    versions: BTreeMap<String, Vec<u8>>,
    uploaded: Vec<(String, Vec<u8>)>,
    operations: u64,
}

impl Client {
    /// Runs one operation that makes `path` hold `after`. The answer's headers
    /// are returned, or `None` when the cloud went away.
    fn change(
        &mut self,
        path: &str,
        after: Option<Vec<u8>>,
        run: impl FnOnce() -> Option<(u16, String)>,
    ) -> Option<String> {
        let held = self.keys.entry(path.to_owned()).or_insert_with(|| vec![None]);
        let Some((status, headers)) = run() else {
            held.push(after);
            return None;
        };
        assert!(matches!(status, 200 | 204), "{path}: {status} {headers}");
        *held = vec![after];
        self.operations += 1;
        Some(headers)
    }

    /// One operation of some kind; `None` when the cloud is gone.
    fn step(&mut self, signer: &Signer, dice: &mut Dice) -> Option<()> {
        let send = |method: &str, path: &str, headers: &[(&str, String)], body: &[u8]| {
            signer.try_exchange(method, path, headers, body).map(|(status, head, _)| (status, head))
        };
        // Few keys, so that most writes meet what another has written before.
        let path =
            |bucket: &str, dice: &mut Dice, number: u64| format!("/{bucket}/{number}/{}", dice.below(5));
        let size = dice.below(60_000) as usize;
        match dice.below(20) {
            0..6 => {
                let key = format!("up/{}/{}", self.number, self.operations + dice.below(1 << 40));
                // Some keep the function busy, so that a kill comes while it works.
                let body = if dice.below(4) == 0 { b"wait 60".to_vec() } else { dice.bytes(size) };
                let target = format!("/source/{key}");
                self.change(&target, Some(body.clone()), || send("PUT", &target, &[], &body))?;
                self.uploaded.push((key, body));
            }
            6..11 => {
                let target = path("plain", dice, self.number);
                let body = dice.bytes(size);
                self.change(&target, Some(body.clone()), || send("PUT", &target, &[], &body))?;
            }
            11..13 => {
                let target = path("plain", dice, self.number);
                self.change(&target, None, || send("DELETE", &target, &[], b""))?;
            }
            13..15 => {
                let (from, to) = (path("plain", dice, self.number), path("plain", dice, self.number));
                let Some([Some(body)]) = self.keys.get(&from).map(Vec::as_slice) else { return Some(()) };
                if from == to {
                    return Some(());
                }
                let body = body.clone();
                let source = [("x-amz-copy-source", from)];
                self.change(&to, Some(body), || send("PUT", &to, &source, b""))?;
            }
            15..19 => {
                let target = path("kept", dice, self.number);
                if dice.below(4) == 0 {
                    self.change(&target, None, || send("DELETE", &target, &[], b""))?;
                } else {
                    let body = dice.bytes(size);
                    let head =
                        self.change(&target, Some(body.clone()), || send("PUT", &target, &[], &body))?;
                    let version = head.lines().find_map(|line| line.strip_prefix("x-amz-version-id: "));
                    let version = version.expect("a version").trim().to_owned();
                    self.versions.insert(format!("{target}?versionId={version}"), body);
                }
            }
            _ => self.multipart(signer, dice)?,
        }
        Some(())
    }

    /// Two parts, the first of the least size that S3 takes.
    fn multipart(&mut self, signer: &Signer, dice: &mut Dice) -> Option<()> {
        let target = format!("/plain/{}/{}", self.number, dice.below(5));
        let (status, _, body) = signer.try_exchange("POST", &format!("{target}?uploads="), &[], b"")?;
        assert_eq!(status, 200);
        let text = String::from_utf8(body).unwrap();
        let id = text.split_once("<UploadId>")?.1.split_once("</UploadId>")?.0.to_owned();
        let parts = [dice.bytes(5 << 20), dice.bytes(7000)];
        let mut list = String::from("<CompleteMultipartUpload>");
        for (index, part) in parts.iter().enumerate() {
            let number = index + 1;
            let path = format!("{target}?partNumber={number}&uploadId={id}");
            let (status, head, _) = signer.try_exchange("PUT", &path, &[], part)?;
            assert_eq!(status, 200, "{head}");
            let etag = head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("an etag").trim();
            let _ = write!(list, "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
        }
        list.push_str("</CompleteMultipartUpload>");
        let whole = parts.concat();
        self.change(&target, Some(whole), || {
            let path = format!("{target}?uploadId={id}");
            let (status, head, body) = signer.try_exchange("POST", &path, &[], list.as_bytes())?;
            // It may say 200 first and then go away in the middle of the document.
            String::from_utf8_lossy(&body)
                .contains("</CompleteMultipartUploadResult>")
                .then_some((status, head))
        })
        .map(drop)
    }

    /// Reads everything back, and settles what a kill had left open.
    fn verify(&mut self, signer: &Signer) {
        for (path, held) in &mut self.keys {
            let found = match signer.send("GET", path, b"") {
                (200, body) => Some(body),
                (404, _) => None,
                (status, body) => panic!("{path}: {status} {}", String::from_utf8_lossy(&body)),
            };
            let sizes = |one: &Option<Vec<u8>>| one.as_ref().map(Vec::len);
            assert!(
                held.contains(&found),
                "{path} holds {:?} bytes, not any of {:?}",
                sizes(&found),
                held.iter().map(sizes).collect::<Vec<_>>()
            );
            *held = vec![found];
        }
        for (path, body) in &self.versions {
            assert_eq!(signer.send("GET", path, b""), (200, body.clone()), "{path}");
        }
    }
}

/// The first start alone sets this up.
fn keep_versions(signer: &Signer) {
    let body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(signer.send("PUT", "/kept?versioning=", body).0, 200);
}

async fn kill_again_and_again(rounds: u64, seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut clients: Vec<Client> =
        (0..CLIENTS).map(|number| Client { number, ..Client::default() }).collect();
    let mut dice = Dice(seed);
    for round in 0..rounds {
        let (mut child, signer) = start(folder.path());
        if round == 0 {
            keep_versions(&signer);
        }
        let killed = AtomicBool::new(false);
        let moment = Duration::from_millis(30 + dice.below(220));
        std::thread::scope(|scope| {
            for client in &mut clients {
                let (signer, killed) = (&signer, &killed);
                let mut dice =
                    Dice(seed ^ ((round << 8) | (client.number + 1)).wrapping_mul(0x9E37_79B9_7F4A_7C15));
                scope.spawn(move || {
                    while !killed.load(Ordering::Relaxed) && client.step(signer, &mut dice).is_some() {}
                });
            }
            std::thread::sleep(moment);
            child.kill().unwrap();
            child.wait().unwrap();
            killed.store(true, Ordering::Relaxed);
        });
    }
    let operations: u64 = clients.iter().map(|client| client.operations).sum();
    let uploads: usize = clients.iter().map(|client| client.uploaded.len()).sum();
    println!("{rounds} kills, {operations} acknowledged operations, {uploads} of them uploads with an event");
    assert!(operations > rounds && uploads > 0, "only {operations} operations were acknowledged");
    let cloud = Cloud::start(config(folder.path())).await.unwrap();
    assert_eq!(cloud.storage().recovery().missing, 0);
    tokio::time::timeout(Duration::from_mins(10), cloud.idle()).await.expect("idle").unwrap();
    assert_eq!(cloud.failed_events().await.unwrap(), []);
    let signer = Signer {
        endpoint: cloud.s3_endpoint().to_owned(),
        access_key_id: cloud.credentials().access_key_id.clone(),
        secret_access_key: cloud.credentials().secret_access_key.clone(),
        session_token: None,
    };
    tokio::task::spawn_blocking(move || {
        for mut client in clients {
            client.verify(&signer);
            for (key, body) in &client.uploaded {
                assert_eq!(signer.send("GET", &format!("/target/{key}"), b""), (200, body.clone()), "{key}");
            }
        }
    })
    .await
    .unwrap();
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_a_kill_is_there_and_is_handled() {
    kill_again_and_again(8, 0x6D69_6E69).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak: two hundred kills take minutes"]
async fn two_hundred_kills_lose_nothing() {
    kill_again_and_again(200, 0x6C61_6200).await;
}
