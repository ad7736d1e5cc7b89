//! What the page asks for: the state, the gallery, links, retries.
//!
//! Owns: the shapes of requests and answers. Refuses: changes in what an
//! object holds; uploads go to S3 itself, by links.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::extension::Extension;
use super::presign::{LONGEST, Link};
use super::{Shared, gallery, live};
use crate::activity::subjects;
use crate::iam::Effect;
use crate::notify::{self, EventName, Occurrence, Origin};
use crate::storage::{ObjectInfo, Search, StorageError};

/// How many invocations the state holds, each with its log, and how many events that were given up.
const SHOWN: u32 = 200;
/// How many invocations under way it holds.
const UNDER_WAY: u32 = 500;
/// How many files one request may ask links for.
const MOST_FILES: usize = 1000;
/// An upload may wait this long for its turn.
const UPLOAD: Duration = Duration::from_hours(6);
/// The longest key of S3, in bytes.
const LONGEST_KEY: usize = 1024;
/// How many events a backfill queues in one transaction.
const BATCH: u32 = 500;

/// An error as JSON.
pub(super) fn problem(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "error": text }))).into_response()
}

/// Why a handler does not give what was asked for.
pub(super) struct Problem(StatusCode, String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        problem(self.0, &self.1)
    }
}

impl Problem {
    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, text.into())
    }

    pub(super) fn unprocessable(text: impl Into<String>) -> Self {
        Self(StatusCode::UNPROCESSABLE_ENTITY, text.into())
    }

    pub(super) fn unavailable(error: &dyn std::fmt::Display) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        let status = match error {
            StorageError::NoSuchBucket(_) | StorageError::NoSuchKey { .. } => StatusCode::NOT_FOUND,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, error.to_string())
    }
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Self::unavailable(&error)
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

pub(super) type Answer<T> = Result<Json<T>, Problem>;
pub(super) type Body<T> = Result<Json<T>, JsonRejection>;
type Asked<T> = Result<Query<T>, QueryRejection>;

/// Runs what blocks off the executor's threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Problem::unavailable(&error))
}

pub(super) fn extension(shared: &Shared) -> Result<Arc<dyn Extension>, Problem> {
    shared
        .console
        .extension
        .clone()
        .ok_or_else(|| Problem(StatusCode::NOT_FOUND, "this cloud runs without a recipe".to_owned()))
}

/// Everything that the page begins with. `at` is taken first: what happens
/// meanwhile is in the state, in the events after `at`, or in both.
pub(super) async fn state(State(shared): State<Arc<Shared>>) -> Answer<Value> {
    let console = &shared.console;
    let at = console.feed.journal().position();
    let storage = Arc::clone(&console.storage);
    let buckets = blocking(move || storage.buckets()).await??;
    let buckets: Vec<String> = buckets.into_iter().map(|bucket| bucket.name).collect();
    let under_way: Vec<Value> = console
        .invoker
        .under_way(UNDER_WAY)
        .await?
        .into_iter()
        .map(|one| {
            json!({
                "request_id": one.request_id, "subjects": subjects(&one.payload), "stage": one.stage,
                "created_ms": one.created_ms, "due_ms": one.due_ms, "attempts": one.attempts,
            })
        })
        .collect();
    let queue = console.invoker.pending().await?;
    let failed = console.invoker.failed_events(SHOWN).await?;
    let mut denials = console.authority.recent_decisions();
    denials.retain(|entry| entry.decision.effect == Effect::Deny);
    let mut finished = console.feed.finished();
    finished.drain(..finished.len().saturating_sub(SHOWN as usize));
    let asked = Arc::clone(&shared);
    let invocations = blocking(move || {
        let shown = |record| live::finished(&asked.console, record);
        finished.iter().map(shown).collect::<Vec<Value>>()
    })
    .await?;
    let spec = console.invoker.spec();
    Ok(Json(json!({
        "at": at,
        "title": console.extension.as_ref().map_or_else(|| "Small cloud".to_owned(), |known| known.title()),
        "s3_endpoint": console.presigner.endpoint,
        "region": console.presigner.region,
        "places": console.extension.as_ref().map(|known| known.places()),
        "function": {
            "name": spec.name, "memory_mb": spec.memory_mb, "timeout_s": spec.timeout.as_secs_f64(),
            "concurrency": spec.concurrency, "retries": spec.retries,
        },
        "buckets": buckets,
        "queue": queue,
        "under_way": under_way,
        "invocations": invocations,
        "failed_events": failed,
        "denials": denials,
    })))
}

