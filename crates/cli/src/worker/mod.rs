//! `minilab worker`: the function's work without Lambda, for stores that send
//! their events elsewhere. Owns putting the parts together, what is refused at
//! start, and how the process stops.

mod budget;
mod deliver;
mod engine;
mod health;
mod inbox;
mod metrics;
mod nats;
mod options;
mod sqs;
mod webhook;

pub(crate) use options::{Via, WorkerOptions};

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use aws_config::SdkConfig;
use minilab_handler::Store as _;
use minilab_handler::verdict::{Failure, Verdict, decide};
use minilab_imaging::Recipe;
use minilab_s3_store::S3Store;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::deliver::Desk;
use self::engine::Engine;
use self::health::Health;
use self::inbox::Inbox;
use self::metrics::Metrics;
use self::nats::Source;
use self::sqs::Queue;
use self::webhook::Webhook;
use crate::ending::Ending;
use crate::globals::Globals;
use crate::{buckets, config};

/// The shortest token, in bytes, where other machines reach the webhook: as long
/// as the small cloud's secret.
const SHORTEST: usize = 20;

pub(crate) fn run(globals: &Globals, options: &WorkerOptions) -> anyhow::Result<Ending> {
    if options.dead_letters {
        return print_dead_letters(globals, &options.data_dir);
    }
    let via = options.via.context("--via is missing")?;
    let token = options.token.clone().filter(|token| !token.is_empty());
    let weak = token.as_ref().is_none_or(|token| token.len() < SHORTEST);
    if via == Via::Webhook && weak && !options.listen.ip().is_loopback() {
        bail!(
            "other machines reach {}, and whoever does could send events; set MINILAB_WORKER_TOKEN to {SHORTEST} characters \
             or more, or listen on 127.0.0.1",
            options.listen
        );
    }
    let recipe = config::load(globals)?.recipe;
    recipe.loop_proof().context("the recipe could trigger itself")?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let ending = runtime.block_on(serve(globals, options, via, token, recipe));
    // Pictures that nobody waits for any more do not hold up the end.
    runtime.shutdown_background();
    ending
}

async fn serve(
    globals: &Globals,
    options: &WorkerOptions,
    via: Via,
    token: Option<String>,
    mut recipe: Recipe,
) -> anyhow::Result<Ending> {
    // Before anything is started: a signal during start-up is not lost.
    let mut signals = Signals::listen()?;
    let stop = CancellationToken::new();
    let (store, services) = buckets::connect_all(&options.buckets).await?;
    tokio::select! {
        looked = look(&recipe, &store) => looked?,
        () = signals.next() => return Ok(Ending::Done),
    }
    minilab_s3_store::supply(&mut recipe, &store).await?;
    let memory = options.memory.map_or_else(budget::of_this_machine, |mebibytes| u64::from(mebibytes) << 20);
    let metrics = Arc::new(Metrics::new());
    let engine = Engine::start(Arc::new(recipe), store, metrics, memory, options.concurrency).await;
    let inbox = match via {
        Via::Sqs => None,
        Via::Webhook | Via::Nats => Some(Arc::new(Inbox::open(&options.data_dir, engine::DOUBT)?)),
    };
    if let Some(inbox) = &inbox {
        prepare(inbox, options).await?;
    }
    let health = Arc::new(Health::new(stop.clone()));
    let metrics_addr = match options.metrics_addr {
        None => None,
        Some(address) => {
            Some(health::serve(address, Arc::clone(&health), Arc::clone(&engine), inbox.clone()).await?)
        }
    };

    let part = Part { options, engine, inbox, health, stop: stop.clone(), tasks: TaskTracker::new() };
    let started = tokio::select! {
        started = part.start(via, token, &services) => started?,
        () = signals.next() => return Ok(Ending::Done),
    };
    ready(globals, &part, via, &started, metrics_addr)?;
    part.until_stopped(started.takers, &mut signals).await
}

