//! One invocation: each key once, every record tried, and an answer that its
//! sender understands.

use crate::support::{
    FakeClock, FakeRenderer, NO_DEADLINE, Scripted, Step, expected, found, handler, memory, recipe,
    until_stuck,
};
use futures_executor::block_on;
use minilab_handler::store::{Cause, Operation};
use minilab_handler::{Clock as _, ErrorKind, Handler, Options};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn s3(keys: &[&str]) -> Value {
    let records: Vec<Value> = keys
        .iter()
        .map(|key| {
            json!({ "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
                    "s3": { "bucket": { "name": "film" }, "object": { "key": key } } })
        })
        .collect();
    json!({ "Records": records })
}

fn sqs(bodies: &[(&str, Value)]) -> Value {
    let records: Vec<Value> = bodies
        .iter()
        .map(|(id, body)| json!({ "eventSource": "aws:sqs", "messageId": id, "body": body.to_string() }))
        .collect();
    json!({ "Records": records })
}

/// What is counted of a batch is what each key's account says, failures included.
#[test]
fn every_key_gives_an_account() {
    let memory = memory();
    for (key, text) in
        [("a.png", "10x10 a"), ("b.png", "no picture"), ("c.png", "10x10 c"), ("d.png", "10x10 d")]
    {
        memory.upload("film", key, text.as_bytes());
    }
    // The first look at a.png fails once, every look at c.png for good.
    let mut first = true;
    let scripted = Scripted::new(memory, move |call| match (call.operation, call.key) {
        (Operation::Get, "a.png") if std::mem::take(&mut first) => Step::Fail(Cause::Throttled),
        (Operation::Get, "c.png") => Step::Fail(Cause::Denied),
        _ => Step::Go,
    });
    let mut accounts = Vec::new();
    let event = s3(&["a.png", "b.png", "c.png", "d.png", "gone.png"]);
    let handler = handler(scripted);
    let answer = block_on(handler.handle_and_tell(&event, NO_DEADLINE, |account| accounts.push(account)));
    assert_eq!(answer.expect_err("c.png must come again").kind, ErrorKind::Retry);
    // A batch is begun at any of its keys.
    accounts.sort_by(|a, b| a.key.cmp(&b.key));
    let seen: Vec<_> = accounts
        .iter()
        .map(|account| {
            let outcome = &account.outcome;
            (account.key.as_str(), account.verdict(), account.code(), outcome.written, outcome.retries)
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("a.png", "printed", None, 3, 1),
            ("b.png", "rejected", Some("not-an-image"), 0, 0),
            ("c.png", "retried", None, 0, 0),
            ("d.png", "printed", None, 3, 0),
            ("gone.png", "absent", None, 0, 0),
        ]
    );
    let first = &accounts[0];
    assert_eq!((first.bucket.as_str(), first.outcome.bytes_in), ("film", 7));
    assert_eq!(first.outcome.formats.iter().collect::<Vec<_>>(), [(&"png", &3)]);
    // The test's clock stands still but for the pause before the second try.
    assert!(first.elapsed > Duration::ZERO && first.outcome.timings.get == first.elapsed, "{first:?}");
    assert!(accounts.iter().all(|account| minilab_handler::State::WORDS.contains(&account.verdict())));
}

#[test]
fn a_batch_is_done_in_full_and_each_key_once() {
    let memory = memory();
    for key in ["a.png", "b c.png"] {
        memory.upload("film", key, format!("400x300 {key}"));
    }
    memory.upload("film", "bad.png", "text");
    let renderer = Arc::new(FakeRenderer::default());
    let recipe = recipe();
    let limits = recipe.limits;
    let handler = Handler::new(
        recipe,
        limits,
        memory.clone(),
        renderer.clone(),
        Arc::new(FakeClock::default()),
        Options::default(),
    );
    let event = s3(&["a.png", "b+c.png", "a.png", "bad.png", "gone.png", "a.png"]);
    let answer = block_on(handler.handle(&event, NO_DEADLINE)).expect("nothing to retry");
    assert_eq!(renderer.renders.load(Ordering::Relaxed), 3, "two pictures and one that is none");
    assert_eq!(found(&memory), expected(&memory));
    let bytes: u64 = expected(&memory).values().map(|bytes| bytes.len() as u64).sum();
    assert_eq!(
        answer,
        json!({ "printed": 2, "absent": 1, "rejected": 1, "ignored": 0, "failed": 0, "written": 6, "deleted": 0,
                "bytes_in": 13 + 15 + 4, "bytes_out": bytes })
    );
}

