//! Events as S3 would have sent them for sources that are due. Owns their
//! shape; the function looks at the source itself.

use minilab_s3_store::Listed;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// What S3 leaves as it is in an event's key ("Event message structure" in the
/// Amazon S3 User Guide: keys are URL-encoded).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// One event with a record for each source.
pub(super) fn event(bucket: &str, sources: &[Listed]) -> String {
    let records: Vec<Value> = sources.iter().map(|source| record(bucket, source)).collect();
    json!({ "Records": records }).to_string()
}

fn record(bucket: &str, source: &Listed) -> Value {
    let key = utf8_percent_encode(&source.key, ENCODED).to_string();
    json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "minilab-backfill",
            "bucket": { "name": bucket, "arn": format!("arn:aws:s3:::{bucket}") },
            "object": { "key": key, "size": source.size, "eTag": source.etag }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use minilab_handler::contract::AWKWARD_KEYS;
    use minilab_handler::event::{Delivery, Record};

    /// The function reads what is sent, through a queue and directly, whatever is in a key.
    #[test]
    fn the_function_understands_what_is_sent() {
        let sources: Vec<Listed> = AWKWARD_KEYS
            .into_iter()
            .map(|key| Listed {
                key: key.to_owned(),
                etag: "e".to_owned(),
                size: 1,
                modified: std::time::SystemTime::UNIX_EPOCH,
            })
            .collect();
        let direct = event("film", &sources);
        let queued = json!({ "Records": [{ "eventSource": "aws:sqs", "messageId": "1", "body": direct }] });
        for payload in [serde_json::from_str(&direct).unwrap(), queued] {
            let delivery = Delivery::parse(&payload).unwrap();
            let hints: Vec<(&str, &str)> = delivery
                .messages
                .iter()
                .flat_map(|message| &message.records)
                .map(|record| match record {
                    Record::Hint(hint) => (hint.bucket.as_str(), hint.key.as_str()),
                    other => panic!("{other:?}"),
                })
                .collect();
            let expected: Vec<(&str, &str)> = AWKWARD_KEYS.into_iter().map(|key| ("film", key)).collect();
            assert_eq!(hints, expected);
        }
    }
}
