//! The processed bucket agrees with the source, whatever happens on the way.

use crate::support::{NO_DEADLINE, Scripted, Step, expected, found, handler, memory, until_stuck};
use futures_executor::block_on;
use minilab_handler::store::{Cause, Head, Metadata, Object, Operation, Page, Put, StoreError};
use minilab_handler::verdict::Failure;
use minilab_handler::{Clock, MemoryStore, State, Store};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Everything that `key` of the source bucket can be.
const STATES: [Option<&str>; 4] = [Some("400x300 one"), Some("640x480 two"), Some("not a picture"), None];

fn set(memory: &MemoryStore, key: &str, state: Option<&'static str>) {
    match state {
        Some(bytes) => memory.upload("film", key, bytes),
        None => memory.remove("film", key),
    }
}

/// More operations than any run of one key has; loops over them end earlier.
const MORE_THAN_A_RUN: usize = 1000;

/// A processed bucket that agrees with `state`.
fn settled(state: Option<&'static str>) -> Arc<MemoryStore> {
    let memory = memory();
    set(&memory, "a.png", state);
    block_on(handler(memory.clone()).reconcile("a.png", NO_DEADLINE)).expect("nothing is in the way");
    memory
}

#[test]
fn from_every_state_to_every_other_the_prints_follow() {
    for before in STATES {
        for after in STATES {
            let memory = settled(before);
            set(&memory, "a.png", after);
            let outcome = block_on(handler(memory.clone()).reconcile("a.png", NO_DEADLINE)).expect("settles");
            assert_eq!(outcome.rounds, 1, "{before:?} then {after:?}");
            assert_eq!(found(&memory), expected(&memory), "{before:?} then {after:?}");
            let prints = if after.is_some_and(|text| text.contains('x')) { 3 } else { 0 };
            assert_eq!(outcome.written, prints, "{before:?} then {after:?}");
        }
    }
}

#[test]
fn a_print_says_where_it_comes_from_and_how_to_serve_it() {
    let memory = settled(STATES[0]);
    let source = memory.object("film", "a.png").expect("uploaded");
    let print = memory.object("paper", "small/a.png").expect("printed");
    assert_eq!(print.content_type, "image/png");
    assert_eq!(print.cache_control, crate::support::recipe().outputs[0].cache_control);
    assert_eq!(print.metadata["minilab-source"], "a.png");
    assert_eq!(print.metadata["minilab-source-bucket"], "film");
    assert_eq!(print.metadata["minilab-source-etag"], source.etag);
    assert_eq!(print.metadata["minilab-recipe"], crate::support::recipe().digest());
}

#[test]
fn a_report_names_the_object_the_reason_and_the_recipe() {
    let memory = settled(STATES[2]);
    let report = memory.object("paper", "failures/a.png.json").expect("reported");
    let json: serde_json::Value = serde_json::from_slice(&report.bytes).expect("JSON");
    assert_eq!(report.content_type, "application/json");
    for (field, value) in [
        ("bucket", "film"),
        ("key", "a.png"),
        ("etag", &memory.object("film", "a.png").expect("uploaded").etag),
        ("code", "not-an-image"),
        ("recipe", &crate::support::recipe().digest()),
        ("time", "2026-01-02T03:04:05.000Z"),
    ] {
        assert_eq!(json[field], value, "{field}");
    }
    assert_eq!(json["size"], 13);
    assert!(json["reason"].as_str().is_some_and(|reason| reason.contains("upload a picture")), "{json}");
}

#[test]
fn an_oversize_source_is_rejected_unread() {
    let memory = memory();
    memory.upload("film", "a.png", "400x300 and so on");
    let recipe = crate::support::recipe();
    let limits = minilab_imaging::Limits { input_bytes: 5, ..recipe.limits };
    let renderer = Arc::new(crate::support::FakeRenderer::default());
    let handler = minilab_handler::Handler::new(
        recipe,
        limits,
        memory.clone(),
        renderer.clone(),
        Arc::new(crate::support::FakeClock::default()),
        minilab_handler::Options::default(),
    );
    let outcome = block_on(handler.reconcile("a.png", NO_DEADLINE)).expect("a rejection is no error");
    assert!(matches!(outcome.state, State::Rejected { code: "over-limit", .. }), "{outcome:?}");
    assert_eq!(renderer.renders.load(Ordering::Relaxed), 0);
    assert_eq!(memory.keys("paper"), ["failures/a.png.json"]);
}

/// The source changes once, just before the n-th operation of a run.
fn changed_at(
    number: usize,
    before: Option<&'static str>,
    after: Option<&'static str>,
) -> (Arc<MemoryStore>, Scripted) {
    let memory = settled(before);
    let inside = memory.clone();
    let scripted = Scripted::new(memory.clone(), move |call| {
        if call.number == number {
            set(&inside, "a.png", after);
        }
        Step::Go
    });
    (memory, scripted)
}

