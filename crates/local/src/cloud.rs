//! The small cloud as one thing: S3, the role, the trigger, the function and
//! the page beside them, started together and stopped together.
//!
//! Owns: the order of starting and stopping, and what is checked before.
//! Refuses: to start half: every error is found before the first request is
//! served, each in one line with its remedy.

mod config;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::activity::{Activity, Feed};
use crate::extension::Extension;
use crate::iam::{Authority, Credentials};
use crate::lambda::{Identity, InvocationRecord, Invoker, Outcome, Pending, Pool, end_orphans};
use crate::lineage::Running;
use crate::metrics::Metrics;
use crate::notify::{Place, Rule};
use crate::observer::{Observer, Page};
use crate::queue::FailedEvent;
use crate::s3::{self, Requests, S3Settings};
use crate::storage::{OpenError, Storage, StorageError};

use config::check;
pub use config::{CloudConfig, StartError, Trigger};

/// How long running invocations may take to end at a shutdown. Those that are
/// cut off run again at the next start.
const PATIENCE: Duration = Duration::from_secs(3);
/// Rules that come from the configuration are told apart by their id, so that
/// the next start can replace them and leaves others alone.
const CONFIGURED: &str = "configured-";

/// What the program that starts the cloud adds to it.
#[derive(Default)]
pub struct Additions {
    /// Reads the function's log, and counts beside the cloud.
    pub extension: Option<Arc<dyn Extension>>,
    /// Served on the configured address of the console.
    pub page: Option<Arc<dyn Page>>,
}

impl std::fmt::Debug for Additions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Additions")
            .field("extension", &self.extension.is_some())
            .field("page", &self.page.is_some())
            .finish()
    }
}

/// A running cloud. Dropped without [`Cloud::shutdown`] it ends at once;
/// nothing durable is lost by that.
pub struct Cloud {
    s3_endpoint: String,
    console_url: Option<String>,
    credentials: Credentials,
    authority: Arc<Authority>,
    storage: Arc<Storage>,
    invoker: Arc<Invoker>,
    feed: Feed,
    stop: CancellationToken,
    worker: Option<JoinHandle<()>>,
    servers: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Cloud")
            .field("s3_endpoint", &self.s3_endpoint)
            .field("console_url", &self.console_url)
            .finish_non_exhaustive()
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.stop.cancel();
        // Children die with the tasks that own them.
        for task in self.worker.iter().chain(&self.servers) {
            task.abort();
        }
    }
}

async fn listen(what: &'static str, addr: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let problem = |error: io::Error| StartError::Listen {
        what,
        addr,
        problem: match error.kind() {
            io::ErrorKind::AddrInUse => {
                "the port is in use; stop the other program, or choose another port (0 takes a free one)"
                    .to_owned()
            }
            io::ErrorKind::PermissionDenied => {
                "this user may not open that port; choose one above 1023".to_owned()
            }
            io::ErrorKind::AddrNotAvailable => {
                "this machine does not have that address; choose 127.0.0.1".to_owned()
            }
            _ => format!("{error}; choose another address"),
        },
    };
    let listener = TcpListener::bind(addr).await.map_err(problem)?;
    let bound = listener.local_addr().map_err(problem)?;
    Ok((listener, bound))
}

/// How this machine itself reaches what listens on `addr`.
fn reach(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

/// The origins of a page on `port` of this machine: the machine's own names.
fn own_origins(port: u16) -> [String; 3] {
    ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("http://{name}:{port}"))
}

/// Makes the buckets and sets the configured triggers, replacing those of an
/// earlier configuration on any bucket: a forgotten trigger could make a loop.
fn set_up(storage: &Storage, config: &CloudConfig, arn: &str) -> Result<(), StartError> {
    for bucket in &config.buckets {
        storage
            .ensure_bucket(bucket)
            .map_err(|source| StartError::Bucket { bucket: bucket.clone(), source })?;
    }
    let mut wanted: BTreeMap<&str, Vec<Rule>> = BTreeMap::new();
    for (index, trigger) in config.triggers.iter().enumerate() {
        wanted.entry(&trigger.bucket).or_default().push(Rule {
            id: format!("{CONFIGURED}{}", index + 1),
            function: arn.to_owned(),
            events: trigger.events.clone(),
            prefix: trigger.prefix.clone(),
            suffix: trigger.suffix.clone(),
        });
    }
    let buckets = storage.buckets().map_err(|source| StartError::Bucket { bucket: String::new(), source })?;
    for bucket in buckets {
        let fail = |source: StorageError| StartError::Trigger {
            bucket: bucket.name.clone(),
            problem: source.to_string(),
        };
        let before = storage.notifications(&bucket.name).map_err(fail)?;
        let mut after: Vec<Rule> =
            before.iter().filter(|rule| !rule.id.starts_with(CONFIGURED)).cloned().collect();
        after.extend(wanted.remove(bucket.name.as_str()).unwrap_or_default());
        if after != before {
            storage.set_notifications(&bucket.name, &after).map_err(fail)?;
        }
    }
    Ok(())
}

