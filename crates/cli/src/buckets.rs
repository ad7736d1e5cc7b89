//! Real or local buckets, reached as the AWS CLI reaches them, and the handler
//! at work on them in this process. Owns the connection, and how many pictures
//! are made at once; decides nothing about failures.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::ProvideCredentials as _;
use minilab_handler::store::StoreError;
use minilab_handler::verdict::{Failure, Verdict, decide};
use minilab_handler::{Clock as _, Outcome, State};
use minilab_imaging::{Limits, Recipe};
use minilab_s3_store::{BucketHandler, Endpoint, S3Store};
use serde::Serialize;
use tokio::sync::{Mutex, mpsc};

use crate::options::BucketOptions;

/// Signed for where an endpoint is given and no region: S3 servers other than
/// AWS's rarely have any.
const ANY_REGION: &str = "us-east-1";

/// The longest work on one key, its retries included: Lambda's longest.
const LONGEST: Duration = Duration::from_mins(15);

/// Connecting to services other than S3, and waiting for their answers: longer than
/// the long poll of a queue. Without it, a connection that was lost silently is
/// waited for without end.
const CONNECT: Duration = Duration::from_secs(5);
pub(crate) const ANSWER: Duration = Duration::from_secs(30);

/// A store with the credentials that the AWS CLI would find.
pub(crate) async fn connect(options: &BucketOptions) -> anyhow::Result<Arc<S3Store>> {
    Ok(connect_all(options).await?.0)
}

/// The store, and what other services' clients are made of. `--endpoint-url` is
/// for S3 alone; theirs come from the environment or the profile.
pub(crate) async fn connect_all(options: &BucketOptions) -> anyhow::Result<(Arc<S3Store>, SdkConfig)> {
    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).http_client(minilab_s3_store::https_client());
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(ANSWER);
    loader = loader.timeout_config(timeouts.build());
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let found = loader.load().await;
    let endpoint = match options.endpoint_url.as_deref().or_else(|| found.endpoint_url()) {
        Some(url) => Some(Endpoint::parse(url).map_err(anyhow::Error::msg)?),
        None => None,
    };
    let region = match (found.region(), &endpoint) {
        (Some(region), _) => region.to_string(),
        (None, Some(_)) => ANY_REGION.to_owned(),
        (None, None) => anyhow::bail!("the buckets' region is not known; give --region, or set AWS_REGION"),
    };
    let remedy =
        "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give --profile";
    let credentials = found.credentials_provider().context(remedy)?;
    if let Err(error) = credentials.provide_credentials().await {
        // It lists where it looked, a line each.
        let why = format!("{:#}", anyhow::Error::from(error));
        let why: Vec<&str> = why.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        anyhow::bail!("{remedy} ({})", why.join("; "));
    }
    let store = Arc::new(S3Store::renewing(credentials, region.clone(), endpoint));
    Ok((store, found.into_builder().region(Region::new(region)).build()))
}

/// Tries an operation of the store again while pauses may help.
pub(crate) async fn patiently<T, F>(mut operation: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    for pause in [100, 400, 1600, 5000] {
        match operation().await {
            Err(error)
                if matches!(decide(&Failure::Store(error.clone())), Verdict::Retry { soon: true, .. }) =>
            {
                tracing::debug!(%error, pause, "pausing before another try");
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            settled => return settled,
        }
    }
    operation().await
}

/// Handlers at work on one pair of buckets, each on one picture at a time.
pub(crate) struct Workers {
    free: mpsc::Sender<BucketHandler>,
    queue: Mutex<mpsc::Receiver<BucketHandler>>,
}

impl Workers {
    /// `count` handlers, or one for each core. Each may take the recipe's
    /// memory limit.
    pub(crate) async fn start(
        recipe: &Arc<Recipe>,
        store: &Arc<S3Store>,
        count: Option<u32>,
    ) -> (Self, usize) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = count.map_or(cores, |count| count as usize);
        let limits = Limits { threads: (cores / count).max(1), ..recipe.limits };
        let (free, queue) = mpsc::channel(count);
        for _ in 0..count {
            // Of that capacity, so that this does not wait.
            let _ = free.send(minilab_s3_store::handler(recipe.clone(), limits, store.clone())).await;
        }
        (Self { free, queue: Mutex::new(queue) }, count)
    }

    /// Reconciles `key` as soon as a handler is free.
    pub(crate) async fn reconcile(&self, key: &str) -> Done {
        let handler = self.queue.lock().await.recv().await;
        let Some(handler) = handler else { unreachable!("the sender is ours") };
        // On the heap, so that every future that awaits it stays small.
        let result = Box::pin(handler.reconcile(key, handler.clock().now() + LONGEST)).await;
        let _ = self.free.send(handler).await;
        Done::of(key, result)
    }
}

/// What became of one key; one line of `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct Done {
    pub(crate) key: String,
    /// `printed`, `absent`, `rejected`, `ignored`, `sent` or `failed`.
    pub(crate) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Prints stored.
    pub(crate) written: u32,
    /// Prints and reports deleted.
    pub(crate) deleted: u32,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    /// The configuration is at fault: no other key will fare better.
    #[serde(skip)]
    pub(crate) refused: bool,
}

impl Done {
    fn of(key: &str, result: Result<Outcome, Failure>) -> Self {
        match result {
            Ok(Outcome { state, written, deleted, bytes_in, bytes_out, .. }) => {
                let status = state.word();
                let (code, reason) = match state {
                    State::Rejected { code, reason } => (Some(code), Some(reason)),
                    State::Ignored { reason } => (None, Some(reason.to_owned())),
                    State::Absent => (None, Some("the source is gone".to_owned())),
                    State::Printed => (None, None),
                    State::Unfinished { reason, .. } => (None, Some(reason)),
                };
                Self {
                    key: key.to_owned(),
                    status,
                    code,
                    reason,
                    written,
                    deleted,
                    bytes_in,
                    bytes_out,
                    refused: false,
                }
            }
            Err(failure) => Self::failed(key, &failure),
        }
    }

    /// A key that could not be finished.
    pub(crate) fn failed(key: &str, failure: &Failure) -> Self {
        let refused = matches!(decide(failure), Verdict::Refuse { .. });
        Self { refused, ..Self::not_done(key, failure.to_string()) }
    }

    /// A key that the function was told of.
    pub(crate) fn sent(key: &str) -> Self {
        Self { status: "sent", reason: None, ..Self::not_done(key, String::new()) }
    }

    /// A key that was not worked on, and why.
    pub(crate) fn not_done(key: &str, reason: String) -> Self {
        Self {
            key: key.to_owned(),
            status: "failed",
            code: None,
            reason: Some(reason),
            written: 0,
            deleted: 0,
            bytes_in: 0,
            bytes_out: 0,
            refused: false,
        }
    }

    /// Whether its source has no prints and should.
    pub(crate) fn is_trouble(&self) -> bool {
        matches!(self.status, "rejected" | "failed")
    }

    /// "printed: a.jpg: 9 prints".
    pub(crate) fn line(&self) -> String {
        let Self { key, status, reason, written, deleted, .. } = self;
        match reason {
            Some(reason) => format!("{status}: {key}: {reason}"),
            None if *deleted > 0 => format!("{status}: {key}: {written} written, {deleted} deleted"),
            None => format!("{status}: {key}: {written} written"),
        }
    }
}