#[test]
fn a_source_that_changes_at_any_moment_of_a_run_is_caught_up_with() {
    for before in STATES {
        for after in STATES {
            for number in 0..MORE_THAN_A_RUN {
                let (memory, scripted) = changed_at(number, before, after);
                let handler = handler(scripted);
                block_on(handler.reconcile("a.png", NO_DEADLINE)).expect("settles");
                if handler.store().calls() <= number {
                    break;
                }
                assert_eq!(
                    found(&memory),
                    expected(&memory),
                    "{before:?} then {after:?} at operation {number}"
                );
            }
        }
    }
}

/// What a handler without the final look would see: the state it has read.
struct NoSecondLook {
    inner: Scripted,
    seen: std::sync::Mutex<Option<Head>>,
}

impl Store for NoSecondLook {
    async fn get(&self, bucket: &str, key: &str, max_bytes: u64) -> Result<Option<Object>, StoreError> {
        let object = self.inner.get(bucket, key, max_bytes).await?;
        *self.seen.lock().unwrap() = object.as_ref().map(|object| object.head().clone());
        Ok(object)
    }

    async fn head(&self, bucket: &str, key: &str) -> Result<Option<Head>, StoreError> {
        if bucket == "film" {
            Ok(self.seen.lock().unwrap().clone())
        } else {
            self.inner.head(bucket, key).await
        }
    }

    async fn put(&self, bucket: &str, key: &str, put: Put) -> Result<(), StoreError> {
        self.inner.put(bucket, key, put).await
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        self.inner.delete(bucket, key).await
    }

    async fn list(&self, bucket: &str, prefix: &str, from: Option<&str>) -> Result<Page, StoreError> {
        self.inner.list(bucket, prefix, from).await
    }
}

#[test]
fn without_the_final_look_a_change_would_be_missed() {
    let (memory, scripted) = changed_at(2, STATES[0], STATES[1]);
    let handler = handler(NoSecondLook { inner: scripted, seen: std::sync::Mutex::default() });
    block_on(handler.reconcile("a.png", NO_DEADLINE)).expect("believes that it is done");
    assert_ne!(found(&memory), expected(&memory), "or the test above proves nothing");
}

