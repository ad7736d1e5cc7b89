//! Events from a NATS JetStream stream. Owns the durable consumer, progress
//! reports while a message is worked on, and its acknowledgement only then; what
//! is given up goes to the inbox's dead letters, since JetStream has none.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_nats::jetstream::consumer::{AckPolicy, Consumer, pull};
use async_nats::jetstream::context::CreateStreamErrorKind;
use async_nats::jetstream::stream::{Config, ConsumerErrorKind, RetentionPolicy};
use async_nats::jetstream::{self, AckKind, Message};
use async_nats::{ConnectErrorKind, ConnectOptions, ServerAddr};
use futures_util::StreamExt as _;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::deliver::Desk;
use super::engine::{Settled, pause, pause_of_event};
use super::health::Health;
use super::inbox::{DeadLetter, now_ms};

/// How long one request for messages stays with the server.
const EXPIRES: Duration = Duration::from_secs(5);

/// Where the events are, in NATS' words.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// One or more `nats://[user:password@]host:port`.
    pub(super) servers: Vec<ServerAddr>,
    pub(super) stream: String,
    /// What a stream that does not exist yet is to hold, and what is taken of it.
    pub(super) subject: String,
    /// The durable consumer that all workers of one kind share.
    pub(super) consumer: String,
    /// How long a message is kept from other workers without a sign of progress.
    pub(super) ack_wait: Duration,
}

/// Reads `--nats-url`: one address, or several with commas.
pub(super) fn servers(text: &str) -> anyhow::Result<Vec<ServerAddr>> {
    let parse = |one: &str| one.trim().parse::<ServerAddr>();
    let servers: Result<Vec<_>, _> = text.split(',').map(parse).collect();
    servers.with_context(|| {
        // What is written in it may be a password.
        "--nats-url is no NATS address; write it as nats://host:4222".to_owned()
    })
}