/// What opening the data folder gives.
struct Opened {
    storage: Storage,
    credentials: Credentials,
    feed: Feed,
    mark: String,
}

fn open(
    config: &CloudConfig,
    extension: Option<Arc<dyn Extension>>,
    changes: watch::Sender<u64>,
    arn: &str,
) -> Result<Opened, StartError> {
    let place = Place { region: config.region.clone(), account: config.account.clone() };
    let wake = Arc::new(move || changes.send_modify(|count| *count = count.wrapping_add(1)));
    let storage = Storage::open(&config.data_dir, place, wake).map_err(|error| match error {
        OpenError::Objects(source) => StartError::DataFolder { path: config.data_dir.clone(), source },
        other => StartError::Storage(other),
    })?;
    let credentials = match &config.root_credentials {
        Some(given) => given.clone(),
        None => Credentials::load_or_create(&config.data_dir.join("root-credentials.json"))
            .map_err(StartError::Credentials)?,
    };
    let feed = Feed::open(&config.data_dir, extension)
        .map_err(|source| StartError::History { path: config.data_dir.clone(), source })?;
    set_up(&storage, config, arn)?;
    // The folder is locked, so whoever carries its mark has lost its cloud.
    let mark = std::fs::canonicalize(&config.data_dir)
        .unwrap_or_else(|_| config.data_dir.clone())
        .display()
        .to_string();
    let orphans = end_orphans(&mark);
    if orphans > 0 {
        tracing::warn!(orphans, "ended functions that an earlier process had left running");
    }
    Ok(Opened { storage, credentials, feed, mark })
}

impl Cloud {
    /// Starts everything; when this returns, S3 answers and the function is
    /// run for each event, those of an earlier start included.
    pub async fn start(config: CloudConfig) -> Result<Self, StartError> {
        Self::start_with(config, Additions::default()).await
    }