#[test]
fn a_crash_at_any_operation_is_healed_by_the_retry() {
    for before in STATES {
        for after in STATES {
            for crash in [Step::CrashBefore, Step::CrashAfter] {
                for number in 0..MORE_THAN_A_RUN {
                    let memory = settled(before);
                    set(&memory, "a.png", after);
                    let scripted =
                        Scripted::new(
                            memory.clone(),
                            move |call| {
                                if call.number == number { crash } else { Step::Go }
                            },
                        );
                    // Dropped where it stands, uploads in flight included.
                    if until_stuck(handler(scripted).reconcile("a.png", NO_DEADLINE)).is_some() {
                        break;
                    }
                    block_on(handler(memory.clone()).reconcile("a.png", NO_DEADLINE)).expect("settles");
                    assert_eq!(
                        found(&memory),
                        expected(&memory),
                        "{before:?} then {after:?}, {crash:?} {number}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_source_that_never_rests_is_left_to_a_later_try() {
    let memory = memory();
    memory.upload("film", "a.png", "1x1 0");
    let inside = memory.clone();
    let scripted = Scripted::new(memory, move |call| {
        if call.bucket == "film" && call.operation == Operation::Head {
            inside.upload("film", "a.png", format!("1x1 {}", call.number));
        }
        Step::Go
    });
    let error = block_on(handler(scripted).reconcile("a.png", NO_DEADLINE)).expect_err("five rounds");
    assert!(matches!(error, Failure::Unsettled { rounds: 5, .. }), "{error}");
}

#[test]
fn a_store_that_recovers_within_the_tries_is_waited_for() {
    for cause in [Cause::Throttled, Cause::Unavailable, Cause::TimedOut] {
        let memory = memory();
        memory.upload("film", "a.png", "400x300");
        // Each operation on each object fails four times before it works.
        let mut tries: HashMap<(Operation, String), u32> = HashMap::new();
        let scripted = Scripted::new(memory.clone(), move |call| {
            let tries = tries.entry((call.operation, call.key.to_owned())).or_default();
            *tries += 1;
            if *tries > 4 { Step::Go } else { Step::Fail(cause) }
        });
        let handler = handler(scripted);
        let result = block_on(handler.reconcile("a.png", NO_DEADLINE));
        if cause == Cause::TimedOut {
            // Done within five tries; but the four that got no answer may still happen.
            let error = result.expect_err("writes in doubt");
            assert!(matches!(error, Failure::Unanswered { .. }), "{error}");
        } else {
            result.expect("within five tries");
        }
        assert_eq!(found(&memory), expected(&memory), "{cause:?}");
        assert!(
            handler.clock().now() >= Duration::from_millis(750),
            "four pauses of at least half of 100, 200, …"
        );
    }
}

#[test]
fn only_a_write_without_an_answer_is_in_doubt() {
    for (operation, in_doubt) in [
        (Operation::Get, false),
        (Operation::Head, false),
        (Operation::List, false),
        (Operation::Put, true),
        (Operation::Delete, true),
    ] {
        let memory = settled(STATES[0]);
        set(&memory, "a.png", STATES[1]);
        let mut left = 1;
        let scripted = Scripted::new(memory.clone(), move |call| {
            if call.operation == operation && left > 0 {
                left -= 1;
                return Step::Fail(Cause::TimedOut);
            }
            Step::Go
        });
        let result = block_on(handler(scripted).reconcile("a.png", NO_DEADLINE));
        assert_eq!(result.is_err(), in_doubt, "{operation:?}: {result:?}");
        assert_eq!(found(&memory), expected(&memory), "{operation:?}: it is done all the same");
    }
}

#[test]
fn a_write_in_doubt_is_told_whatever_fails_after_it() {
    for doubtful in [true, false] {
        let memory = settled(STATES[0]);
        set(&memory, "a.png", STATES[1]);
        let mut left = u32::from(doubtful);
        let scripted = Scripted::new(memory, move |call| match call.operation {
            Operation::Put if left > 0 => {
                left -= 1;
                Step::Fail(Cause::TimedOut)
            }
            // The last look at the source.
            Operation::Head if call.key == "a.png" => Step::Fail(Cause::Unavailable),
            _ => Step::Go,
        });
        let (account, failure) = block_on(handler(scripted).attempt("a.png", NO_DEADLINE));
        assert!(matches!(failure, Some(Failure::Store(error)) if error.cause == Cause::Unavailable));
        assert_eq!(account.outcome.in_doubt, doubtful);
    }
}

#[test]
fn uploads_dropped_in_flight_put_a_rejection_in_doubt() {
    // The first upload is refused for good while the second is under way; the
    // renderer then finds that the picture is torn.
    struct Torn;
    impl minilab_handler::Renderer for Torn {
        async fn render(
            &self,
            job: minilab_handler::Job,
            mut prints: futures_channel::mpsc::Sender<minilab_imaging::Rendition>,
        ) -> Result<usize, Failure> {
            for print in crate::support::prints_of(&job.recipe, &job.source_key, &job.picture)? {
                let _ = futures_util::SinkExt::send(&mut prints, print).await;
            }
            Err(Failure::Picture(minilab_imaging::Error::NotAnImage { found: "half a picture".to_owned() }))
        }
    }
    let memory = memory();
    memory.upload("film", "a.png", "400x300");
    let scripted = Scripted::new(memory.clone(), |call| match (call.operation, call.key) {
        (Operation::Put, "small/a.png") => Step::CrashBefore,
        (Operation::Put, "mosaic-a.png") => Step::Fail(Cause::Denied),
        _ => Step::Go,
    });
    let recipe = crate::support::recipe();
    let clock = Arc::new(crate::support::FakeClock::default());
    let limits = recipe.limits;
    let handler = minilab_handler::Handler::new(
        recipe,
        limits,
        scripted,
        Torn,
        clock,
        minilab_handler::Options::default(),
    );
    let error = block_on(handler.reconcile("a.png", NO_DEADLINE)).expect_err("an upload is in doubt");
    assert!(matches!(error, Failure::Unanswered { .. }), "{error}");
    assert_eq!(memory.keys("paper"), ["failures/a.png.json"], "rejected all the same");
}

#[test]
fn a_store_that_stays_away_is_an_error_after_five_tries() {
    let memory = memory();
    memory.upload("film", "a.png", "400x300");
    let handler = handler(Scripted::new(memory, |_| Step::Fail(Cause::Unavailable)));
    let error = block_on(handler.reconcile("a.png", NO_DEADLINE)).expect_err("it stays away");
    assert!(matches!(&error, Failure::Store(error) if error.cause == Cause::Unavailable), "{error}");
    assert_eq!(handler.store().calls(), 5);
}

#[test]
fn no_pause_passes_the_deadline() {
    let memory = memory();
    memory.upload("film", "a.png", "400x300");
    let handler = handler(Scripted::new(memory, |_| Step::Fail(Cause::Throttled)));
    let deadline = Duration::from_millis(300);
    block_on(handler.reconcile("a.png", deadline)).expect_err("it stays away");
    assert!(handler.clock().now() < deadline);
    assert!(handler.store().calls() < 5);
    let error = block_on(handler.reconcile("a.png", Duration::ZERO)).expect_err("no time at all");
    assert!(matches!(error, Failure::Deadline { .. }), "{error}");
}

#[test]
fn access_denied_to_the_source_leaves_its_prints_alone() {
    for cause in [Cause::Denied, Cause::Credentials, Cause::Archived, Cause::NoSuchBucket, Cause::Other] {
        let memory = settled(STATES[0]);
        let before = found(&memory);
        let scripted =
            Scripted::new(
                memory.clone(),
                move |call| {
                    if call.bucket == "film" { Step::Fail(cause) } else { Step::Go }
                },
            );
        let handler = handler(scripted);
        block_on(handler.reconcile("a.png", NO_DEADLINE)).expect_err("never taken for absent");
        assert_eq!(handler.store().calls(), 1, "{cause:?} is not cured by pausing");
        assert_eq!(found(&memory), before, "{cause:?}");
    }
}

#[test]
fn a_failed_upload_is_an_error_and_the_retry_completes_it() {
    let memory = memory();
    memory.upload("film", "a.png", "400x300");
    let scripted = Scripted::new(memory.clone(), |call| {
        if call.key == "mosaic-a.png" { Step::Fail(Cause::Denied) } else { Step::Go }
    });
    let error =
        block_on(handler(scripted).reconcile("a.png", NO_DEADLINE)).expect_err("one print is missing");
    assert!(error.to_string().contains("allow s3:PutObject on arn:aws:s3:::paper/mosaic-a.png"), "{error}");
    block_on(handler(memory.clone()).reconcile("a.png", NO_DEADLINE)).expect("settles");
    assert_eq!(found(&memory), expected(&memory));
}

fn stored(bytes: &'static str, source: Option<&str>) -> Put {
    let metadata = source.map(|source| ("minilab-source".to_owned(), source.to_owned()));
    Put {
        bytes: bytes.into(),
        content_type: "image/png",
        cache_control: String::new(),
        metadata: metadata.into_iter().collect::<Metadata>(),
    }
}

#[test]
fn what_another_source_or_a_person_has_put_there_is_not_deleted() {
    let memory = memory();
    for (key, source) in [
        ("small/a.png", Some("b.png")),
        ("mosaic-a.png", None),
        ("sized/a.png_1x1.png", Some("b.png")),
        ("sized/a.png_2x2.png", Some("a.png")),
        ("sized/a.png_axb.png", Some("a.png")),
        ("failures/a.png.json", None),
    ] {
        block_on(memory.put("paper", key, stored("theirs", source))).expect("memory");
    }
    let outcome = block_on(handler(memory.clone()).reconcile("a.png", NO_DEADLINE)).expect("absent");
    assert_eq!(outcome.state, State::Absent);
    assert_eq!(
        memory.keys("paper"),
        ["failures/a.png.json", "mosaic-a.png", "sized/a.png_1x1.png", "sized/a.png_axb.png", "small/a.png"],
        "only the print that names this source and has a key that it leads to is gone"
    );
}

/// Two recipes print into one bucket, and both source buckets have the key.
#[test]
fn what_was_made_of_another_source_bucket_is_not_deleted() {
    for (source, left) in [(None, 3), (Some("400x300"), 5)] {
        let memory = memory();
        for (key, bucket) in [
            ("b/a.png", Some("film-b")),
            ("sized/a.png_1x1.png", Some("film-b")),
            ("failures/a.png.json", Some("film-b")),
            ("sized/a.png_2x2.png", Some("film")),
            ("sized/a.png_3x3.png", None),
        ] {
            let mut put = stored("theirs", Some("a.png"));
            put.metadata.extend(bucket.map(|name| ("minilab-source-bucket".to_owned(), name.to_owned())));
            block_on(memory.put("paper", key, put)).expect("memory");
        }
        set(&memory, "a.png", source);
        let outcome = block_on(handler(memory.clone()).reconcile("a.png", NO_DEADLINE)).expect("settles");
        assert_eq!(outcome.deleted, 2, "its own, and the one that names no bucket");
        for key in ["b/a.png", "sized/a.png_1x1.png", "failures/a.png.json"] {
            assert!(memory.object("paper", key).is_some(), "{key}, {source:?}");
        }
        assert_eq!(memory.keys("paper").len(), left + usize::from(source.is_some()), "{source:?}");
    }
}

#[test]
fn our_own_prints_and_folder_markers_are_no_sources() {
    let memory = memory();
    block_on(memory.put("film", "a.png", stored("400x300", Some("elsewhere.png")))).expect("memory");
    memory.upload("film", "folder/", "");
    for key in ["a.png", "folder/"] {
        let handler = handler(memory.clone());
        let outcome = block_on(handler.reconcile(key, NO_DEADLINE)).expect("ignored");
        assert!(matches!(outcome.state, State::Ignored { .. }), "{key}: {outcome:?}");
    }
    assert_eq!(memory.keys("paper"), Vec::<String>::new());
}
