//! Whether the worker is alive and ready, and its metrics, on an address of
//! their own. Owns the three pages; refuses to change anything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::engine::Engine;
use super::inbox::Inbox;
use super::metrics::{self, InboxCounts};

/// What the transport and the signals say.
#[derive(Debug)]
pub(super) struct Health {
    connected: AtomicBool,
    stop: CancellationToken,
}

impl Health {
    pub(super) const fn new(stop: CancellationToken) -> Self {
        Self { connected: AtomicBool::new(false), stop }
    }

    /// The transport has, or has lost, its events' source.
    pub(super) fn connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
    }

    fn ready(&self) -> Result<(), &'static str> {
        if self.stop.is_cancelled() {
            Err("stopping\n")
        } else if self.connected.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err("the events' source does not answer\n")
        }
    }
}

struct Desk {
    health: Arc<Health>,
    engine: Arc<Engine>,
    inbox: Option<Arc<Inbox>>,
}

/// Listens; gives the address, with the port that was found where 0 was asked
/// for. Serves until the process ends, so that a drain can be watched.
pub(super) async fn serve(
    address: SocketAddr,
    health: Arc<Health>,
    engine: Arc<Engine>,
    inbox: Option<Arc<Inbox>>,
) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let address = listener.local_addr()?;
    let app = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(text))
        .with_state(Arc::new(Desk { health, engine, inbox }));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(%error, "the metrics' listener failed");
        }
    });
    Ok(address)
}

async fn ready(State(desk): State<Arc<Desk>>) -> Response {
    match desk.health.ready() {
        Ok(()) => "ready\n".into_response(),
        Err(words) => (StatusCode::SERVICE_UNAVAILABLE, words).into_response(),
    }
}

async fn text(State(desk): State<Arc<Desk>>) -> Response {
    let inbox = match &desk.inbox {
        None => InboxCounts::default(),
        Some(inbox) => match inbox.counts().await {
            Ok(counts) => counts,
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "the inbox cannot be counted");
                return (StatusCode::INTERNAL_SERVER_ERROR, "the inbox cannot be read\n").into_response();
            }
        },
    };
    let text = desk.engine.metrics().text(inbox, desk.engine.budget().reserved());
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
}
