//! The console: a page on a port of its own that shows what happens, live, and
//! the small HTTP interface behind it (`/api/openapi.json` describes it).
//!
//! Owns: the routes, who may use them, and the page's files. Refuses: any
//! knowledge of what the objects are; an [`Extension`] answers that.

mod answer;
mod api;
mod assets;
mod descriptions;
mod extension;
mod gallery;
mod guard;
mod live;
mod presign;
mod recipe;
mod shared;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use extension::{
    Applied, Changes, Check, Description, Extension, Keys, Lead, Leads, ObjectResult, Places, Preview,
    PreviewPrint, RecipeText,
};

use minilab_local::iam::Credentials;
use minilab_local::observer::{METRICS_TYPE, Observer, Page, Serving};

use answer::Problem;
use descriptions::Descriptions;
use guard::{Guard, Refusal};
use presign::Presigner;
use shared::{Console, Shared};

/// Largest request body: a recipe, or the names of a thousand files.
const MAX_BODY: usize = 2 * 1024 * 1024;

/// The page, to be given to the cloud that it shows.
#[derive(Default)]
pub struct ConsolePage {
    extension: Option<Arc<dyn Extension>>,
}

impl ConsolePage {
    /// A page that knows what the objects are by `extension`, and says nothing
    /// of pictures and recipes without one.
    #[must_use]
    pub fn new(extension: Option<Arc<dyn Extension>>) -> Self {
        Self { extension }
    }
}

impl std::fmt::Debug for ConsolePage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ConsolePage").field("extension", &self.extension.is_some()).finish()
    }
}

impl Page for ConsolePage {
    fn link(&self, addr: SocketAddr, root: &Credentials) -> String {
        format!("http://{addr}/?token={}", Guard::new(root, addr.port()).token())
    }

    fn serve(self: Arc<Self>, listener: TcpListener, observer: Observer, stop: CancellationToken) -> Serving {
        Box::pin(async move {
            let port = match listener.local_addr() {
                Ok(addr) => addr.port(),
                Err(error) => {
                    tracing::error!(%error, "the console ended");
                    return;
                }
            };
            let credentials = observer.credentials().clone();
            let console = Console {
                guard: Guard::new(&credentials, port),
                presigner: Presigner {
                    endpoint: observer.s3_endpoint().to_owned(),
                    region: observer.region().to_owned(),
                    credentials,
                },
                extension: self.extension.clone(),
                descriptions: Descriptions::default(),
                observer,
            };
            serve(listener, console, stop).await;
        })
    }
}

/// Serves until `stop`.
async fn serve(listener: TcpListener, console: Console, stop: CancellationToken) {
    let shared = Shared {
        content_policy: content_policy(&console.presigner.endpoint),
        console,
        stop: stop.clone(),
        previewing: Arc::new(Semaphore::new(1)),
        saving: Arc::new(Semaphore::new(1)),
    };
    let serving =
        axum::serve(listener, router(Arc::new(shared))).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = serving.await {
        tracing::error!(%error, "the console ended");
    }
}

/// Only the page's own files run; pictures and uploads go to S3; nobody may
/// frame the page.
fn content_policy(s3: &str) -> HeaderValue {
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' blob: {s3}; \
         connect-src 'self' {s3}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/page/{name}", get(|Path(name): Path<String>| async move { assets::file(&name) }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/metrics", get(metrics))
        .route("/api/openapi.json", get(openapi))
        .route("/api/state", get(api::state))
        .route("/api/queue", get(api::queue))
        .route("/api/events", get(api::events))
        .route("/api/decisions", get(api::decisions))
        .route("/api/failures/{id}/retry", post(api::retry_failure))
        .route("/api/pictures", get(api::pictures))
        .route("/api/picture", get(api::picture))
        .route("/api/picture/retry", post(api::retry_picture))
        .route("/api/uploads", post(api::uploads))
        .route("/api/link", get(api::link))
        .route("/api/backfill", post(api::backfill))
        .route("/api/recipe", get(recipe::get).put(recipe::save))
        .route("/api/recipe/check", post(recipe::check))
        .route("/api/recipe/preview", post(recipe::preview))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guarded))
        .with_state(shared)
}

async fn guarded(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let guard = &shared.console.guard;
    let checked = guard.check(request.method(), request.uri().path(), request.headers());
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(refusal) => refused(refusal, guard.port()),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, shared.content_policy.clone());
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn refused(refusal: Refusal, port: u16) -> Response {
    let (status, text) = match refusal {
        Refusal::ForeignHost => (
            StatusCode::MISDIRECTED_REQUEST,
            format!("the console answers only to http://localhost:{port} and http://127.0.0.1:{port}"),
        ),
        Refusal::NoToken => (
            StatusCode::UNAUTHORIZED,
            "the console's token is missing or another's; open the link that was printed at the start".to_owned(),
        ),
        Refusal::ForeignOrigin => (
            StatusCode::FORBIDDEN,
            "only the console's own page may ask for this; a program sends `Authorization: Bearer` with the token of the printed link".to_owned(),
        ),
    };
    answer::problem(status, &text)
}

#[derive(Deserialize)]
struct Opened {
    token: Option<String>,
}

/// The page; with the token in its link, the browser is told to remember it.
async fn page(State(shared): State<Arc<Shared>>, Query(opened): Query<Opened>) -> Response {
    let guard = &shared.console.guard;
    let mut response = Html(assets::PAGE).into_response();
    if opened.token.is_some_and(|token| guard.is_token(&token))
        && let Ok(cookie) = HeaderValue::from_str(&guard.cookie())
    {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Numbers alone, without a key or a name, so that a scraper needs no token.
async fn metrics(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let observer = &shared.console.observer;
    let counts = observer.pending().await.map_err(Problem::unavailable)?;
    let text = observer.metrics(&counts).map_err(Problem::unavailable)?;
    Ok(([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response())
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], assets::OPENAPI).into_response()
}
