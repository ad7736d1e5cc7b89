//! Storage events as they arrive, in every wrapping that AWS uses, reduced to
//! hints: this key of this bucket may have changed. Owns the shapes and the
//! decoding of keys; refuses what it does not know by naming what it expected
//! and what it found. Nothing here believes what an event says of the object.
//!
//! Sources: Amazon S3 User Guide "Event message structure" and "Using
//! EventBridge"; Lambda Developer Guide "Using Lambda with Amazon SQS" and
//! "… with Amazon SNS"; SNS Developer Guide "Raw message delivery".

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;
use std::fmt::Write as _;
use thiserror::Error;

/// A key that may have changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hint {
    /// Bucket name.
    pub bucket: String,
    /// Object key, decoded.
    pub key: String,
}

/// What one record of an event asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Reconcile this key.
    Hint(Hint),
    /// Nothing: the event's name, of a kind that changes no bytes (tags, ACL,
    /// storage class, the test event). Acknowledged.
    Nothing(String),
    /// The record cannot be read.
    Unreadable(EventError),
}

/// What one message carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// SQS's message id; `None` where messages cannot fail one by one.
    pub id: Option<String>,
    /// Its records; more than one where a message carries a batch.
    pub records: Vec<Record>,
}

/// An invocation's event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Whether the caller reads `batchItemFailures` (SQS).
    pub answers_by_item: bool,
    /// Its messages.
    pub messages: Vec<Message>,
}

/// An event, or a part of one, that is not understood. Whoever wired the
/// trigger must act.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EventError {
    /// Not one of the known shapes.
    #[error(
        "unknown {place}: found {found}; expected an S3 event notification, alone or inside an SQS or SNS message, \
         an EventBridge event with source aws.s3, or s3:TestEvent; connect the bucket's notifications to the function"
    )]
    Shape {
        /// Which part.
        place: &'static str,
        /// What was there instead, in words.
        found: String,
    },
    /// A text that carries an event is not JSON.
    #[error("the {place} is not JSON: {detail}; expected an S3 event notification")]
    Json {
        /// Which part.
        place: &'static str,
        /// What the parser said.
        detail: String,
    },
    /// A record's key cannot be decoded.
    #[error(
        "the key {key:?} of bucket {bucket} cannot be decoded: {detail}; expected a form-encoded UTF-8 key"
    )]
    Key {
        /// The bucket.
        bucket: String,
        /// The key as it came.
        key: String,
        /// What is wrong with it.
        detail: &'static str,
    },
}

#[derive(Deserialize)]
struct S3Record {
    #[serde(rename = "eventName")]
    name: String,
    s3: S3Entity,
}

#[derive(Deserialize)]
struct S3Entity {
    bucket: S3Bucket,
    object: S3Object,
}

#[derive(Deserialize)]
struct S3Bucket {
    name: String,
}

#[derive(Deserialize)]
struct S3Object {
    key: String,
}

#[derive(Deserialize)]
struct SqsRecord {
    #[serde(rename = "messageId")]
    id: String,
    body: String,
}

#[derive(Deserialize)]
struct SnsRecord {
    #[serde(rename = "Sns")]
    sns: SnsMessage,
}

#[derive(Deserialize)]
struct SnsMessage {
    #[serde(rename = "Message")]
    message: String,
}

#[derive(Deserialize)]
struct EventBridge {
    #[serde(rename = "detail-type")]
    detail_type: String,
    source: String,
    detail: EventBridgeDetail,
}

#[derive(Deserialize)]
struct EventBridgeDetail {
    bucket: S3Bucket,
    object: S3Object,
}

impl Delivery {
    /// Reads an invocation's payload. An error means that nothing in it could
    /// be understood; a message or a record that cannot be read is in its place
    /// in the result.
    pub fn parse(payload: &Value) -> Result<Self, EventError> {
        if let Some(records) = payload.get("Records").and_then(Value::as_array)
            && records.iter().any(|record| service(record) == Some("aws:sqs"))
        {
            let messages = records.iter().map(sqs_message).collect::<Result<_, _>>()?;
            return Ok(Self { answers_by_item: true, messages });
        }
        let records = notification(payload, "event", Depth::Invocation)?;
        Ok(Self { answers_by_item: false, messages: vec![Message { id: None, records }] })
    }
}

