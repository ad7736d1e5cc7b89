//! Every shape in which a storage event arrives, from files as their senders
//! write them.

use minilab_handler::event::{self, Delivery, Record};
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
        ("minio-removed", false, &["-: photos-source/in/a b+c.jpg"]),
        ("rustfs", false, &["-: photos-source/in/a b+c.jpg"]),
        ("localstack", false, &["-: photos-source/in/a b+c.jpg"]),
        (
            "ceph",
            false,
            &["-: photos-source/in/100% a+b.jpg | photos-source/old.jpg | photos-source/other zone.jpg | \
                 (ObjectLifecycle:Transition:Current)"],
        ),
        ("s3-record-alone", false, &["-: photos-source/cloud event.jpg"]),
        ("cloudevent", false, &["-: photos-source/cloud event.jpg"]),
        (
            "cloudevent-of-records",
            false,
            &["-: photos-source/cloud event.jpg | photos-source/in/100% a+b.jpg"],
        ),
        ("cloudevent-base64", false, &["-: photos-source/binary.jpg"]),
        ("cloudevent-eventbridge", false, &["-: photos-source/a b+c%20d.jpg"]),
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

#[test]
fn a_batch_of_cloud_events_gives_each_its_own_result() {
    let shown = short(&Delivery::parse(&load("cloudevents-batch")).expect("a batch"));
    let records: Vec<&str> = shown[0].split(" | ").collect();
    assert_eq!(records[0], "-: photos-source/cloud event.jpg");
    assert_eq!(records[1], "photos-source/binary.jpg");
    assert_eq!(records[2], "photos-source/text.jpg", "data that is a string");
    assert!(records[3].starts_with("!unknown CloudEvent: found no data;"), "{shown:?}");
    assert!(records[4].starts_with("!unknown CloudEvent: found an object with hello;"), "{shown:?}");
}

/// What a webhook or a queue brings is read as an SQS body is.
#[test]
fn a_message_by_itself_gives_its_keys() {
    for (name, expected) in [
        ("minio", "photos-source/übung.jpg"),
        ("cloudevent", "photos-source/cloud event.jpg"),
        ("eventbridge-deleted", "photos-source/gone.jpg"),
    ] {
        let records =
            event::read(load(name).to_string().as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let [Record::Hint(hint)] = &records[..] else { panic!("{name}: {records:?}") };
        assert_eq!(format!("{}/{}", hint.bucket, hint.key), expected, "{name}");
    }
    for (message, words) in [
        (&b"no JSON"[..], "the message is not JSON"),
        (b"[]", "unknown message: found an array of 0"),
        (b"{\"hello\":1}", "unknown message: found an object with hello"),
    ] {
        let error = event::read(message).expect_err("not an event").to_string();
        assert!(error.starts_with(words), "{error}");
    }
}