/// Asks both buckets for a page of keys: a name that is wrong is said now, and
/// not with each event. A store that is away is waited for by the events.
async fn look(recipe: &Recipe, store: &S3Store) -> anyhow::Result<()> {
    let source = (&recipe.source.bucket, recipe.source.prefix.as_str());
    for (bucket, prefix) in [source, (&recipe.processed.bucket, "")] {
        let Err(error) = store.list(bucket, prefix, None).await else { continue };
        let failure = Failure::Store(error);
        match decide(&failure) {
            Verdict::Refuse { reason } => bail!(reason),
            // The role need not be allowed to list both.
            Verdict::Retry { reason, .. } | Verdict::Reject { reason, .. } => {
                tracing::warn!(reason, "a bucket cannot be looked at: trying with each event");
            }
        }
    }
    Ok(())
}

async fn prepare(inbox: &Inbox, options: &WorkerOptions) -> anyhow::Result<()> {
    if options.redrive {
        let count = inbox.redrive().await?;
        tracing::info!(count, "dead letters are back in the inbox");
    }
    let counts = inbox.counts().await?;
    if counts.dead > 0 {
        tracing::warn!(
            dead_letters = counts.dead,
            folder = %options.data_dir.display(),
            "events were given up: --dead-letters shows them, --redrive tries them again"
        );
    }
    Ok(())
}

/// SIGTERM, and Ctrl-C.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// What takes events, and where.
struct Started {
    /// Each ends after `stop`; the first that ends before ends the worker.
    takers: tokio::task::JoinSet<anyhow::Result<()>>,
    place: String,
}

struct Part<'a> {
    options: &'a WorkerOptions,
    engine: Arc<Engine>,
    inbox: Option<Arc<Inbox>>,
    health: Arc<Health>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Part<'_> {
    async fn start(&self, via: Via, token: Option<String>, services: &SdkConfig) -> anyhow::Result<Started> {
        let options = self.options;
        let visibility = Duration::from_secs(options.visibility_timeout.into());
        let mut takers = tokio::task::JoinSet::new();
        let (health, stop, tasks) = (Arc::clone(&self.health), self.stop.clone(), self.tasks.clone());
        let desk = self.inbox.as_ref().map(|inbox| Desk {
            engine: Arc::clone(&self.engine),
            inbox: Arc::clone(inbox),
            maximum_age: Duration::from_secs(options.maximum_event_age_in_seconds.into()),
        });
        let place = match (via, desk) {
            (Via::Webhook, Some(desk)) => {
                let metrics = Arc::clone(self.engine.metrics());
                let webhook = Webhook::bind(options.listen, token, Arc::clone(&desk.inbox), metrics).await?;
                let place = format!("http://{}", webhook.address());
                takers.spawn(webhook.serve(stop.clone()));
                takers.spawn(async {
                    deliver::work(desk, stop, tasks).await;
                    Ok(())
                });
                self.health.connected(true);
                place
            }
            (Via::Nats, Some(desk)) => {
                let source = Source {
                    servers: nats::servers(&options.nats_url)?,
                    stream: options.stream.clone(),
                    subject: options.subject.clone(),
                    consumer: options.consumer.clone(),
                    ack_wait: visibility,
                };
                if let Some(consumer) = nats::connect(&source, &stop).await? {
                    self.health.connected(true);
                    // Dead letters that were put back are in the inbox.
                    let (inbox, stopped, more) = (desk.clone(), stop.clone(), tasks.clone());
                    takers.spawn(async {
                        deliver::work(inbox, stopped, more).await;
                        Ok(())
                    });
                    takers.spawn(async {
                        nats::work(consumer, desk, health, stop, tasks).await;
                        Ok(())
                    });
                }
                format!("{} of the stream {}", options.subject, options.stream)
            }
            _ => {
                let url = options.queue_url.as_deref().context("--queue-url is missing")?;
                let endpoint = options.sqs_endpoint_url.as_deref();
                let queue = Queue::new(services, url, endpoint, visibility, Arc::clone(&self.engine));
                queue.probe().await?;
                takers.spawn(async {
                    queue.work(health, stop, tasks).await;
                    Ok(())
                });
                url.to_owned()
            }
        };
        Ok(Started { takers, place })
    }

    /// Runs until a signal, then finishes what is under way; a second signal
    /// does not wait for it.
    async fn until_stopped(
        &self,
        mut takers: tokio::task::JoinSet<anyhow::Result<()>>,
        signals: &mut Signals,
    ) -> anyhow::Result<Ending> {
        tokio::select! {
            () = signals.next() => {}
            ended = takers.join_next() => {
                // None of them ends by itself but by an error.
                ended.context("nothing takes events")?.context("a part of the worker panicked")??;
            }
        }
        let patience = Duration::from_secs(self.options.drain_timeout.into());
        tracing::info!(seconds = patience.as_secs(), "stopping: pictures under way may finish");
        self.stop.cancel();
        let drained = async {
            while takers.join_next().await.is_some() {}
            self.tasks.close();
            self.tasks.wait().await;
        };
        let in_time = tokio::select! {
            drained = tokio::time::timeout(patience, drained) => drained.is_ok(),
            () = signals.next() => {
                tracing::warn!("a second signal: leaving what is under way, which comes again");
                return Ok(Ending::SomeRejected);
            }
        };
        if !in_time {
            tracing::warn!(left = self.tasks.len(), "the time is over: what is under way comes again");
            if let Some(inbox) = &self.inbox {
                inbox.release(engine::DOUBT).await?;
            }
        }
        Ok(Ending::Done)
    }
}