/// How deep in its wrapping a notification is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// The payload itself; an SNS record may carry one.
    Invocation,
    /// In an SQS body; an SNS envelope may carry one.
    Body,
    /// In an SNS message: the innermost place.
    Innermost,
}

fn service(record: &Value) -> Option<&str> {
    record.get("eventSource").or_else(|| record.get("EventSource"))?.as_str()
}

fn sqs_message(record: &Value) -> Result<Message, EventError> {
    let SqsRecord { id, body } = SqsRecord::deserialize(record).map_err(|error| EventError::Shape {
        place: "SQS record",
        found: format!("{} ({error})", describe(record)),
    })?;
    let records = embedded(&body, "SQS message body", Depth::Body)
        .unwrap_or_else(|error| vec![Record::Unreadable(error)]);
    Ok(Message { id: Some(id), records })
}

fn embedded(text: &str, place: &'static str, depth: Depth) -> Result<Vec<Record>, EventError> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| EventError::Json { place, detail: error.to_string() })?;
    notification(&value, place, depth)
}

/// The records of an S3 notification, whatever is around it.
fn notification(value: &Value, place: &'static str, depth: Depth) -> Result<Vec<Record>, EventError> {
    let unknown = || EventError::Shape { place, found: describe(value) };
    if value.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Ok(vec![Record::Nothing("s3:TestEvent".to_owned())]);
    }
    if let Some(records) = value.get("Records").and_then(Value::as_array) {
        let mut all = Vec::with_capacity(records.len());
        for record in records {
            if record.get("s3").is_some() {
                all.push(s3_record(record));
            } else if depth == Depth::Invocation && service(record) == Some("aws:sns") {
                let SnsRecord { sns } =
                    SnsRecord::deserialize(record).map_err(|error| EventError::Shape {
                        place: "SNS record",
                        found: format!("{} ({error})", describe(record)),
                    })?;
                match embedded(&sns.message, "SNS message", Depth::Innermost) {
                    Ok(inner) => all.extend(inner),
                    Err(error) => all.push(Record::Unreadable(error)),
                }
            } else {
                all.push(Record::Unreadable(EventError::Shape { place: "record", found: describe(record) }));
            }
        }
        return Ok(all);
    }
    if depth == Depth::Body && value.get("Type").and_then(Value::as_str) == Some("Notification") {
        let SnsMessage { message } = SnsMessage::deserialize(value).map_err(|_| unknown())?;
        return embedded(&message, "SNS message", Depth::Innermost);
    }
    if value.get("detail-type").is_some() {
        let event = EventBridge::deserialize(value).map_err(|error| EventError::Shape {
            place: "EventBridge event",
            found: format!("{} ({error})", describe(value)),
        })?;
        if event.source != "aws.s3" {
            return Err(EventError::Shape {
                place: "EventBridge event",
                found: format!("source {:?}", event.source),
            });
        }
        return Ok(vec![eventbridge_record(event)]);
    }
    Err(unknown())
}

/// Kinds of events after which the object's bytes may be others: "Supported
/// event types for SQS, SNS, and Lambda" in the S3 User Guide. A restored
/// object can be read again; an expired one is gone.
const CHANGES: [&str; 5] = [
    "ObjectCreated:",
    "ObjectRemoved:",
    "ObjectRestore:Completed",
    "LifecycleExpiration:",
    "ReducedRedundancyLostObject",
];

fn s3_record(record: &Value) -> Record {
    let S3Record { name, s3 } = match S3Record::deserialize(record) {
        Ok(record) => record,
        Err(error) => {
            return Record::Unreadable(EventError::Shape {
                place: "S3 record",
                found: format!("{} ({error})", describe(record)),
            });
        }
    };
    // Other stores write the prefix that AWS drops in records.
    let kind = name.strip_prefix("s3:").unwrap_or(&name);
    if !CHANGES.iter().any(|change| kind.starts_with(change)) {
        return Record::Nothing(name);
    }
    match decode_key(&s3.object.key) {
        Ok(key) => Record::Hint(Hint { bucket: s3.bucket.name, key }),
        Err(detail) => {
            Record::Unreadable(EventError::Key { bucket: s3.bucket.name, key: s3.object.key, detail })
        }
    }
}

/// EventBridge sends the key as it is, not encoded.
fn eventbridge_record(event: EventBridge) -> Record {
    match event.detail_type.as_str() {
        "Object Created" | "Object Deleted" | "Object Restore Completed" => {
            Record::Hint(Hint { bucket: event.detail.bucket.name, key: event.detail.object.key })
        }
        _ => Record::Nothing(event.detail_type),
    }
}