pub(super) async fn queue(State(shared): State<Arc<Shared>>) -> Answer<Value> {
    Ok(Json(json!(shared.console.invoker.pending().await?)))
}

#[derive(Deserialize)]
pub(super) struct After {
    after: Option<String>,
}

/// The browser names the last event it saw by header when it connects again,
/// and the page names where its state stood when it connects first.
pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    query: Asked<After>,
) -> Result<Response, Problem> {
    let Query(After { after }) = query?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(live::stream(&shared, last.or(after).as_deref()).into_response())
}

#[derive(Deserialize)]
pub(super) struct Decisions {
    effect: Option<Wanted>,
}

#[derive(Deserialize, Clone, Copy)]
enum Wanted {
    Allow,
    Deny,
}

pub(super) async fn decisions(State(shared): State<Arc<Shared>>, query: Asked<Decisions>) -> Answer<Value> {
    let Query(Decisions { effect }) = query?;
    let mut decisions = shared.console.authority.recent_decisions();
    let wanted = effect.map(|wanted| match wanted {
        Wanted::Allow => Effect::Allow,
        Wanted::Deny => Effect::Deny,
    });
    decisions.retain(|entry| wanted.is_none_or(|effect| entry.decision.effect == effect));
    decisions.reverse();
    Ok(Json(json!({ "decisions": decisions })))
}

pub(super) async fn retry_failure(
    State(shared): State<Arc<Shared>>,
    id: Result<Path<i64>, PathRejection>,
) -> Answer<Value> {
    let Path(id) = id?;
    if shared.console.invoker.requeue(id).await? {
        return Ok(Json(json!({ "queued": 1 })));
    }
    Err(Problem(
        StatusCode::NOT_FOUND,
        format!("no failed event has the id {id}; it may have been retried already"),
    ))
}

#[derive(Deserialize)]
pub(super) struct PageAsked {
    #[serde(default)]
    offset: u64,
    limit: Option<u64>,
    anchor: Option<i64>,
    #[serde(default)]
    holds: String,
}

pub(super) async fn pictures(State(shared): State<Arc<Shared>>, query: Asked<PageAsked>) -> Answer<Value> {
    let Query(asked) = query?;
    let extension = extension(&shared)?;
    let search = Search {
        prefix: String::new(),
        holds: asked.holds,
        anchor: asked.anchor,
        offset: asked.offset,
        limit: asked.limit.unwrap_or(24).clamp(1, 100),
    };
    let page = blocking(move || gallery::page(&shared.console, &*extension, search)).await??;
    Ok(Json(json!(page)))
}

#[derive(Deserialize)]
pub(super) struct Named {
    key: String,
}

pub(super) async fn picture(State(shared): State<Arc<Shared>>, query: Asked<Named>) -> Answer<Value> {
    let Query(Named { key }) = query?;
    let extension = extension(&shared)?;
    let picture = blocking(move || gallery::one(&shared.console, &*extension, &key)).await??;
    Ok(Json(json!(picture)))
}

/// The event of an object as it is now, as S3 would send it.
fn event(shared: &Shared, info: &ObjectInfo, bucket: &str) -> Vec<u8> {
    let origin = Origin {
        principal_id: format!("AWS:{}", shared.console.authority.account()),
        source_ip: "127.0.0.1".to_owned(),
        ..Origin::default()
    };
    let now = crate::storage::now_ms();
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
    notify::message(shared.console.storage.place(), "console", &occurrence)
}

/// Has the function look at one object anew.
pub(super) async fn retry_picture(State(shared): State<Arc<Shared>>, body: Body<Named>) -> Answer<Value> {
    let Json(Named { key }) = body?;
    let bucket = extension(&shared)?.places().source;
    let asked = Arc::clone(&shared);
    let payload = blocking(move || {
        let info = asked.console.storage.object(&bucket, &key, None)?;
        Ok::<_, StorageError>(event(&asked, &info, &bucket))
    })
    .await??;
    shared.console.invoker.enqueue(payload).await?;
    Ok(Json(json!({ "queued": 1 })))
}

