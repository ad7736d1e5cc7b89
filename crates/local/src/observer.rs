//! What the cloud hands to a page beside it: reading what happened and what is
//! stored, and the few changes that a page may ask for.
//!
//! Owns: the [`Observer`], and how a [`Page`] is started. Refuses: knowing what
//! the page shows, or who looks at it.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::activity::{Feed, Journal, subjects};
use crate::clock::now_ms;
use crate::iam::{Authority, Credentials, LoggedDecision, Policy, PolicyError};
use crate::lambda::{FunctionSpec, InvocationRecord, Invoker};
use crate::metrics::Metrics;
use crate::notify::{self, EventName, Occurrence, Origin};
use crate::queue::{Counts, FailedEvent, UnderWay};
use crate::storage::{ObjectInfo, Storage};

/// The media type of [`Observer::metrics`].
pub use crate::metrics::CONTENT_TYPE as METRICS_TYPE;

/// A page that is served beside S3, on a port of its own.
pub trait Page: Send + Sync + 'static {
    /// The link that opens the page on `addr`.
    fn link(&self, addr: SocketAddr, root: &Credentials) -> String;

    /// Serves the page until `stop`.
    fn serve(self: Arc<Self>, listener: TcpListener, observer: Observer, stop: CancellationToken) -> Serving;
}

/// A page that is being served.
pub type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The cloud as a page sees it.
#[derive(Clone)]
pub struct Observer {
    pub(crate) storage: Arc<Storage>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) invoker: Arc<Invoker>,
    pub(crate) feed: Feed,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) credentials: Credentials,
    pub(crate) s3_endpoint: String,
}

impl fmt::Debug for Observer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Observer").field("s3_endpoint", &self.s3_endpoint).finish_non_exhaustive()
    }
}

impl Observer {
    /// Where S3 answers, for example `http://127.0.0.1:9000`.
    #[must_use]
    pub fn s3_endpoint(&self) -> &str {
        &self.s3_endpoint
    }

    /// The region that requests are signed for.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.storage.place().region
    }

    /// The root user's access key.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Buckets and objects, past S3 and its permissions.
    #[must_use]
    pub fn storage(&self) -> &Arc<Storage> {
        &self.storage
    }

    /// The newest activities of this run, numbered.
    #[must_use]
    pub fn journal(&self) -> &Arc<Journal> {
        self.feed.journal()
    }

    /// The newest finished attempts, oldest first.
    #[must_use]
    pub fn finished(&self) -> Vec<InvocationRecord> {
        self.feed.finished()
    }

    /// The newest decisions, oldest first.
    #[must_use]
    pub fn decisions(&self) -> Vec<LoggedDecision> {
        self.authority.recent_decisions()
    }

    /// The function as it was configured.
    #[must_use]
    pub fn function(&self) -> &FunctionSpec {
        self.invoker.spec()
    }

    /// How many invocations are where.
    pub async fn pending(&self) -> rusqlite::Result<Counts> {
        self.invoker.pending().await
    }

    /// At most `limit` invocations that are queued, running or waiting, each
    /// with what its event names.
    pub async fn under_way(&self, limit: u32) -> rusqlite::Result<Vec<(UnderWay, Vec<String>)>> {
        let found = self.invoker.under_way(limit).await?;
        Ok(found
            .into_iter()
            .map(|one| {
                let named = subjects(&one.payload);
                (one, named)
            })
            .collect())
    }

    /// The newest given-up events, newest first.
    pub async fn failed_events(&self, limit: u32) -> rusqlite::Result<Vec<FailedEvent>> {
        self.invoker.failed_events(limit).await
    }

    /// Queues a given-up event anew; false when there is no such event.
    pub async fn requeue(&self, failed_id: i64) -> rusqlite::Result<bool> {
        self.invoker.requeue(failed_id).await
    }

    /// The event that S3 would send for an object of `bucket` as the object is now.
    #[must_use]
    pub fn event(&self, info: &ObjectInfo, bucket: &str) -> Vec<u8> {
        let origin = Origin {
            principal_id: format!("AWS:{}", self.authority.account()),
            source_ip: "127.0.0.1".to_owned(),
            ..Origin::default()
        };
        let now = now_ms();
        let version = info.shown_version();
        let occurrence = Occurrence {
            name: EventName::CreatedPut,
            bucket,
            key: &info.key,
            size: info.size,
            etag: &info.etag,
            version: version.as_deref(),
            sequence: now.saturating_mul(1000),
            at_ms: now,
            origin: &origin,
        };
        notify::message(self.storage.place(), "console", &occurrence)
    }

    /// Queues events for the function, all of them or none.
    pub async fn enqueue(&self, payloads: Vec<Vec<u8>>) -> rusqlite::Result<()> {
        self.invoker.enqueue_all(payloads).await
    }

    /// Gives the function's role this policy alone.
    pub fn set_policy(&self, policy: &Value) -> Result<(), PolicyError> {
        self.authority.put_role(&self.invoker.spec().role, vec![Policy::parse(policy)?]);
        Ok(())
    }

    /// Gives the function these environment variables from its next start on.
    pub async fn set_variables(&self, variables: Vec<(String, String)>) {
        self.invoker.set_variables(variables).await;
    }

    /// What the cloud counts, as text of the type [`METRICS_TYPE`].
    pub fn metrics(&self, counts: &Counts) -> Result<String, fmt::Error> {
        self.metrics.text(counts)
    }
}