fn ready(
    globals: &Globals,
    part: &Part<'_>,
    via: Via,
    started: &Started,
    metrics: Option<SocketAddr>,
) -> anyhow::Result<()> {
    let metrics = metrics.map(|address| format!("http://{address}"));
    let budget = part.engine.budget();
    let (memory, largest) = (budget.total() >> 20, budget.largest_at_once());
    let mut out = std::io::stdout().lock();
    if globals.json {
        let line = json!({
            "ready": true,
            "via": via.word(),
            "from": started.place,
            "metrics": metrics,
            "memory_mb": memory,
            "concurrency": part.engine.at_once(),
        });
        writeln!(out, "{line}")?;
    } else if !globals.quiet {
        writeln!(out, "minilab takes events from {}: {}", via.word(), started.place)?;
        writeln!(
            out,
            "  {} pictures at once in {memory} MB, of the largest {largest}; metrics: {}",
            part.engine.at_once(),
            metrics.as_deref().unwrap_or("none, see --metrics-addr")
        )?;
    }
    out.flush()?;
    Ok(())
}

fn print_dead_letters(globals: &Globals, folder: &Path) -> anyhow::Result<Ending> {
    let letters = inbox::dead_letters(folder)?;
    let mut out = std::io::stdout().lock();
    let time = |ms: i64| {
        let since = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
    };
    for letter in &letters {
        let inbox::DeadLetter { body, received_ms, failed_ms, attempts, reason } = letter;
        if globals.json {
            let text = String::from_utf8_lossy(body);
            let event: Value = serde_json::from_str(&text).unwrap_or_else(|_| text.into());
            let line = json!({
                "received": time(*received_ms), "failed": time(*failed_ms),
                "attempts": attempts, "reason": reason, "event": event,
            });
            writeln!(out, "{line}")?;
        } else if !globals.quiet {
            writeln!(out, "{}  tried {attempts} times: {reason}", time(*failed_ms))?;
        }
    }
    if !globals.json && !globals.quiet {
        writeln!(out, "{} dead letter{}", letters.len(), if letters.len() == 1 { "" } else { "s" })?;
    }
    Ok(Ending::Done)
}