/// The key of an S3 record: `+` is a space, then percent-decoding.
fn decode_key(encoded: &str) -> Result<String, &'static str> {
    let bytes = encoded.as_bytes();
    for (at, _) in encoded.match_indices('%') {
        let hex = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_hexdigit);
        if !hex(at + 1) || !hex(at + 2) {
            return Err("a % is not followed by two hexadecimal digits");
        }
    }
    let spaced = encoded.replace('+', " ");
    let key = percent_decode_str(&spaced).decode_utf8().map_err(|_| "it is not UTF-8 after decoding")?;
    if key.is_empty() {
        return Err("it is empty");
    }
    Ok(key.into_owned())
}

/// What a value looks like, in few words and without its contents: an event
/// may hold what nobody wants in a log.
fn describe(value: &Value) -> String {
    const SHOWN: usize = 8;
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(_) => "a string".to_owned(),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(fields) if fields.is_empty() => "an empty object".to_owned(),
        Value::Object(fields) => {
            let names: Vec<String> =
                fields.keys().take(SHOWN).map(|name| name.chars().take(40).collect()).collect();
            let mut text = format!("an object with {}", names.join(", "));
            if fields.len() > SHOWN {
                let _ = write!(text, " and {} more", fields.len() - SHOWN);
            }
            if let Some(service) = service(value) {
                let _ = write!(text, ", source {:?}", service.chars().take(40).collect::<String>());
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_decoded_as_forms_are() {
        for (encoded, key) in [
            ("plain.jpg", Ok("plain.jpg")),
            ("with+space.jpg", Ok("with space.jpg")),
            ("plus%2Bsign.jpg", Ok("plus+sign.jpg")),
            ("per%25cent.jpg", Ok("per%cent.jpg")),
            ("twice%2520.jpg", Ok("twice%20.jpg")),
            ("%C3%9Cber%2F%E6%97%A5.jpg", Ok("Über/日.jpg")),
            ("Über.jpg", Ok("Über.jpg")),
            ("a//b/../c", Ok("a//b/../c")),
            ("50%", Err("a % is not followed by two hexadecimal digits")),
            ("%4", Err("a % is not followed by two hexadecimal digits")),
            ("%zz", Err("a % is not followed by two hexadecimal digits")),
            ("%é", Err("a % is not followed by two hexadecimal digits")),
            ("%ff", Err("it is not UTF-8 after decoding")),
            ("", Err("it is empty")),
        ] {
            assert_eq!(decode_key(encoded).as_deref(), key.as_ref().copied(), "{encoded}");
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let name = prop_oneof![
            Just("Records"),
            Just("s3"),
            Just("bucket"),
            Just("object"),
            Just("key"),
            Just("name"),
            Just("Sns"),
            Just("Message"),
            Just("Type"),
            Just("body"),
            Just("messageId"),
            Just("eventSource"),
            Just("EventSource"),
            Just("eventName"),
            Just("detail-type"),
            Just("detail"),
            Just("source"),
            Just("Event"),
            Just("other"),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
            prop_oneof![
                Just("aws:s3"),
                Just("aws:sqs"),
                Just("aws:sns"),
                Just("aws.s3"),
                Just("s3:TestEvent"),
                Just("Notification"),
                Just("ObjectCreated:Put"),
                Just("%f"),
                Just("{\"Records\":[{\"s3\":{}}]}"),
            ]
            .prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name.clone(), inner), 0..6).prop_map(|fields| Value::Object(
                    fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
                )),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_json_panics_and_every_sqs_message_keeps_its_place(value in json()) {
            if let Ok(delivery) = Delivery::parse(&value)
                && delivery.answers_by_item
            {
                let sent = value.get("Records").and_then(Value::as_array).map_or(0, Vec::len);
                prop_assert_eq!(delivery.messages.len(), sent);
                prop_assert!(delivery.messages.iter().all(|m| m.id.is_some()));
            }
        }

        #[test]
        fn what_is_encoded_as_s3_does_comes_back(key in ".{1,40}") {
            let encoded = percent_encoding::utf8_percent_encode(&key, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
                .replace("%20", "+");
            prop_assert_eq!(decode_key(&encoded), Ok(key));
        }
    }
}
