//! `--queue-url`: keys go to the function's queue, each as a message of its own.
//! Owns the sending; the function looks at the source itself.

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use minilab_s3_store::Listed;

use super::event::event;
use crate::buckets::Done;

pub(super) struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    pub(super) fn new(services: &SdkConfig, url: &str) -> Self {
        Self { client: Client::new(services), url: url.to_owned() }
    }

    pub(super) async fn send(&self, bucket: &str, source: &Listed) -> Done {
        let event = event(bucket, std::slice::from_ref(source));
        match self.client.send_message().queue_url(&self.url).message_body(event).send().await {
            Ok(_) => Done::sent(&source.key),
            Err(error) => {
                let why = format!("could not send it to {}: {}", self.url, DisplayErrorContext(&error));
                Done::not_done(&source.key, why)
            }
        }
    }
}
