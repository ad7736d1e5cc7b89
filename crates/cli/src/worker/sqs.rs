//! Events from an SQS queue. Owns receiving, keeping a message invisible while
//! it is worked on, and deleting it only then; what is given up is the queue's
//! own redrive policy's.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{DisplayErrorContext, SdkError};
use aws_sdk_sqs::operation::get_queue_attributes::GetQueueAttributesError;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::engine::{Engine, Settled, pause, pause_of_event};
use super::health::Health;
use crate::buckets::ANSWER;

/// SQS's longest wait, and its most messages at once (`ReceiveMessage`).
const LONG_POLL_SECONDS: i32 = 20;
const _: () = assert!((LONG_POLL_SECONDS as u64) < ANSWER.as_secs());
const MOST: usize = 10;

#[derive(Clone)]
pub(super) struct Queue {
    client: Client,
    url: String,
    engine: Arc<Engine>,
    /// How long a message is hidden from other workers; renewed while it is
    /// worked on.
    visibility: Duration,
}

impl Queue {
    /// The queue at `url`, asked for at `endpoint` or at AWS's.
    pub(super) fn new(
        services: &SdkConfig,
        url: &str,
        endpoint: Option<&str>,
        visibility: Duration,
        engine: Arc<Engine>,
    ) -> Self {
        let mut config = aws_sdk_sqs::config::Builder::from(services);
        if let Some(endpoint) = endpoint {
            config = config.endpoint_url(endpoint);
        }
        Self { client: Client::from_conf(config.build()), url: url.to_owned(), engine, visibility }
    }

    /// Looks whether the queue is there. One that does not answer is waited for
    /// later; one that says no is an error.
    pub(super) async fn probe(&self) -> anyhow::Result<()> {
        let asked = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(QueueAttributeName::RedrivePolicy)
            .send()
            .await;
        match asked {
            Ok(found) => {
                let policy =
                    found.attributes.is_some_and(|all| all.contains_key(&QueueAttributeName::RedrivePolicy));
                if !policy {
                    tracing::warn!(
                        queue = self.url,
                        "the queue has no dead-letter queue: a message that cannot be handled comes again until it \
                         expires; set its redrive policy"
                    );
                }
                Ok(())
            }
            Err(SdkError::ServiceError(answer))
                if matches!(
                    answer.err(),
                    GetQueueAttributesError::QueueDoesNotExist(_)
                        | GetQueueAttributesError::InvalidAddress(_)
                ) =>
            {
                bail!("the queue {} does not exist; correct --queue-url, or create it", self.url)
            }
            Err(error @ SdkError::ConstructionFailure(_)) => {
                Err(error).with_context(|| format!("--queue-url {} cannot be asked for", self.url))
            }
            Err(error) => {
                let error = DisplayErrorContext(&error).to_string();
                tracing::warn!(queue = self.url, error, "the queue does not answer: trying on");
                Ok(())
            }
        }
    }

    /// Receives until `stop`; messages under way are `tasks`.
    pub(super) async fn work(self, health: Arc<Health>, stop: CancellationToken, tasks: TaskTracker) {
        let places = Arc::new(Semaphore::new(self.engine.at_once()));
        let mut troubles = 0;
        while let Some(mut free) = self.engine.take(&places, MOST, &stop).await {
            let received = tokio::select! {
                // What SQS sends into the void is visible again after its time.
                () = stop.cancelled() => return,
                received = self.receive(free.len()) => received,
            };
            match received {
                Ok(messages) => {
                    troubles = 0;
                    health.connected(true);
                    for message in messages {
                        let (queue, place, stop) = (self.clone(), free.pop(), stop.clone());
                        tasks.spawn(async move {
                            queue.one(message, &stop).await;
                            drop(place);
                        });
                    }
                }
                Err(error) => {
                    troubles += 1;
                    health.connected(false);
                    tracing::warn!(
                        queue = self.url,
                        error = format!("{error:#}"),
                        "the queue does not answer"
                    );
                    let pause = pause(troubles, Duration::from_secs(30));
                    let _ = tokio::time::timeout(pause, stop.cancelled()).await;
                }
            }
        }
    }

    async fn receive(&self, most: usize) -> anyhow::Result<Vec<Message>> {
        let received = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(most as i32)
            .wait_time_seconds(LONG_POLL_SECONDS)
            .visibility_timeout(seconds(self.visibility))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
            .await
            .map_err(|error| anyhow::anyhow!("{}", DisplayErrorContext(&error)))?;
        Ok(received.messages.unwrap_or_default())
    }

    async fn one(&self, message: Message, stop: &CancellationToken) {
        let (Some(receipt), Some(body)) = (message.receipt_handle.as_deref(), message.body.as_deref()) else {
            tracing::error!(message = message.message_id, "a message without a body or a receipt");
            return;
        };
        let handled = self.engine.handle(body.as_bytes());
        let settled = tokio::select! {
            settled = handled => settled,
            never = self.keep_hidden(receipt) => match never {},
        };
        let received = message
            .attributes
            .as_ref()
            .and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount)?.parse().ok())
            .unwrap_or(1);
        let metrics = self.engine.metrics();
        let (reason, pause) = match settled {
            Settled::Done => return self.delete(receipt).await,
            Settled::Unreadable { reason } => {
                tracing::error!(
                    message = message.message_id,
                    received,
                    reason,
                    "left to the queue's redrive policy"
                );
                (reason, pause_of_event(received))
            }
            // Others may do better, and this worker takes nothing more.
            Settled::Again { reason, at_least } if stop.is_cancelled() => (reason, at_least),
            Settled::Again { reason, at_least } => (reason, pause_of_event(received).max(at_least)),
        };
        metrics.redelivered();
        tracing::info!(
            message = message.message_id,
            received,
            reason,
            pause_ms = pause.as_millis() as u64,
            "comes again"
        );
        self.hide(receipt, pause).await;
    }

    /// Renews the message's invisibility for as long as this is polled.
    async fn keep_hidden(&self, receipt: &str) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(self.visibility / 3).await;
            self.hide(receipt, self.visibility).await;
        }
    }

    async fn hide(&self, receipt: &str, time: Duration) {
        let changed = self
            .client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt)
            .visibility_timeout(seconds(time))
            .send()
            .await;
        if let Err(error) = changed {
            // It comes again when its time is over: earlier or later than meant, but it comes.
            let error = DisplayErrorContext(&error).to_string();
            tracing::warn!(error, "a message's invisibility could not be changed");
        }
    }

    async fn delete(&self, receipt: &str) {
        for tried in 1..=3 {
            let deleted =
                self.client.delete_message().queue_url(&self.url).receipt_handle(receipt).send().await;
            match deleted {
                Ok(_) => return,
                Err(error) => {
                    let error = DisplayErrorContext(&error).to_string();
                    tracing::warn!(tried, error, "a message that is done could not be deleted");
                    tokio::time::sleep(pause(tried, Duration::from_secs(2))).await;
                }
            }
        }
        // It comes again, and finds everything done.
    }
}

/// Whole seconds, as SQS counts, up to its twelve hours.
fn seconds(time: Duration) -> i32 {
    const MOST: u64 = 12 * 60 * 60;
    time.as_millis().div_ceil(1000).min(u128::from(MOST)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_whole_seconds_that_sqs_takes() {
        for (millis, expected) in [(0, 0), (1, 1), (1000, 1), (1001, 2), (u64::MAX, 43_200)] {
            assert_eq!(seconds(Duration::from_millis(millis)), expected);
        }
    }
}