/// The consumer, as soon as the server answers; `None` when stopped before.
///
/// # Errors
/// What waiting does not cure: the server refuses these credentials, or this
/// stream or consumer.
pub(super) async fn connect(
    source: &Source,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Consumer<pull::Config>>> {
    let mut tried = 0;
    loop {
        let attempt = tokio::select! {
            () = stop.cancelled() => return Ok(None),
            attempt = once(source) => attempt,
        };
        match attempt? {
            Ok(consumer) => return Ok(Some(consumer)),
            Err(problem) => {
                tried += 1;
                tracing::warn!(problem, "NATS does not answer: trying on");
                let pause = pause(tried, Duration::from_secs(15));
                let _ = tokio::time::timeout(pause, stop.cancelled()).await;
            }
        }
    }
}

/// An inner error may pass.
async fn once(source: &Source) -> anyhow::Result<Result<Consumer<pull::Config>, String>> {
    let Source { servers, stream, subject, consumer, ack_wait } = source;
    let client = match ConnectOptions::new().name("minilab worker").connect(servers.clone()).await {
        Ok(client) => client,
        Err(error) => match error.kind() {
            ConnectErrorKind::ServerParse
            | ConnectErrorKind::Authentication
            | ConnectErrorKind::AuthorizationViolation
            | ConnectErrorKind::Tls => {
                return Err(error)
                    .context("NATS refuses the connection; check --nats-url and its user and password");
            }
            _ => return Ok(Err(error.to_string())),
        },
    };
    let wanted = Config {
        name: stream.clone(),
        subjects: vec![subject.clone()],
        // What is acknowledged is gone: the stream is a queue.
        retention: RetentionPolicy::WorkQueue,
        ..Config::default()
    };
    let found = match jetstream::new(client).get_or_create_stream(wanted).await {
        Ok(found) => found,
        Err(error) => match error.kind() {
            CreateStreamErrorKind::TimedOut | CreateStreamErrorKind::JetStreamUnavailable => {
                return Ok(Err(format!("the stream {stream}: {error}")));
            }
            _ => {
                return Err(error).with_context(|| format!("the stream {stream} with the subject {subject}"));
            }
        },
    };
    let wanted = pull::Config {
        durable_name: Some(consumer.clone()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: *ack_wait,
        filter_subject: subject.clone(),
        ..pull::Config::default()
    };
    let found = match found.get_or_create_consumer(consumer, wanted).await {
        Ok(found) => found,
        Err(error) => match error.kind() {
            ConsumerErrorKind::TimedOut | ConsumerErrorKind::Request => {
                return Ok(Err(format!("the consumer {consumer}: {error}")));
            }
            _ => {
                return Err(error).with_context(|| format!("the consumer {consumer} of the stream {stream}"));
            }
        },
    };
    let config = &found.cached_info().config;
    if config.ack_policy != AckPolicy::Explicit {
        bail!(
            "the consumer {consumer} of the stream {stream} does not ask for acknowledgements; name another with --consumer"
        );
    }
    if config.max_deliver > 0 {
        tracing::warn!(
            consumer,
            max_deliver = config.max_deliver,
            "the consumer gives up a message after that many deliveries, and nobody is told"
        );
    }
    Ok(Ok(found))
}

/// Pulls until `stop`; messages under way are `tasks`.
pub(super) async fn work(
    consumer: Consumer<pull::Config>,
    desk: Desk,
    health: Arc<Health>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let places = Arc::new(Semaphore::new(desk.engine.at_once()));
    let beat = consumer.cached_info().config.ack_wait / 3;
    let mut troubles = 0;
    while let Some(mut free) = desk.engine.take(&places, usize::MAX, &stop).await {
        let batch = consumer.batch().max_messages(free.len()).expires(EXPIRES).messages();
        let problem = match batch.await {
            Err(error) => Some(error.to_string()),
            Ok(mut messages) => loop {
                let next = tokio::select! {
                    biased;
                    // What the server still sends comes again after its time.
                    () = stop.cancelled() => return,
                    next = messages.next() => next,
                };
                match next {
                    None => break None,
                    Some(Err(error)) => break Some(error.to_string()),
                    Some(Ok(message)) => {
                        let (desk, place, stop) = (desk.clone(), free.pop(), stop.clone());
                        tasks.spawn(async move {
                            one(&desk, message, beat, &stop).await;
                            drop(place);
                        });
                    }
                }
            },
        };
        health.connected(problem.is_none());
        if let Some(problem) = problem {
            troubles += 1;
            tracing::warn!(problem, "NATS does not answer");
            let pause = pause(troubles, Duration::from_secs(15));
            let _ = tokio::time::timeout(pause, stop.cancelled()).await;
        } else {
            troubles = 0;
        }
    }
}

async fn one(desk: &Desk, message: Message, beat: Duration, stop: &CancellationToken) {
    let handled = desk.engine.handle(&message.payload);
    let settled = tokio::select! {
        settled = handled => settled,
        never = keep_alive(&message, beat) => match never {},
    };
    let (delivered, published_ms) = message.info().map_or((1, now_ms()), |info| {
        let delivered = u32::try_from(info.delivered).unwrap_or(u32::MAX);
        (delivered, (info.published.unix_timestamp_nanos() / 1_000_000) as i64)
    });
    let (reason, pause) = match settled {
        Settled::Done => return acknowledge(&message).await,
        Settled::Again { reason, at_least } => {
            let age = u128::try_from(now_ms().saturating_sub(published_ms)).unwrap_or(0);
            // After `stop`: others may do better, and this worker takes nothing more.
            let pause = if stop.is_cancelled() { at_least } else { pause_of_event(delivered).max(at_least) };
            (reason, (age < desk.maximum_age.as_millis()).then_some(pause))
        }
        Settled::Unreadable { reason } => (reason, None),
    };
    let pause = if let Some(pause) = pause {
        pause
    } else if keep(desk, &message, published_ms, delivered, &reason).await {
        return acknowledge(&message).await;
    } else {
        pause_of_event(delivered)
    };
    desk.engine.metrics().redelivered();
    tracing::info!(delivered, reason, pause_ms = pause.as_millis() as u64, "comes again");
    if let Err(error) = message.ack_with(AckKind::Nak(Some(pause))).await {
        tracing::warn!(%error, "a message could not be given back: it comes again after its time");
    }
}

/// Keeps a message that is given up; whether that worked.
async fn keep(desk: &Desk, message: &Message, received_ms: i64, attempts: u32, reason: &str) -> bool {
    let letter = DeadLetter {
        body: message.payload.to_vec(),
        received_ms,
        failed_ms: now_ms(),
        attempts,
        reason: reason.to_owned(),
    };
    match desk.inbox.keep(letter).await {
        Ok(()) => {
            desk.engine.metrics().died();
            tracing::error!(attempts, reason, "given up: kept as a dead letter");
            true
        }
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "a dead letter cannot be kept");
            false
        }
    }
}

/// Tells the server that the message is worked on, for as long as this is polled.
async fn keep_alive(message: &Message, beat: Duration) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(beat).await;
        if let Err(error) = message.ack_with(AckKind::Progress).await {
            tracing::warn!(%error, "progress could not be reported");
        }
    }
}

/// Until the server says that it knows. A message that it does not know to be
/// done comes again, and finds everything done.
async fn acknowledge(message: &Message) {
    for tried in 1..=3 {
        match message.double_ack().await {
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(tried, %error, "a message that is done could not be acknowledged");
                tokio::time::sleep(pause(tried, Duration::from_secs(2))).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_from_a_list() {
        assert_eq!(servers("nats://a:4222").unwrap().len(), 1);
        assert_eq!(servers("nats://u:p@a:4222, tls://b").unwrap().len(), 2);
        let error = servers("nats://user:secret@[").unwrap_err();
        assert!(error.to_string().contains("nats://host:4222") && !error.to_string().contains("secret"));
    }
}
