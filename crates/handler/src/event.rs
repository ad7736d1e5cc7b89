//! Storage events as they arrive, in every wrapping that AWS and other stores
//! use, reduced to hints: this key of this bucket may have changed. Owns the
//! shapes; refuses what it does not know by naming what it expected and what
//! it found. Nothing here believes what an event says of the object.
//!
//! Sources: Amazon S3 User Guide "Event message structure" and "Using
//! EventBridge"; Lambda Developer Guide "Using Lambda with Amazon SQS" and
//! "… with Amazon SNS"; SNS Developer Guide "Raw message delivery";
//! CloudEvents 1.0 "JSON Event Format" and its adapter for AWS S3; Ceph
//! "Bucket Notifications".

mod key;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
         an EventBridge event with source aws.s3, a CloudEvent of one of these, or s3:TestEvent; connect the bucket's \
         notifications here"
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
        "the key {key:?} of bucket {bucket} cannot be decoded: {detail}; expected a key as {source_name} writes it"
    )]
    Key {
        /// The bucket.
        bucket: String,
        /// The key as it came.
        key: String,
        /// The record's `eventSource`.
        source_name: String,
        /// What is wrong with it.
        detail: &'static str,
    },
}

#[derive(Deserialize)]
struct S3Record {
    #[serde(rename = "eventName")]
    name: String,
    #[serde(rename = "eventSource", default)]
    source: String,
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

#[derive(Deserialize)]
struct CloudEvent {
    data: Option<Value>,
    data_base64: Option<String>,
}

/// The records of one message that is no invocation: the body of a webhook's
/// request, or what a queue carried. An error means that nothing in it could be
/// understood.
pub fn read(message: &[u8]) -> Result<Vec<Record>, EventError> {
    let value = serde_json::from_slice(message)
        .map_err(|error| EventError::Json { place: "message", detail: error.to_string() })?;
    notification(&value, "message", Depth::Body)
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
    /// In a message's body; an SNS envelope or a CloudEvent may carry one.
    Body,
    /// In an SNS message or a CloudEvent: the innermost place.
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
    // A record by itself is what a CloudEvent carries.
    if value.get("s3").is_some() && value.get("eventName").is_some() {
        return Ok(vec![s3_record(value)]);
    }
    if depth != Depth::Innermost {
        if value.get("specversion").is_some() {
            return cloud_event(value);
        }
        if let Some(batch) = value.as_array().filter(|batch| !batch.is_empty()) {
            let unreadable = |error| vec![Record::Unreadable(error)];
            return Ok(batch
                .iter()
                .flat_map(|event| cloud_event(event).unwrap_or_else(unreadable))
                .collect());
        }
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

/// The notification in a CloudEvent in JSON format.
fn cloud_event(value: &Value) -> Result<Vec<Record>, EventError> {
    let shape = |found| EventError::Shape { place: "CloudEvent", found };
    if value.get("specversion").is_none() {
        return Err(shape(describe(value)));
    }
    let event =
        CloudEvent::deserialize(value).map_err(|error| shape(format!("{} ({error})", describe(value))))?;
    let text = match (event.data, event.data_base64) {
        // Data that is not declared as JSON is a string.
        (Some(Value::String(text)), _) => text.into_bytes(),
        (Some(data), _) => return notification(&data, "CloudEvent's data", Depth::Innermost),
        (None, Some(encoded)) => {
            STANDARD.decode(encoded).map_err(|_| shape("data_base64 that is no Base64".to_owned()))?
        }
        (None, None) => return Err(shape("no data".to_owned())),
    };
    let value = serde_json::from_slice(&text)
        .map_err(|error| EventError::Json { place: "CloudEvent's data", detail: error.to_string() })?;
    notification(&value, "CloudEvent's data", Depth::Innermost)
}

/// Kinds of events after which the object's bytes may be others: "Supported
/// event types for SQS, SNS, and Lambda" in the S3 User Guide, and Ceph's own
/// ("S3 Bucket Notifications Compatibility"). A restored object can be read
/// again; an expired one is gone; a synced one came from another zone.
const CHANGES: [&str; 7] = [
    "ObjectCreated:",
    "ObjectRemoved:",
    "ObjectRestore:Completed",
    "LifecycleExpiration:",
    "ReducedRedundancyLostObject",
    "ObjectLifecycle:Expiration:",
    "ObjectSynced:",
];

fn s3_record(record: &Value) -> Record {
    let S3Record { name, source, s3 } = match S3Record::deserialize(record) {
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
    match key::decode(&source, &s3.object.key) {
        Ok(key) => Record::Hint(Hint { bucket: s3.bucket.name, key }),
        Err(detail) => Record::Unreadable(EventError::Key {
            bucket: s3.bucket.name,
            key: s3.object.key,
            source_name: if source.is_empty() { "S3".to_owned() } else { source },
            detail,
        }),
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
            Just("specversion"),
            Just("data"),
            Just("data_base64"),
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
    }
}
