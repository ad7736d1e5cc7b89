//! A disk that is full, or that becomes read-only: clients are told so, nothing
//! that was acknowledged is lost, and work goes on when the disk does.
//!
//! The cloud runs in a mount namespace of its own (`unshare`), on a disk in
//! memory; the shell that starts it does to the disk what it is told.

mod probe;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use minilab_local::cloud::{Cloud, CloudConfig, Trigger};
use probe::s3::Signer;
use serde_json::json;

#[test]
#[ignore = "this is the function that the other tests run, not a test"]
fn function() {
    probe::run();
}

#[test]
#[ignore = "this is the cloud that the other tests run, not a test"]
fn cloud_process() {
    let folder = probe::variable("PROBE_DATA_DIR").expect("told where");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        match Cloud::start(config(Path::new(&folder))).await {
            Ok(cloud) => {
                let key = cloud.credentials();
                println!("\nREADY {} {} {}", cloud.s3_endpoint(), key.access_key_id, key.secret_access_key);
                std::future::pending::<()>().await;
            }
            Err(error) => println!("\nERROR {error}"),
        }
    });
}

fn config(data_dir: &Path) -> CloudConfig {
    let mut function = probe::spec("function");
    function.env.push(("PROBE_COPY_TO".to_owned(), "target".to_owned()));
    function.retry_delays = vec![Duration::from_millis(200)];
    CloudConfig {
        data_dir: data_dir.to_owned(),
        s3_addr: "127.0.0.1:0".parse().unwrap(),
        console_addr: None,
        region: "us-east-1".to_owned(),
        account: "123456789012".to_owned(),
        buckets: ["source", "target", "plain"].map(str::to_owned).to_vec(),
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

/// A shell in its own namespace with a disk of 24 MB at `$D`.
struct Machine {
    shell: Child,
    commands: ChildStdin,
    lines: Receiver<String>,
}

impl Machine {
    fn new(folder: &Path) -> Self {
        let mut shell = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh"])
            .env("D", folder)
            .env("PROBE_DATA_DIR", folder.join("data"))
            .env("CLOUD", std::env::current_exe().unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("unshare of util-linux, and the right to use it");
        let (sender, lines) = channel();
        let output = BufReader::new(shell.stdout.take().unwrap());
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let commands = shell.stdin.take().unwrap();
        let mut machine = Self { shell, commands, lines };
        machine.run("mount -t tmpfs -o size=24m tmpfs $D");
        machine
    }

    /// Runs a command to its end.
    fn run(&mut self, command: &str) {
        writeln!(self.commands, "{command} && echo DONE || echo FAILED").unwrap();
        assert_eq!(self.line(), "DONE", "{command}");
    }

    /// The next line that is for us; the test harness of the cloud's process prints others.
    fn line(&self) -> String {
        let until = Instant::now() + Duration::from_mins(1);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).expect("an answer of the shell or the cloud");
            if ["DONE", "FAILED", "READY", "ERROR"].iter().any(|word| line.starts_with(word)) {
                return line;
            }
        }
    }

    fn start(&mut self) -> String {
        writeln!(self.commands, "$CLOUD cloud_process --exact --ignored --nocapture & pid=$!").unwrap();
        self.line()
    }

    fn start_well(&mut self) -> Signer {
        let ready = self.start();
        let words: Vec<&str> = ready.split(' ').collect();
        let ["READY", endpoint, key, secret] = words[..] else { panic!("{ready}") };
        Signer {
            endpoint: endpoint.to_owned(),
            access_key_id: key.to_owned(),
            secret_access_key: secret.to_owned(),
            session_token: None,
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // With the cloud, should the shell have died before it.
        let group = i32::try_from(self.shell.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.shell.wait();
    }
}

fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_mins(1);
    while !done() {
        assert!(Instant::now() < until, "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_full_disk_refuses_uploads_keeps_what_it_has_and_works_again_once_emptied() {
    let folder = tempfile::tempdir().unwrap();
    let mut machine = Machine::new(folder.path());
    let signer = machine.start_well();
    let megabyte = vec![b'm'; 1 << 20];
    let mut stored = Vec::new();
    let refused = loop {
        let path = format!("/plain/{}", stored.len());
        match signer.send("PUT", &path, &megabyte) {
            (200, _) => stored.push(path),
            refused => break refused,
        }
        assert!(stored.len() < 30, "24 MB hold no 30");
    };
    let text = String::from_utf8_lossy(&refused.1).into_owned();
    assert_eq!(refused.0, 507, "{text}");
    assert!(text.contains("<Code>StorageFull</Code>") && text.contains("free some space"), "{text}");
    assert_eq!(signer.send("GET", &format!("/plain/{}", stored.len()), b"").0, 404);
    // Not even the reserve is left now: the database itself cannot grow.
    machine.run("{ cat /dev/zero > $D/hog 2>/dev/null; true; }");
    for (method, path) in [("PUT", "/source/late"), ("PUT", "/plain/late"), ("DELETE", "/plain/0")] {
        let (status, body) = signer.send(method, path, b"late");
        assert!(
            status == 507 || status == 204,
            "{method} {path}: {status} {}",
            String::from_utf8_lossy(&body)
        );
        if status == 204 {
            stored.retain(|kept| kept != path);
        }
    }
    for path in &stored {
        assert!(signer.send("GET", path, b"") == (200, megabyte.clone()), "{path}");
    }
    machine.run("rm $D/hog");
    for path in stored.drain(..4) {
        assert_eq!(signer.send("DELETE", &path, b"").0, 204, "{path}");
    }
    assert_eq!(signer.send("PUT", "/source/late", b"late").0, 200);
    eventually("the function's copy", || signer.send("GET", "/target/late", b"") == (200, b"late".to_vec()));
    // And what a killed process finds at its next start.
    machine.run("kill -9 $pid");
    let signer = machine.start_well();
    for path in &stored {
        assert!(signer.send("GET", path, b"") == (200, megabyte.clone()), "{path}");
    }
    assert_eq!(signer.send("GET", "/plain/late", b"").0, 404);
}

#[test]
fn an_event_whose_copy_finds_the_disk_full_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut machine = Machine::new(folder.path());
    let signer = machine.start_well();
    // The function reads, waits, and then finds no room for its copy.
    assert_eq!(signer.send("PUT", "/source/k", b"wait 700").0, 200);
    machine.run("{ cat /dev/zero > $D/hog 2>/dev/null; true; }");
    std::thread::sleep(Duration::from_millis(1200));
    assert_eq!(signer.send("GET", "/target/k", b"").0, 404);
    machine.run("rm $D/hog");
    eventually("the copy", || signer.send("GET", "/target/k", b"") == (200, b"wait 700".to_vec()));
}

#[test]
fn a_read_only_folder_is_named_and_a_running_cloud_refuses_until_it_is_writable() {
    let folder = tempfile::tempdir().unwrap();
    let mut machine = Machine::new(folder.path());
    let signer = machine.start_well();
    assert_eq!(signer.send("PUT", "/plain/kept", b"kept").0, 200);
    machine.run("mount --bind -o ro $D/data/objects/incoming $D/data/objects/incoming");
    machine.run("mount -o remount,bind,ro $D/data/objects/incoming");
    let (status, body) = signer.send("PUT", "/plain/late", b"late");
    let text = String::from_utf8_lossy(&body).into_owned();
    assert_eq!(status, 503, "{text}");
    assert!(
        text.contains("<Code>StorageReadOnly</Code>") && text.contains("check its permissions"),
        "{text}"
    );
    assert_eq!(signer.send("GET", "/plain/kept", b""), (200, b"kept".to_vec()));
    assert_eq!(signer.send("GET", "/plain/late", b"").0, 404);
    machine.run("umount $D/data/objects/incoming");
    assert_eq!(signer.send("PUT", "/plain/late", b"late").0, 200);
    machine.run("kill -9 $pid; wait $pid; true");
    machine.run("mount -o remount,ro $D");
    let error = machine.start();
    assert!(error.contains("data folder") && error.contains("writable"), "{error}");
    machine.run("mount -o remount,rw $D");
    let signer = machine.start_well();
    assert_eq!(signer.send("GET", "/plain/late", b""), (200, b"late".to_vec()));
}
