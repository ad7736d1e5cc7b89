//! The console: a page on a port of its own that shows what happens, live.
//!
//! Owns: `GET /` (the page), `/api/state`, `/api/events` (server-sent events),
//! `/healthz`. Refuses: requests under a foreign host name, so that a page
//! elsewhere cannot read it through a name that leads here; requests that a
//! page of another origin makes; any change of state, so that there is nothing
//! a token would have to protect; any knowledge of what the objects are.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::activity::{Activity, Feed};
use crate::iam::{Authority, Effect};
use crate::lambda::Invoker;
use crate::storage::Storage;

/// The page: no script, style, font or picture from anywhere else.
const PAGE: &str = include_str!("page.html");
/// Nothing may be loaded from elsewhere, and nobody may frame the page.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// How many invocations the state holds, each with its log.
const SHOWN: usize = 200;

/// What the console shows.
pub(crate) struct Console {
    pub(crate) storage: Arc<Storage>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) invoker: Arc<Invoker>,
    pub(crate) feed: Feed,
    pub(crate) s3_endpoint: String,
    /// The port that it listens on, for the check of `Host`.
    pub(crate) port: u16,
}

/// What a handler needs.
struct Shared {
    console: Console,
    stop: CancellationToken,
}

/// Serves until `stop`.
pub(crate) async fn serve(listener: TcpListener, console: Console, stop: CancellationToken) {
    let router = router(Arc::new(Shared { console, stop: stop.clone() }));
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = serving.await {
        tracing::error!(%error, "the console ended");
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/api/state", get(state))
        .route("/api/events", get(events))
        .route("/healthz", get(|| async { "ok\n" }))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guard))
        .with_state(shared)
}

/// Whether `host` names this machine and this port: a name that an attacker
/// points at 127.0.0.1 must not read the console through a visitor's browser.
fn is_own_host(host: &str, port: u16) -> bool {
    let (name, given) = match host.rsplit_once(':') {
        Some((name, given)) if !given.ends_with(']') => (name, given.parse().ok()),
        _ => (host, Some(80)),
    };
    given == Some(port) && (name.eq_ignore_ascii_case("localhost") || name == "127.0.0.1" || name == "[::1]")
}

/// Whether a browser says that a page of another origin asks. What is no browser says nothing.
///
/// A link on another page may lead to this one, so the page itself is not asked where its reader comes from.
fn is_foreign(headers: &HeaderMap, port: u16, is_page: bool) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("null"));
    let origin = text("origin")
        .is_some_and(|origin| !origin.strip_prefix("http://").is_some_and(|host| is_own_host(host, port)));
    let site = text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"));
    origin || (site && !is_page)
}

async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    if !host.is_some_and(|host| is_own_host(host, shared.console.port)) {
        let port = shared.console.port;
        let text =
            format!("the console answers only to http://localhost:{port} and http://127.0.0.1:{port}\n");
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    }
    if is_foreign(request.headers(), shared.console.port, request.uri().path() == "/") {
        return (StatusCode::FORBIDDEN, "the console answers only to its own page\n").into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn page() -> Html<&'static str> {
    Html(PAGE)
}

async fn state(State(shared): State<Arc<Shared>>) -> Response {
    let console = &shared.console;
    let storage = Arc::clone(&console.storage);
    let buckets = match tokio::task::spawn_blocking(move || storage.buckets()).await {
        Ok(Ok(buckets)) => buckets.into_iter().map(|bucket| bucket.name).collect::<Vec<_>>(),
        Ok(Err(error)) => return unavailable(&error.to_string()),
        Err(error) => return unavailable(&error.to_string()),
    };
    let (queue, failed) = match (console.invoker.pending().await, console.invoker.failed_events().await) {
        (Ok(queue), Ok(failed)) => (queue, failed),
        (Err(error), _) | (_, Err(error)) => return unavailable(&error.to_string()),
    };
    let mut denials = console.authority.recent_decisions();
    denials.retain(|entry| entry.decision.effect == Effect::Deny);
    let mut invocations = console.feed.finished();
    invocations.drain(..invocations.len().saturating_sub(SHOWN));
    Json(json!({
        "s3_endpoint": console.s3_endpoint,
        "buckets": buckets,
        "queue": queue,
        "invocations": invocations,
        "failed_events": failed,
        "denials": denials,
    }))
    .into_response()
}

fn unavailable(why: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": why }))).into_response()
}

async fn events(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let live = shared.console.feed.subscribe();
    let stop = shared.stop.clone();
    let stream = futures::stream::unfold((live, stop), |(mut live, stop)| async move {
        let event = tokio::select! {
            // What happened before the end is still said.
            biased;
            event = next_event(&mut live) => event,
            () = stop.cancelled() => None,
        };
        event.map(|event| (Ok::<_, std::convert::Infallible>(event), (live, stop)))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

/// The next thing to say; allowed requests are left out, there are too many.
async fn next_event(live: &mut broadcast::Receiver<Arc<Activity>>) -> Option<Event> {
    loop {
        match live.recv().await {
            Ok(activity) => {
                if matches!(&*activity, Activity::Decision(entry) if entry.decision.effect == Effect::Allow) {
                    continue;
                }
                match Event::default().json_data(&*activity) {
                    Ok(event) => return Some(event),
                    Err(error) => tracing::warn!(%error, "an event cannot be shown"),
                }
            }
            // Too slow: the page asks for the whole state again.
            Err(RecvError::Lagged(_)) => return Some(Event::default().data("{\"type\":\"resync\"}")),
            Err(RecvError::Closed) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machines_own_names_are_answered() {
        for (host, own) in [
            ("localhost:9001", true),
            ("LOCALHOST:9001", true),
            ("127.0.0.1:9001", true),
            ("[::1]:9001", true),
            ("localhost", false),
            ("localhost:9002", false),
            ("evil.example:9001", false),
            ("localhost.evil.example:9001", false),
            ("127.0.0.1.evil.example:9001", false),
            ("", false),
            ("[::1]", false),
        ] {
            assert_eq!(is_own_host(host, 9001), own, "{host}");
        }
        assert!(is_own_host("[::1]", 80) && is_own_host("localhost", 80));
    }

    #[test]
    fn pages_of_other_origins_are_told_apart() {
        type Case = (&'static [(&'static str, &'static str)], bool, bool);
        let cases: [Case; 9] = [
            (&[], false, false),
            (&[("origin", "http://localhost:9001")], false, false),
            (&[("origin", "http://127.0.0.1:9001"), ("sec-fetch-site", "same-origin")], false, false),
            (&[("origin", "http://localhost:9002")], false, true),
            (&[("origin", "https://localhost:9001")], false, true),
            (&[("origin", "null")], true, true),
            (&[("sec-fetch-site", "cross-site")], false, true),
            (&[("sec-fetch-site", "same-site")], false, true),
            (&[("sec-fetch-site", "cross-site")], true, false),
        ];
        for (pairs, is_page, foreign) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            assert_eq!(is_foreign(&headers, 9001, is_page), foreign, "{pairs:?} {is_page}");
        }
    }
}