/// It comes again whole, and is begun elsewhere: in a warm environment as in new ones.
#[test]
fn a_batch_that_outlasts_its_invocations_is_done_in_the_end() {
    let keys: Vec<String> = (0..10).map(|number| format!("{number}.png")).collect();
    let event = s3(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    for warm in [true, false] {
        let memory = memory();
        for key in &keys {
            memory.upload("film", key, "400x300");
        }
        let clock = Arc::new(FakeClock::default());
        let start = |seed| {
            let passing = clock.clone();
            let slow = Scripted::new(memory.clone(), move |call| {
                if call.operation == Operation::Get {
                    until_stuck(passing.sleep(Duration::from_secs(1)));
                }
                Step::Go
            });
            let renderer = Arc::new(FakeRenderer::default());
            let recipe = recipe();
            let limits = recipe.limits;
            let options = Options { seed, ..Options::default() };
            Handler::new(recipe, limits, slow, renderer, clock.clone(), options)
        };
        let mut handler = start(0);
        for attempt in 1..=20 {
            let deadline = clock.now() + Duration::from_secs(3);
            let error = block_on(handler.handle(&event, deadline)).expect_err("time for three of ten");
            assert_eq!(error.kind, ErrorKind::Retry);
            if !warm {
                handler = start(attempt);
            }
        }
        assert_eq!(found(&memory), expected(&memory), "warm: {warm}");
    }
}

#[test]
fn what_is_not_of_this_recipe_is_counted_and_left() {
    let memory = memory();
    let handler = handler(memory);
    let mut event = s3(&["a.png"]);
    event["Records"][0]["s3"]["bucket"]["name"] = json!("another");
    let answer = block_on(handler.handle(&event, NO_DEADLINE)).expect("ignored");
    assert_eq!(answer["ignored"], 1);
    let answer =
        block_on(handler.handle(&json!({ "Event": "s3:TestEvent" }), NO_DEADLINE)).expect("acknowledged");
    assert_eq!((&answer["ignored"], &answer["failed"]), (&json!(1), &json!(0)));
}

#[test]
fn sqs_hears_of_exactly_the_messages_that_must_come_again() {
    let memory = memory();
    for key in ["a.png", "b.png", "c.png"] {
        memory.upload("film", key, "400x300");
    }
    let scripted = Scripted::new(memory, |call| {
        if call.bucket == "film" && call.key == "b.png" { Step::Fail(Cause::Denied) } else { Step::Go }
    });
    let event = sqs(&[
        ("m-1", s3(&["a.png"])),
        ("m-2", s3(&["c.png", "b.png"])),
        ("m-3", json!({ "hello": "world" })),
        ("m-4", s3(&["b.png"])),
        ("m-5", json!({ "Event": "s3:TestEvent" })),
    ]);
    let handler = handler(scripted);
    let answer = block_on(handler.handle(&event, NO_DEADLINE)).expect("SQS gets an answer, not an error");
    assert_eq!(
        answer,
        json!({ "batchItemFailures": [
            { "itemIdentifier": "m-2" }, { "itemIdentifier": "m-3" }, { "itemIdentifier": "m-4" }
        ] })
    );
    let done = block_on(handler.handle(&sqs(&[("m-1", s3(&["a.png"]))]), NO_DEADLINE)).expect("done");
    assert_eq!(done, json!({ "batchItemFailures": [] }));
}

#[test]
fn other_senders_get_an_error_that_names_each_key_after_all_were_tried() {
    let memory = memory();
    for key in ["a.png", "b.png", "c.png"] {
        memory.upload("film", key, "400x300");
    }
    let inner = memory.clone();
    let scripted = Scripted::new(inner, |call| {
        if call.bucket == "film" && call.key != "c.png" { Step::Fail(Cause::Denied) } else { Step::Go }
    });
    let error = block_on(handler(scripted).handle(&s3(&["a.png", "b.png", "c.png"]), NO_DEADLINE))
        .expect_err("two fail");
    assert_eq!(error.kind, ErrorKind::Retry);
    for part in ["s3://film/a.png: could not read", "s3://film/b.png: could not read", "s3:GetObject"] {
        assert!(error.message.contains(part), "{part} in {error}");
    }
    assert!(memory.object("paper", "small/c.png").is_some(), "the third was done all the same");
}

#[test]
fn an_error_has_the_type_of_whoever_must_act() {
    let kind_of = |cause| {
        let memory = memory();
        memory.upload("film", "a.png", "400x300");
        let scripted = Scripted::new(memory, move |_| Step::Fail(cause));
        let error = block_on(handler(scripted).handle(&s3(&["a.png"]), NO_DEADLINE)).expect_err("it fails");
        error.kind.error_type()
    };
    assert_eq!(kind_of(Cause::Unavailable), "Minilab.Retry");
    assert_eq!(kind_of(Cause::NoSuchBucket), "Minilab.Configuration");
    let unknown =
        block_on(handler(memory()).handle(&json!({ "hello": "world" }), NO_DEADLINE)).expect_err("unknown");
    assert_eq!(unknown.kind.error_type(), "Minilab.UnknownEvent");
}