    /// The same with what the program adds to the cloud.
    pub async fn start_with(config: CloudConfig, additions: Additions) -> Result<Self, StartError> {
        let Additions { extension, page } = additions;
        let policy = check(&config)?;
        let (s3_listener, s3_addr) = listen("S3", config.s3_addr).await?;
        let console_listener = match config.console_addr {
            Some(addr) => Some(listen("the console", addr).await?),
            None => None,
        };
        let identity = Identity {
            region: config.region.clone(),
            account: config.account.clone(),
            function: config.function.name.clone(),
            mark: String::new(),
        };
        let changes = watch::Sender::new(0);
        let (config, opened) = {
            let (changes, arn, reader) = (changes.clone(), identity.arn(), extension.clone());
            let opening = tokio::task::spawn_blocking(move || {
                let opened = open(&config, reader, changes, &arn);
                (config, opened)
            });
            match opening.await {
                Ok(pair) => pair,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        };
        let Opened { storage, credentials, feed, mark } = opened?;
        let identity = Identity { mark, ..identity };
        let storage = Arc::new(storage);
        let authority = Arc::new(Authority::new(&config.account, credentials.clone()));
        authority.put_role(&config.function.role, vec![policy]);
        let s3_endpoint = format!("http://{}", reach(s3_addr));
        let running = Arc::new(Running::default());
        let console_port = console_listener.as_ref().map(|(_, addr)| addr.port());
        let requests = Requests::default();
        let settings = S3Settings {
            requests: requests.clone(),
            functions: BTreeSet::from([identity.arn()]),
            running: Arc::clone(&running),
            origins: console_port.map(own_origins).into_iter().flatten().collect(),
            ..S3Settings::default()
        };
        let pool = Pool::new(
            config.function,
            identity,
            Arc::clone(&authority),
            running,
            Some(s3_endpoint.clone()),
            feed.clone(),
        );
        let invoker = Invoker::new(Arc::clone(storage.database()), pool, changes);
        invoker.recover().await.map_err(StartError::Queue)?;

        let stop = CancellationToken::new();
        let mut servers = vec![tokio::spawn(forward(Arc::clone(&authority), feed.clone()))];
        let serving =
            s3::serve(s3_listener, Arc::clone(&storage), Arc::clone(&authority), settings, stop.clone());
        servers.push(tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the s3 endpoint ended");
            }
        }));
        let mut console_url = None;
        if let (Some((listener, addr)), Some(page)) = (console_listener, page) {
            console_url = Some(page.link(addr, &credentials));
            let metrics = Metrics::new(feed.counted(), &requests.0, authority.denied(), extension.as_deref());
            let observer = Observer {
                storage: Arc::clone(&storage),
                authority: Arc::clone(&authority),
                invoker: Arc::clone(&invoker),
                feed: feed.clone(),
                metrics: Arc::new(metrics),
                credentials: credentials.clone(),
                s3_endpoint: s3_endpoint.clone(),
            };
            servers.push(tokio::spawn(page.serve(listener, observer, stop.clone())));
        }
        let worker = tokio::spawn(Arc::clone(&invoker).work());
        Ok(Self {
            s3_endpoint,
            console_url,
            credentials,
            authority,
            storage,
            invoker,
            feed,
            stop,
            worker: Some(worker),
            servers,
        })
    }

    /// Where S3 answers, for example `http://127.0.0.1:9000`.
    #[must_use]
    pub fn s3_endpoint(&self) -> &str {
        &self.s3_endpoint
    }

    /// The link that opens the console, if there is a console.
    #[must_use]
    pub fn console_url(&self) -> Option<&str> {
        self.console_url.as_deref()
    }

    /// The root user's access key.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Who may what, and the log of decisions.
    #[must_use]
    pub fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// Buckets and objects, past S3 and its permissions.
    #[must_use]
    pub fn storage(&self) -> &Arc<Storage> {
        &self.storage
    }

    /// Everything that happens from now on.
    #[must_use]
    pub fn activity(&self) -> broadcast::Receiver<Arc<Activity>> {
        self.feed.subscribe()
    }

    /// The newest finished attempts, those before this start among them, oldest
    /// first, at most 1000.
    #[must_use]
    pub fn invocations(&self) -> Vec<InvocationRecord> {
        self.feed.finished()
    }

    /// Resolves when no invocation is queued, running or waiting for a retry.
    pub async fn idle(&self) -> rusqlite::Result<()> {
        self.invoker.idle().await
    }

    /// How many invocations are where.
    pub async fn pending(&self) -> rusqlite::Result<Pending> {
        self.invoker.pending().await
    }

    /// The newest given-up events, newest first, at most 1000.
    pub async fn failed_events(&self) -> rusqlite::Result<Vec<FailedEvent>> {
        self.invoker.failed_events(1000).await
    }

    /// Queues a given-up event anew; false when there is no such event.
    pub async fn requeue(&self, failed_id: i64) -> rusqlite::Result<bool> {
        self.invoker.requeue(failed_id).await
    }

    /// Queues every given-up event anew; returns how many there were.
    pub async fn redrive(&self) -> rusqlite::Result<u64> {
        self.invoker.redrive().await
    }

    /// Invokes the function synchronously with a JSON event.
    pub async fn invoke(&self, payload: impl Into<Bytes>) -> (InvocationRecord, Outcome) {
        self.invoker.invoke(payload.into()).await
    }

    /// Stops: no new events, three seconds for running invocations and up to
    /// ten for open requests. What was cut off runs again at the next start.
    pub async fn shutdown(mut self) {
        self.invoker.close(PATIENCE).await;
        if let Some(worker) = self.worker.take() {
            let _ = worker.await;
        }
        self.stop.cancel();
        // The first only forwards decisions and never ends by itself.
        for (index, server) in std::mem::take(&mut self.servers).into_iter().enumerate() {
            if index == 0 {
                server.abort();
            } else {
                let _ = server.await;
            }
        }
    }
}

async fn forward(authority: Arc<Authority>, feed: Feed) {
    let mut decisions = authority.decisions();
    loop {
        match decisions.recv().await {
            Ok(decision) => feed.send(Activity::Decision(decision)),
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_address_is_reached_over_loopback() {
        for (bound, reached) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("192.0.2.1:80", "192.0.2.1:80")]
        {
            assert_eq!(reach(bound.parse().unwrap()), reached.parse().unwrap());
        }
    }
}
