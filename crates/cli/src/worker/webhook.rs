//! Events over HTTP: the one transport that MinIO, RustFS and Ceph share. Owns
//! probes, the token and the answer; an event is in the inbox, on disk, before
//! its sender is told that it was taken.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::inbox::Inbox;
use super::metrics::Metrics;

/// The largest body, in bytes: a notification of some hundred records.
const LARGEST: usize = 1 << 20;

/// Bodies in memory at once.
const AT_ONCE: usize = 64;

/// The longest that a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

struct Desk {
    inbox: Arc<Inbox>,
    metrics: Arc<Metrics>,
    token: Option<String>,
    bodies: Semaphore,
}

/// A listener that is bound and not yet served.
pub(super) struct Webhook {
    listener: TcpListener,
    address: SocketAddr,
    desk: Arc<Desk>,
}

impl Webhook {
    pub(super) async fn bind(
        address: SocketAddr,
        token: Option<String>,
        inbox: Arc<Inbox>,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        let address = listener.local_addr()?;
        let desk = Arc::new(Desk { inbox, metrics, token, bodies: Semaphore::new(AT_ONCE) });
        Ok(Self { listener, address, desk })
    }

    /// With the port that was found where 0 was asked for.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then finishes the requests under way.
    pub(super) async fn serve(self, stop: CancellationToken) -> anyhow::Result<()> {
        let app = Router::new().fallback(answer).with_state(self.desk);
        axum::serve(self.listener, app)
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
            .context("the webhook's listener failed")
    }
}

/// Any path: a sender's URL is its own business.
async fn answer(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    match *request.method() {
        // Senders look whether somebody is there before they send, with or without the token.
        Method::GET | Method::HEAD => (StatusCode::OK, "minilab worker\n").into_response(),
        Method::POST | Method::PUT => desk.take(request).await,
        _ => {
            let mut response = StatusCode::METHOD_NOT_ALLOWED.into_response();
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT"));
            response
        }
    }
}

impl Desk {
    async fn take(&self, request: Request) -> Response {
        if !self.token.as_deref().is_none_or(|token| carries(request.headers(), token)) {
            self.metrics.refused("token");
            tracing::warn!("a request without the token was refused");
            let mut response =
                (StatusCode::UNAUTHORIZED, "send the token as Authorization: Bearer\n").into_response();
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return response;
        }
        let Ok(_place) = self.bodies.acquire().await else { return unavailable("stopping\n") };
        let body = match body(request.into_body()).await {
            Ok(body) => body,
            Err((status, reason, words)) => {
                self.metrics.refused(reason);
                tracing::warn!(reason, "a request was refused");
                return (status, words).into_response();
            }
        };
        match self.inbox.put(body).await {
            Ok(()) => StatusCode::ACCEPTED.into_response(),
            Err(error) => {
                self.metrics.refused("inbox");
                tracing::error!(error = format!("{error:#}"), "an event cannot be kept: its sender keeps it");
                unavailable("the event cannot be stored; send it again\n")
            }
        }
    }
}

fn unavailable(words: &'static str) -> Response {
    let mut response = (StatusCode::SERVICE_UNAVAILABLE, words).into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

type Refusal = (StatusCode, &'static str, &'static str);

/// A JSON text. Whether it is an event is found when it is worked on: a sender
/// would send again for ever what is refused here.
async fn body(body: Body) -> Result<Vec<u8>, Refusal> {
    let slow = (StatusCode::REQUEST_TIMEOUT, "slow", "the body did not arrive within 30 s\n");
    let large = (StatusCode::PAYLOAD_TOO_LARGE, "large", "the body is over 1 MiB, or broke off\n");
    let bytes = tokio::time::timeout(PATIENCE, to_bytes(body, LARGEST)).await.map_err(|_| slow)?;
    let bytes = bytes.map_err(|_| large)?;
    match serde_json::from_slice::<serde::de::IgnoredAny>(&bytes) {
        Ok(_) => Ok(bytes.into()),
        Err(_) => {
            Err((StatusCode::BAD_REQUEST, "json", "the body is no JSON; send an S3 event notification\n"))
        }
    }
}

/// Whether the request carries the token: as a bearer token, which MinIO and
/// RustFS send; as the password of Basic authentication, which is what a client
/// makes of a URL with a name and a password (Ceph has no other place for it); or
/// as it is (AIStor sends the value exactly as it was given).
fn carries(headers: &HeaderMap, token: &str) -> bool {
    let Some(sent) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) else { return false };
    let sent = sent.trim();
    let (scheme, rest) = sent.split_once(' ').unwrap_or(("", sent));
    let rest = rest.trim();
    let decoded;
    let found = if scheme.eq_ignore_ascii_case("basic") {
        decoded = STANDARD.decode(rest).unwrap_or_default();
        let colon = decoded.iter().position(|byte| *byte == b':');
        colon.map_or(&[][..], |at| &decoded[at + 1..])
    } else if scheme.eq_ignore_ascii_case("bearer") {
        rest.as_bytes()
    } else {
        sent.as_bytes()
    };
    found.ct_eq(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_wherever_a_store_puts_it() {
        for (sent, carried) in [
            (Some("Bearer secret"), true),
            (Some("bearer  secret "), true),
            (Some("secret"), true),
            // "minilab:secret"
            (Some("Basic bWluaWxhYjpzZWNyZXQ="), true),
            // ":secret"
            (Some("Basic OnNlY3JldA=="), true),
            // "secret:minilab"
            (Some("Basic c2VjcmV0Om1pbmlsYWI="), false),
            (Some("Basic secret"), false),
            (Some("Bearer Secret"), false),
            (Some("Bearer secre"), false),
            (Some("Bearer secrets"), false),
            (Some("Bearer"), false),
            (Some(""), false),
            (None, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(sent) = sent {
                headers.insert(AUTHORIZATION, HeaderValue::from_str(sent).unwrap());
            }
            assert_eq!(carries(&headers, "secret"), carried, "{sent:?}");
        }
    }

    #[tokio::test]
    async fn only_json_of_a_bounded_size_is_taken() {
        for (sent, status) in [
            (b"{\"Records\":[]}".to_vec(), None),
            (b"\"text\"".to_vec(), None),
            (b"".to_vec(), Some(StatusCode::BAD_REQUEST)),
            (b"key=value".to_vec(), Some(StatusCode::BAD_REQUEST)),
            (b"{} {}".to_vec(), Some(StatusCode::BAD_REQUEST)),
            (vec![b' '; LARGEST + 1], Some(StatusCode::PAYLOAD_TOO_LARGE)),
        ] {
            let found = body(Body::from(sent.clone())).await;
            assert_eq!(found.err().map(|(status, ..)| status), status, "{} bytes", sent.len());
        }
    }
}
