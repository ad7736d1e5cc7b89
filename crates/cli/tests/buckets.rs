//! `minilab backfill` and `minilab failures`, as a person types them, against
//! the S3 of the small cloud.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use minilab_handler::Store as _;
use minilab_handler::store::{Metadata, Put};
use minilab_handler::tag;
use minilab_local::activity::Activity;
use minilab_local::cloud::{Cloud, CloudConfig, Trigger};
use minilab_local::lambda::FunctionSpec;
use minilab_s3_store::{Credentials, Endpoint, S3Access, S3Store};
use serde_json::{Value, json};
use tempfile::TempDir;

const PICTURE: &[u8] = include_bytes!("../../../tests/golden/png/rgb8/input.png");

const RECIPE: &str = r#"
[source]
bucket = "film"
[processed]
bucket = "paper"
[[output]]
key = "tiny/{key}"
pixelate = { cells = 4 }
[[output]]
key = "sized/{dir}{stem}_{width}x{height}.{ext}"
resize = { width = 8 }
format = "webp"
"#;

/// A running small cloud, a recipe beside it, and the binary at work on both.
struct Lab {
    cloud: Cloud,
    folder: TempDir,
    store: Arc<S3Store>,
}

impl Lab {
    async fn start(recipe: &str, buckets: &[&str], triggers: Vec<Trigger>) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), recipe, buckets, triggers).await
    }

    async fn in_folder(folder: TempDir, recipe: &str, buckets: &[&str], triggers: Vec<Trigger>) -> Self {
        std::fs::write(folder.path().join("minilab.toml"), recipe).unwrap();
        let mut function = FunctionSpec::new("minilab", env!("CARGO_BIN_EXE_minilab").into());
        function.args = vec!["function".to_owned()];
        function.env = vec![("MINILAB_RECIPE".to_owned(), recipe.to_owned())];
        let cloud = Cloud::start(CloudConfig {
            data_dir: folder.path().join("data"),
            s3_addr: "127.0.0.1:0".parse().unwrap(),
            console_addr: None,
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
            buckets: buckets.iter().map(|&bucket| bucket.to_owned()).collect(),
            function,
            policy: json!({ "Version": "2012-10-17", "Statement": [
                { "Effect": "Allow", "Action": "s3:*", "Resource": "*" }
            ] }),
            triggers,
            root_credentials: None,
        })
        .await
        .unwrap();
        let store = Arc::new(S3Store::new(S3Access {
            credentials: Credentials {
                access_key_id: cloud.credentials().access_key_id.clone(),
                secret_access_key: cloud.credentials().secret_access_key.clone(),
                session_token: None,
            },
            region: "us-east-1".to_owned(),
            endpoint: Some(Endpoint::parse(cloud.s3_endpoint()).unwrap()),
        }));
        Self { cloud, folder, store }
    }

    fn recipe(&self, text: &str) {
        std::fs::write(self.folder.path().join("minilab.toml"), text).unwrap();
    }

    async fn put(&self, bucket: &str, key: &str, bytes: &'static [u8]) {
        let put = Put {
            bytes: Bytes::from_static(bytes),
            content_type: "application/octet-stream",
            cache_control: String::new(),
            metadata: Metadata::new(),
        };
        self.store.put(bucket, key, put).await.unwrap();
    }

    /// Keys with their etags and times: equal only where nothing was written.
    async fn objects(&self, bucket: &str) -> BTreeMap<String, (String, SystemTime)> {
        let mut found = BTreeMap::new();
        let mut from: Option<String> = None;
        loop {
            let page = self.store.list_objects(bucket, "", from.as_deref(), None).await.unwrap();
            found.extend(page.objects.into_iter().map(|object| (object.key, (object.etag, object.modified))));
            match page.next {
                None => return found,
                next => from = next,
            }
        }
    }

    async fn keys(&self, bucket: &str) -> Vec<String> {
        self.objects(bucket).await.into_keys().collect()
    }

    fn command(&self, args: &[&str]) -> Command {
        let credentials = self.cloud.credentials();
        let mut command = Command::new(env!("CARGO_BIN_EXE_minilab"));
        command
            .args(args)
            .args(["--endpoint-url", self.cloud.s3_endpoint()])
            .current_dir(self.folder.path())
            .env("AWS_ACCESS_KEY_ID", &credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        for name in ["MINILAB_CONFIG", "MINILAB_LOG", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"]
        {
            command.env_remove(name);
        }
        command
    }

    /// Exit status, standard output's JSON lines, standard error.
    async fn run(&self, args: &[&str]) -> (i32, Vec<Value>, String) {
        let mut command = self.command(args);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        (output.status.code().unwrap(), lines, errors)
    }

    async fn backfill(&self, args: &[&str]) -> (i32, Value, String) {
        let (status, lines, errors) = self.run(&[&["backfill", "--json"], args].concat()).await;
        let summary = lines.last().unwrap_or_else(|| panic!("no summary: {errors}"))["summary"].clone();
        (status, summary, errors)
    }
}

/// The named counts of a summary.
fn counts<const N: usize>(summary: &Value, names: [&str; N]) -> [u64; N] {
    names.map(|name| summary[name].as_u64().unwrap_or_else(|| panic!("{name} in {summary}")))
}

fn buckets() -> [&'static str; 2] {
    ["film", "paper"]
}

/// Counts the writes that the cloud was asked for, until it is dropped.
fn writes(cloud: &Cloud) -> Arc<AtomicUsize> {
    let mut feed = cloud.activity();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok(activity) = feed.recv().await {
            if let Activity::Decision(decision) = &*activity
                && matches!(decision.action.as_str(), "s3:PutObject" | "s3:DeleteObject")
            {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_makes_what_is_missing_and_a_second_one_touches_nothing() {
    let lab = Lab::start(RECIPE, &buckets(), Vec::new()).await;
    let keys: Vec<String> = (0..300).map(|number| format!("in {}/ü+{number}%.png", number % 7)).collect();
    stream::iter(&keys).for_each_concurrent(8, |key| lab.put("film", key, PICTURE)).await;
    lab.put("film", "notes.jpg", b"no picture").await;
    lab.put("film", "folder/", b"").await;
    lab.put("paper", "tiny/of somebody else", b"not ours").await;

    let (status, summary, errors) = lab.backfill(&["--dry-run"]).await;
    assert_eq!(status, 0, "{errors}");
    assert_eq!(counts(&summary, ["sources", "up_to_date", "due", "written"]), [301, 0, 301, 0], "{summary}");
    assert_eq!(summary["due_bytes"], 300 * PICTURE.len() + 10);
    // Looking: a listing, two prints and the report. Making: two prints and a
    // listing; the source twice and the report.
    assert_eq!(counts(&summary["estimate"], ["put_requests", "get_requests"]), [1204, 1806], "{summary}");
    assert_eq!(lab.keys("paper").await.len(), 1, "a dry run writes nothing");

    let (status, summary, errors) = lab.backfill(&[]).await;
    assert_eq!(status, 1, "one is rejected: {errors}");
    assert_eq!(counts(&summary, ["sources", "printed", "rejected", "failed"]), [301, 300, 1, 0], "{summary}");
    let made = lab.objects("paper").await;
    assert_eq!(made.len(), 602, "two prints each, a report, and what is not ours");
    assert!(made.contains_key("failures/notes.jpg.json"));

    let writes = writes(&lab.cloud);
    let (status, summary, errors) = lab.backfill(&["--prune"]).await;
    assert_eq!(status, 0, "{errors}");
    assert_eq!(
        counts(&summary, ["sources", "up_to_date", "due", "written", "deleted", "orphans"]),
        [301, 301, 0, 0, 0, 0],
        "{summary}"
    );
    assert!(lab.objects("paper").await == made, "nothing was written again");
    assert_eq!(writes.load(Ordering::Relaxed), 0, "nothing was even asked for");
    // The counter counts.
    lab.put("paper", "x", b"x").await;
    while writes.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    lab.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_sources_and_changed_recipes_are_due_and_lost_ones_are_pruned() {
    let lab = Lab::start(RECIPE, &buckets(), Vec::new()).await;
    let other = include_bytes!("../../../tests/golden/png/grey8/input.png");
    for key in ["a/1.png", "a/2.png", "b/3.png", "b/4.png"] {
        lab.put("film", key, PICTURE).await;
    }
    let (status, summary, errors) = lab.backfill(&["--prefix", "a/"]).await;
    assert_eq!((status, counts(&summary, ["sources", "printed"])), (0, [2, 2]), "{errors}");
    let (_, summary, _) = lab.backfill(&["--since", "1h", "--start-after", "a/2.png"]).await;
    assert_eq!(counts(&summary, ["sources", "printed"]), [2, 2], "{summary}");
    let (_, summary, _) = lab.backfill(&["--since", "2199-01-01"]).await;
    assert_eq!(counts(&summary, ["sources"]), [0], "{summary}");

    // An overwrite that nobody told of.
    lab.put("film", "a/1.png", other).await;
    let (_, summary, _) = lab.backfill(&[]).await;
    assert_eq!(counts(&summary, ["sources", "up_to_date", "printed"]), [4, 3, 1], "{summary}");
    // A print that somebody deleted.
    lab.store.delete("paper", "tiny/b/3.png").await.unwrap();
    let (_, summary, _) = lab.backfill(&[]).await;
    assert_eq!(counts(&summary, ["up_to_date", "printed"]), [3, 1], "{summary}");

    // Another recipe, which no longer has the listed output.
    let newer = RECIPE.split("[[output]]\nkey = \"sized").next().unwrap().replace("cells = 4", "cells = 2");
    lab.recipe(&newer);
    let (_, summary, _) = lab.backfill(&[]).await;
    assert_eq!(counts(&summary, ["up_to_date", "printed", "written"]), [0, 4, 4], "{summary}");

    // Sources that were deleted while nobody listened: their prints go, those
    // of the older recipe too, and no others.
    for key in ["a/1.png", "b/3.png"] {
        lab.store.delete("film", key).await.unwrap();
    }
    lab.put("paper", "tiny/a/1.png.txt", b"not ours").await;
    let before = lab.keys("paper").await;
    let (_, summary, _) = lab.backfill(&["--prune", "--dry-run"]).await;
    assert_eq!(counts(&summary, ["orphans"]), [4], "{summary}");
    assert_eq!(lab.keys("paper").await, before, "a dry run deletes nothing");
    let (_, summary, _) = lab.backfill(&["--prune", "--prefix", "a/"]).await;
    assert_eq!(counts(&summary, ["orphans", "deleted"]), [2, 2], "{summary}");
    let (status, summary, errors) = lab.backfill(&["--prune"]).await;
    assert_eq!((status, counts(&summary, ["orphans", "deleted"])), (0, [2, 2]), "{errors}");
    let left: Vec<String> = before
        .into_iter()
        .filter(|key| key.contains(".png.") || !(key.contains("a/1") || key.contains("b/3")))
        .collect();
    assert_eq!(lab.keys("paper").await, left);
    lab.cloud.shutdown().await;
}

/// Two recipes print into one bucket.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_made_of_another_source_bucket_is_not_pruned() {
    let recipe = |source: &str, prefix: &str| {
        format!(
            "[source]\nbucket = \"{source}\"\n[processed]\nbucket = \"paper\"\n\
             [[output]]\nkey = \"{prefix}/{{key}}\"\npixelate = {{ cells = 4 }}\n"
        )
    };
    let (a, b) = (recipe("film", "a"), recipe("film-b", "b"));
    let lab = Lab::start(&b, &["film", "film-b", "paper"], Vec::new()).await;
    lab.put("film-b", "y.png", PICTURE).await;
    lab.put("film-b", "notes.png", b"no picture").await;
    let (_, summary, errors) = lab.backfill(&[]).await;
    assert_eq!(counts(&summary, ["printed", "rejected"]), [1, 1], "{errors}");
    lab.recipe(&a);
    for key in ["notes.png", "x.png"] {
        lab.put("film", key, PICTURE).await;
    }
    let (_, summary, errors) = lab.backfill(&[]).await;
    assert_eq!(counts(&summary, ["printed", "deleted"]), [2, 0], "{errors}");

    // As an earlier version made it.
    let (key, bytes) = ("b/old.png", Bytes::from_static(PICTURE));
    let metadata = Metadata::from([(tag::SOURCE.to_owned(), "old.png".to_owned())]);
    let put = Put { bytes, content_type: "image/png", cache_control: String::new(), metadata };
    lab.store.put("paper", key, put).await.unwrap();
    lab.put("film-b", "old.png", PICTURE).await;

    lab.store.delete("film", "x.png").await.unwrap();
    let (_, summary, errors) = lab.backfill(&["--prune"]).await;
    assert_eq!(counts(&summary, ["orphans", "deleted", "unclear"]), [1, 1, 1], "{errors}");
    assert_eq!(
        lab.keys("paper").await,
        ["a/notes.png", "b/old.png", "b/y.png", "failures/notes.png.json"],
        "only the print of x.png is gone"
    );
    // The remedy.
    lab.recipe(&b);
    let (_, summary, errors) = lab.backfill(&[]).await;
    assert_eq!(counts(&summary, ["up_to_date", "printed"]), [2, 1], "{errors}");
    lab.recipe(&a);
    let (_, summary, errors) = lab.backfill(&["--prune"]).await;
    assert_eq!(counts(&summary, ["up_to_date", "orphans", "unclear"]), [1, 0, 0], "{errors}");
    lab.cloud.shutdown().await;
}

/// Sources and prints in one bucket, and a trigger on the sources' prefix.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_triggers_nothing() {
    const SHARED: &str = "[source]\nbucket = \"both\"\nprefix = \"in/\"\n[processed]\nbucket = \"both\"\n\
                          [[output]]\nkey = \"out/{key}\"\npixelate = { cells = 4 }\n";
    let trigger = Trigger {
        bucket: "both".to_owned(),
        prefix: "in/".to_owned(),
        suffix: String::new(),
        events: vec!["s3:ObjectCreated:*".to_owned(), "s3:ObjectRemoved:*".to_owned()],
    };
    // The sources come before the trigger.
    let lab = Lab::start(SHARED, &["both"], Vec::new()).await;
    for number in 0..20 {
        lab.put("both", &format!("in/{number}.png"), PICTURE).await;
    }
    let Lab { cloud, folder, .. } = lab;
    cloud.shutdown().await;
    let lab = Lab::in_folder(folder, SHARED, &["both"], vec![trigger]).await;

    let (status, summary, errors) = lab.backfill(&["--prune"]).await;
    assert_eq!((status, counts(&summary, ["sources", "printed"])), (0, [20, 20]), "{errors}");
    lab.cloud.idle().await.unwrap();
    assert_eq!(lab.cloud.invocations().len(), 0, "no print started the function");
    // The trigger is there.
    lab.put("both", "in/last.png", PICTURE).await;
    lab.cloud.idle().await.unwrap();
    assert_eq!(lab.cloud.invocations().len(), 1);
    lab.cloud.shutdown().await;

    // And a recipe that could is refused before anything is read.
    let folder = tempfile::tempdir().unwrap();
    let looping = SHARED.replace("out/{key}", "in/out/{key}");
    std::fs::write(folder.path().join("minilab.toml"), looping).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_minilab"))
        .arg("backfill")
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_backfill_finishes_what_is_in_hand_and_goes_on_later() {
    let lab = Lab::start(RECIPE, &buckets(), Vec::new()).await;
    let keys: Vec<String> = (0..200).map(|number| format!("{number:03}.png")).collect();
    stream::iter(&keys).for_each_concurrent(8, |key| lab.put("film", key, PICTURE)).await;

    let mut command = lab.command(&["backfill", "--json", "--concurrency", "1"]);
    let (status, lines) = tokio::task::spawn_blocking(move || {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        output.read_line(&mut first).unwrap();
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        (child.wait().unwrap().code(), first + &rest)
    })
    .await
    .unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = &lines.last().unwrap()["summary"];
    let [printed] = counts(summary, ["printed"]);
    assert_eq!((status, &summary["interrupted"]), (Some(1), &Value::from(true)), "{summary}");
    assert!((1..200).contains(&printed), "{summary}");
    assert_eq!(lab.keys("paper").await.len() as u64, 2 * printed, "what was begun is finished");

    let after = summary["resume_after"].as_str().unwrap();
    assert_eq!(after, keys[printed as usize - 1], "everything up to there is done");
    let (status, summary, errors) = lab.backfill(&["--start-after", after]).await;
    assert_eq!((status, counts(&summary, ["up_to_date", "printed"])), (0, [0, 200 - printed]), "{errors}");
    let (_, summary, _) = lab.backfill(&[]).await;
    assert_eq!(counts(&summary, ["up_to_date", "printed"]), [200, 0]);
    lab.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_listed_shown_and_retried() {
    let lab = Lab::start(RECIPE, &buckets(), Vec::new()).await;
    for key in ["a b/ü.jpg", "notes.jpg", "mended.jpg", "gone.jpg"] {
        lab.put("film", key, b"no picture").await;
    }
    lab.backfill(&[]).await;
    lab.put("paper", "failures/stray.json", b"{}").await;

    let (status, lines, errors) = lab.run(&["failures", "list", "--json"]).await;
    let keys: Vec<&str> = lines.iter().map(|line| line["key"].as_str().unwrap()).collect();
    assert_eq!((status, keys), (0, vec!["a b/ü.jpg", "gone.jpg", "mended.jpg", "notes.jpg"]), "{errors}");
    assert!(lines.iter().all(|line| line["code"] == "not-an-image"), "{lines:?}");
    assert!(errors.contains("failures/stray.json is no failure report"), "{errors}");
    let (_, lines, _) = lab.run(&["failures", "list", "--json", "--prefix", "a b/"]).await;
    assert_eq!(lines.len(), 1);

    let (status, lines, _) = lab.run(&["failures", "show", "a b/ü.jpg", "--json"]).await;
    assert_eq!((status, &lines[0]["bucket"], &lines[0]["size"]), (0, &json!("film"), &json!(10)));
    let (status, _, errors) = lab.run(&["failures", "show", "absent.jpg"]).await;
    assert_eq!(status, 1);
    assert!(errors.contains("no report: absent.jpg"), "{errors}");

    // One was mended meanwhile, one was deleted; nobody heard of either.
    lab.put("film", "mended.jpg", PICTURE).await;
    lab.store.delete("film", "gone.jpg").await.unwrap();
    let (status, lines, errors) = lab.run(&["failures", "retry", "--json", "mended.jpg", "notes.jpg"]).await;
    let states: Vec<&str> = lines.iter().map(|line| line["status"].as_str().unwrap()).collect();
    assert_eq!((status, states), (1, vec!["printed", "rejected"]), "{errors}");
    assert!(lab.keys("paper").await.contains(&"tiny/mended.jpg".to_owned()));

    lab.put("film", "notes.jpg", PICTURE).await;
    lab.put("film", "a b/ü.jpg", PICTURE).await;
    let (status, lines, errors) = lab.run(&["failures", "retry", "--all", "--json"]).await;
    let states: BTreeMap<&str, &str> =
        lines.iter().map(|line| (line["key"].as_str().unwrap(), line["status"].as_str().unwrap())).collect();
    let expected = [("a b/ü.jpg", "printed"), ("gone.jpg", "absent"), ("notes.jpg", "printed")];
    assert_eq!((status, states), (0, BTreeMap::from(expected)), "{errors}");
    let (_, lines, _) = lab.run(&["failures", "list", "--json"]).await;
    assert_eq!(lines, Vec::<Value>::new());

    // A key that the recipe does not take is no success.
    lab.recipe(&RECIPE.replace("bucket = \"film\"", "bucket = \"film\"\nprefix = \"in/\""));
    let (status, lines, _) = lab.run(&["failures", "retry", "--json", "notes.jpg"]).await;
    assert_eq!((status, &lines[0]["status"]), (1, &json!("failed")));
    assert!(lines[0]["reason"].as_str().unwrap().contains("s3://film/in/*"), "{lines:?}");
    lab.cloud.shutdown().await;
}

#[test]
fn what_cannot_be_reached_is_one_line_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str], variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_minilab"));
        command.args(args).current_dir(folder.path()).env_clear().env("HOME", folder.path());
        command.env("AWS_EC2_METADATA_DISABLED", "true").envs(variables.iter().copied());
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let keys = [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x")];
    for (args, variables, words) in [
        (&["backfill"][..], &keys[..], "--region"),
        (&["backfill", "--region", "eu-central-1"], &[], "--profile"),
        (&["backfill", "--endpoint-url", "localhost:9000"], &keys, "http://host:port"),
        (&["backfill", "--since", "yesterday"], &keys, "2026-01-31"),
        (&["failures", "list", "--endpoint-url", "http://127.0.0.1:1"], &keys, "unavailable"),
    ] {
        let (status, errors) = run(args, variables);
        assert_eq!(status, Some(2), "{args:?}: {errors}");
        assert!(errors.contains(words) && errors.lines().count() == 1, "{args:?}: {errors}");
    }
}

/// Prints what was measured; `make soak` runs it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes"]
async fn ten_thousand_sources_take_no_more_memory_than_a_thousand() {
    no_more_memory_than_a_thousand(10_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "half an hour"]
async fn a_hundred_thousand_sources_take_no_more_memory_than_a_thousand() {
    no_more_memory_than_a_thousand(100_000).await;
}

async fn no_more_memory_than_a_thousand(count: u32) {
    let lab = Lab::start(RECIPE, &buckets(), Vec::new()).await;
    let put = |range: std::ops::Range<u32>| {
        let lab = &lab;
        async move {
            let keys: Vec<String> = range.map(|number| format!("{}/{number}.png", number % 100)).collect();
            stream::iter(&keys).for_each_concurrent(8, |key| lab.put("film", key, PICTURE)).await;
        }
    };
    put(0..1000).await;
    let (_, small) = peak(&lab, 1000).await;
    put(1000..count).await;
    let (seconds, large) = peak(&lab, u64::from(count) - 1000).await;
    let made = lab.objects("paper").await;
    assert_eq!(made.len(), 2 * count as usize);
    let (again, idle) = peak(&lab, 0).await;
    assert!(lab.objects("paper").await == made, "the second run wrote something");
    println!(
        "1,000 sources: {small} kB; {} more: {large} kB, {seconds:.0} s; again, nothing to do: {idle} kB, {again:.0} s",
        count - 1000
    );
    assert!(large < small + small / 4, "{small} kB for 1,000 sources, {large} kB for {count}");
    lab.cloud.shutdown().await;
}

/// Runs a backfill that is to print `expected`; its seconds and peak memory in kB.
async fn peak(lab: &Lab, expected: u64) -> (f64, u64) {
    let mut command = lab.command(&["backfill", "--json"]);
    tokio::task::spawn_blocking(move || {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        // Looked at all the while: when the last line is read, the process may be gone.
        let status = format!("/proc/{}/status", child.id());
        let sampler = std::thread::spawn(move || {
            let mut peak = 0;
            while let Some(high) = high_water(Path::new(&status)) {
                peak = high;
                std::thread::sleep(Duration::from_millis(20));
            }
            peak
        });
        let output = BufReader::new(child.stdout.take().unwrap());
        let last = output.lines().last().unwrap().unwrap();
        let summary = serde_json::from_str::<Value>(&last).unwrap()["summary"].clone();
        assert!(child.wait().unwrap().success());
        assert_eq!(counts(&summary, ["printed", "failed"]), [expected, 0], "{summary}");
        (summary["seconds"].as_f64().unwrap(), sampler.join().unwrap())
    })
    .await
    .unwrap()
}

/// The most memory that a process had, in kB; `None` when it is gone.
fn high_water(status: &Path) -> Option<u64> {
    let status = std::fs::read_to_string(status).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
