//! Every shape in which a storage event arrives, from files as their senders
//! write them.

use minilab_handler::event::{Delivery, Record};
use serde_json::Value;

fn load(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the fixture is there");
    serde_json::from_str(&text).expect("the fixture is JSON")
}

/// Messages in short: `id: record record`, a record being `bucket/key`,
/// `(nothing)` or `!` with the error's first words.
fn short(delivery: &Delivery) -> Vec<String> {
    delivery
        .messages
        .iter()
        .map(|message| {
            let records: Vec<String> = message
                .records
                .iter()
                .map(|record| match record {
                    Record::Hint(hint) => format!("{}/{}", hint.bucket, hint.key),
                    Record::Nothing(name) => format!("({name})"),
                    Record::Unreadable(error) => format!("!{error}"),
                })
                .collect();
            format!("{}: {}", message.id.as_deref().unwrap_or("-"), records.join(" | "))
        })
        .collect()
}

#[test]
fn every_shape_gives_its_keys() {
    for (name, by_item, expected) in [
        ("s3-put", false, &["-: photos-source/uploads/a b+c%.jpg"][..]),
        (
            "s3-batch",
            false,
            &[
                "-: photos-source/one.jpg | photos-source/two.jpg | photos-source/one.jpg | another-bucket/three.jpg",
            ],
        ),
        ("s3-removed", false, &["-: photos-source/gone.jpg"]),
        (
            "s3-other-kinds",
            false,
            &[
                "-: (ObjectTagging:Put) | (ObjectAcl:Put) | (LifecycleTransition) | photos-source/d.jpg | photos-source/e.jpg",
            ],
        ),
        ("minio", false, &["-: photos-source/übung.jpg"]),
        ("s3-test-event", false, &["-: (s3:TestEvent)"]),
        (
            "sqs-s3",
            true,
            &["m-1: photos-source/one.jpg", "m-2: photos-source/two.jpg | photos-source/three 3.jpg"],
        ),
        ("sqs-test-event", true, &["m-1: (s3:TestEvent)"]),
        ("sqs-sns-s3", true, &["m-1: photos-source/wrapped 1.jpg", "m-2: (s3:TestEvent)"]),
        ("sqs-sns-raw", true, &["m-1: photos-source/raw 1.jpg"]),
        ("sqs-eventbridge", true, &["m-1: photos-source/a b+c%20d.jpg", "m-2: photos-source/gone.jpg"]),
        ("sns-s3", false, &["-: photos-source/topic 1.jpg | photos-source/topic 2.jpg"]),
        ("sns-test-event", false, &["-: (s3:TestEvent)"]),
        ("eventbridge-created", false, &["-: photos-source/a b+c%20d.jpg"]),
        ("eventbridge-deleted", false, &["-: photos-source/gone.jpg"]),
        ("eventbridge-tags", false, &["-: (Object Tags Added)"]),
    ] {
        let delivery = Delivery::parse(&load(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(delivery.answers_by_item, by_item, "{name}");
        assert_eq!(short(&delivery), expected, "{name}");
    }
}

#[test]
fn what_cannot_be_read_says_what_was_expected_and_what_was_found() {
    for (name, found) in [
        ("unknown-http", "unknown event: found an object with body, headers, rawPath, routeKey, version;"),
        ("unknown-eventbridge", "unknown EventBridge event: found "),
    ] {
        let error = Delivery::parse(&load(name)).expect_err(name).to_string();
        assert!(error.starts_with(found), "{name}: {error}");
        assert!(error.contains("expected an S3 event notification"), "{name}: {error}");
        assert!(!error.contains("secret"), "contents stay out of messages: {error}");
    }
}

#[test]
fn an_unreadable_record_or_message_leaves_its_neighbours_alone() {
    let shown = short(&Delivery::parse(&load("s3-bad-key")).expect("one record is fine"));
    assert!(
        shown[0].starts_with("-: !the key \"100%.jpg\" of bucket photos-source cannot be decoded"),
        "{shown:?}"
    );
    assert!(shown[0].ends_with("| photos-source/fine.jpg"), "{shown:?}");

    let shown = short(&Delivery::parse(&load("sqs-unknown")).expect("one message is fine"));
    assert!(shown[0].starts_with("m-1: !unknown SQS message body: found an object with hello;"), "{shown:?}");
    assert_eq!(shown[1], "m-2: photos-source/one.jpg");
    assert!(shown[2].starts_with("m-3: !the SQS message body is not JSON"), "{shown:?}");

    let shown = short(&Delivery::parse(&load("unknown-dynamodb")).expect("a list of records"));
    assert!(shown[0].contains("source \"aws:dynamodb\""), "{shown:?}");
}
