//! The HTTP client that the exporter sends with.
//!
//! Owns: one request after the other, each with a connection of its own, on the
//! exporter's own thread. Refuses: an executor that runs when nothing is sent;
//! a function is frozen between its invocations, and so would its connections be.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use std::fmt;
use std::io;
use std::time::Duration;
use tokio::runtime::Runtime;

/// An answer of a collector says at most which spans it refused.
const MOST_ANSWER: usize = 1 << 20;

pub(crate) struct Client {
    connections: Connections,
    timeout: Duration,
    runtime: Runtime,
}

enum Connections {
    /// Without the machine's certificates, which take milliseconds to read.
    Plain(Hyper<HttpConnector, Full<Bytes>>),
    Secure(Hyper<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Client {
    pub(crate) fn new(plain: bool, timeout: Duration) -> io::Result<Self> {
        let mut builder = Hyper::builder(TokioExecutor::new());
        builder.pool_max_idle_per_host(0);
        let connections = if plain {
            Connections::Plain(builder.build(HttpConnector::new()))
        } else {
            let connector = HttpsConnectorBuilder::new()
                .with_provider_and_native_roots(rustls::crypto::ring::default_provider())?
                .https_or_http()
                .enable_http1()
                .build();
            Connections::Secure(builder.build(connector))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        Ok(Self { connections, timeout, runtime })
    }
}

async fn send<C>(
    client: &Hyper<C, Full<Bytes>>,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let (parts, body) = client.request(request.map(Full::new)).await?.into_parts();
    let body = Limited::new(body, MOST_ANSWER).collect().await?.to_bytes();
    Ok(Response::from_parts(parts, body))
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = async {
            match &self.connections {
                Connections::Plain(client) => send(client, request).await,
                Connections::Secure(client) => send(client, request).await,
            }
        };
        // The batch processor calls this from a thread of its own, where no runtime is: to block is right.
        self.runtime.block_on(async { tokio::time::timeout(self.timeout, sent).await })?
    }
}
