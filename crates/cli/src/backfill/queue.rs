//! `--queue-url`: keys go to the function's queue as the events that S3 would
//! have sent. Owns their shape; the function looks at the source itself.

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use minilab_lambda::Listed;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::buckets::Done;

/// What S3 leaves as it is in an event's key ("Event message structure" in the
/// Amazon S3 User Guide: keys are URL-encoded).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

pub(super) struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    pub(super) fn new(services: &SdkConfig, url: &str) -> Self {
        Self { client: Client::new(services), url: url.to_owned() }
    }

    pub(super) async fn send(&self, bucket: &str, source: &Listed) -> Done {
        let event = event(bucket, source);
        match self.client.send_message().queue_url(&self.url).message_body(event).send().await {
            Ok(_) => Done::sent(&source.key),
            Err(error) => {
                let why = format!("could not send it to {}: {}", self.url, DisplayErrorContext(&error));
                Done::not_done(&source.key, why)
            }
        }
    }
}

fn event(bucket: &str, source: &Listed) -> String {
    let key = utf8_percent_encode(&source.key, ENCODED).to_string();
    let record = json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "minilab-backfill",
            "bucket": { "name": bucket, "arn": format!("arn:aws:s3:::{bucket}") },
            "object": { "key": key, "size": source.size, "eTag": source.etag }
        }
    });
    json!({ "Records": [record] }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use minilab_handler::contract::AWKWARD_KEYS;
    use minilab_handler::event::{Delivery, Record};

    /// The function reads its own queue's messages, whatever is in a key.
    #[test]
    fn the_function_understands_what_is_sent() {
        for key in AWKWARD_KEYS {
            let source = Listed {
                key: key.to_owned(),
                etag: "e".to_owned(),
                size: 1,
                modified: std::time::SystemTime::UNIX_EPOCH,
            };
            let messages = json!({ "Records": [{
                "eventSource": "aws:sqs", "messageId": "1", "body": event("film", &source)
            }] });
            let delivery = Delivery::parse(&messages).unwrap();
            let Record::Hint(hint) = &delivery.messages[0].records[0] else { panic!("{delivery:?}") };
            assert_eq!((hint.bucket.as_str(), hint.key.as_str()), ("film", key));
        }
    }
}