/// Has the function look at every object anew.
pub(super) async fn backfill(State(shared): State<Arc<Shared>>) -> Answer<Value> {
    let places = extension(&shared)?.places();
    let mut last: Option<ObjectInfo> = None;
    let mut queued = 0;
    loop {
        let (asked, places) = (Arc::clone(&shared), places.clone());
        let (payloads, seen) = blocking(move || {
            let found = asked.console.storage.older(&places.source, &places.prefix, last.as_ref(), BATCH)?;
            let events = found.iter().map(|info| event(&asked, info, &places.source)).collect::<Vec<_>>();
            Ok::<_, StorageError>((events, found.into_iter().last()))
        })
        .await??;
        if payloads.is_empty() {
            return Ok(Json(json!({ "queued": queued })));
        }
        last = seen;
        queued += payloads.len() as u64;
        shared.console.invoker.enqueue_all(payloads).await?;
    }
}

#[derive(Deserialize)]
pub(super) struct Files {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    /// A path within the folder that was dropped.
    name: String,
}

#[derive(Serialize)]
pub(super) struct Upload {
    name: String,
    key: String,
    url: String,
}

/// A name as a key that a browser can address: no empty, `.` or `..` segment,
/// which it would drop from a URL, and no control characters.
fn key_of(prefix: &str, name: &str) -> Option<String> {
    let normal: String = name.chars().filter(|character| !character.is_control()).collect();
    let segments: Vec<&str> =
        normal.split(['/', '\\']).map(str::trim).filter(|part| !matches!(*part, "" | "." | "..")).collect();
    let key = format!("{prefix}{}", segments.join("/"));
    (!segments.is_empty() && key.len() <= LONGEST_KEY).then_some(key)
}

/// A link to PUT each file with.
pub(super) async fn uploads(State(shared): State<Arc<Shared>>, body: Body<Files>) -> Answer<Value> {
    let Json(Files { files }) = body?;
    let places = extension(&shared)?.places();
    if files.len() > MOST_FILES {
        return Err(Problem::bad(format!("{} files are more than {MOST_FILES}; ask in parts", files.len())));
    }
    let now = OffsetDateTime::now_utc();
    let uploads = files
        .into_iter()
        .map(|File { name }| {
            let key = key_of(&places.prefix, &name).ok_or_else(|| {
                Problem::unprocessable(format!(
                    "{name:?} cannot be a key: it is empty or longer than {LONGEST_KEY} bytes"
                ))
            })?;
            let link =
                Link { method: "PUT", bucket: &places.source, key: &key, lifetime: UPLOAD, query: &[] };
            Ok(Upload { url: shared.console.presigner.link(&link, now), name, key })
        })
        .collect::<Result<Vec<_>, Problem>>()?;
    Ok(Json(json!({ "uploads": uploads })))
}

#[derive(Deserialize)]
pub(super) struct LinkAsked {
    bucket: String,
    key: String,
    seconds: Option<u64>,
    #[serde(default)]
    download: bool,
}

/// A link to GET an object with.
pub(super) async fn link(State(shared): State<Arc<Shared>>, query: Asked<LinkAsked>) -> Answer<Value> {
    let Query(asked) = query?;
    let lifetime = Duration::from_secs(asked.seconds.unwrap_or(3600));
    if lifetime.is_zero() || lifetime > LONGEST {
        return Err(Problem::unprocessable(format!(
            "{} seconds; give 1 to {} seconds",
            lifetime.as_secs(),
            LONGEST.as_secs()
        )));
    }
    let (storage, bucket, key) =
        (Arc::clone(&shared.console.storage), asked.bucket.clone(), asked.key.clone());
    blocking(move || storage.object(&bucket, &key, None)).await??;
    let query = if asked.download {
        vec![("response-content-disposition", "attachment".to_owned())]
    } else {
        Vec::new()
    };
    let link = Link { method: "GET", bucket: &asked.bucket, key: &asked.key, lifetime, query: &query };
    let url = shared.console.presigner.link(&link, OffsetDateTime::now_utc());
    Ok(Json(json!({ "url": url, "seconds": lifetime.as_secs() })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_keys_that_a_browser_can_address() {
        for (name, key) in [
            ("a.jpg", Some("up/a.jpg")),
            ("folder/b c.jpg", Some("up/folder/b c.jpg")),
            ("../../etc/passwd", Some("up/etc/passwd")),
            ("a//b/./c", Some("up/a/b/c")),
            ("x\\y\u{7}.png", Some("up/x/y.png")),
            ("/", None),
            ("..", None),
            ("", None),
        ] {
            assert_eq!(key_of("up/", name).as_deref(), key, "{name:?}");
        }
        assert_eq!(key_of("", &"k".repeat(1025)), None);
    }
}
