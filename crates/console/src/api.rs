//! What the page asks for: the state, the gallery, links, retries.
//!
//! Owns: the shapes of requests and answers. Refuses: changes in what an
//! object holds; uploads go to S3 itself, by links.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::answer::{Answer, Asked, Body, Problem, blocking};
use crate::presign::{LONGEST, Link};
use crate::shared::{Shared, extension};
use crate::{gallery, live};
use minilab_local::iam::Effect;
use minilab_local::storage::{ObjectInfo, Search, StorageError};

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

/// Everything that the page begins with. `at` is taken first: what happens
/// meanwhile is in the state, in the events after `at`, or in both.
pub(crate) async fn state(State(shared): State<Arc<Shared>>) -> Answer<Value> {
    let console = &shared.console;
    let at = console.observer.journal().position();
    let storage = Arc::clone(console.observer.storage());
    let buckets = blocking(move || storage.buckets()).await??;
    let buckets: Vec<String> = buckets.into_iter().map(|bucket| bucket.name).collect();
    let under_way: Vec<Value> = console
        .observer
        .under_way(UNDER_WAY)
        .await
        .map_err(Problem::unavailable)?
        .into_iter()
        .map(|(one, subjects)| {
            json!({
                "request_id": one.request_id, "subjects": subjects, "stage": one.stage,
                "created_ms": one.created_ms, "due_ms": one.due_ms, "attempts": one.attempts,
            })
        })
        .collect();
    let queue = console.observer.pending().await.map_err(Problem::unavailable)?;
    let failed = console.observer.failed_events(SHOWN).await.map_err(Problem::unavailable)?;
    let mut denials = console.observer.decisions();
    denials.retain(|entry| entry.decision.effect == Effect::Deny);
    let mut finished = console.observer.finished();
    finished.drain(..finished.len().saturating_sub(SHOWN as usize));
    let asked = Arc::clone(&shared);
    let invocations = blocking(move || {
        let shown = |record| live::finished(&asked.console, record);
        finished.iter().map(shown).collect::<Vec<Value>>()
    })
    .await?;
    let spec = console.observer.function();
    Ok(Json(json!({
        "at": at,
        "title": console.extension.as_ref().map_or_else(|| "Small cloud".to_owned(), |known| known.title()),
        "s3_endpoint": console.observer.s3_endpoint(),
        "region": console.observer.region(),
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

pub(crate) async fn queue(State(shared): State<Arc<Shared>>) -> Answer<Value> {
    Ok(Json(json!(shared.console.observer.pending().await.map_err(Problem::unavailable)?)))
}

#[derive(Deserialize)]
pub(crate) struct After {
    after: Option<String>,
}

/// The browser names the last event it saw by header when it connects again,
/// and the page names where its state stood when it connects first.
pub(crate) async fn events(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    query: Asked<After>,
) -> Result<Response, Problem> {
    let Query(After { after }) = query?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(live::stream(&shared, last.or(after).as_deref()).into_response())
}

#[derive(Deserialize)]
pub(crate) struct Decisions {
    effect: Option<Wanted>,
}

#[derive(Deserialize, Clone, Copy)]
enum Wanted {
    Allow,
    Deny,
}

pub(crate) async fn decisions(State(shared): State<Arc<Shared>>, query: Asked<Decisions>) -> Answer<Value> {
    let Query(Decisions { effect }) = query?;
    let mut decisions = shared.console.observer.decisions();
    let wanted = effect.map(|wanted| match wanted {
        Wanted::Allow => Effect::Allow,
        Wanted::Deny => Effect::Deny,
    });
    decisions.retain(|entry| wanted.is_none_or(|effect| entry.decision.effect == effect));
    decisions.reverse();
    Ok(Json(json!({ "decisions": decisions })))
}

pub(crate) async fn retry_failure(
    State(shared): State<Arc<Shared>>,
    id: Result<Path<i64>, PathRejection>,
) -> Answer<Value> {
    let Path(id) = id?;
    if shared.console.observer.requeue(id).await.map_err(Problem::unavailable)? {
        return Ok(Json(json!({ "queued": 1 })));
    }
    Err(Problem::missing(format!("no failed event has the id {id}; it may have been retried already")))
}

#[derive(Deserialize)]
pub(crate) struct PageAsked {
    #[serde(default)]
    offset: u64,
    limit: Option<u64>,
    anchor: Option<i64>,
    #[serde(default)]
    holds: String,
}

pub(crate) async fn pictures(State(shared): State<Arc<Shared>>, query: Asked<PageAsked>) -> Answer<Value> {
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
pub(crate) struct Named {
    key: String,
}

pub(crate) async fn picture(State(shared): State<Arc<Shared>>, query: Asked<Named>) -> Answer<Value> {
    let Query(Named { key }) = query?;
    let extension = extension(&shared)?;
    let picture = blocking(move || gallery::one(&shared.console, &*extension, &key)).await??;
    Ok(Json(json!(picture)))
}

/// Has the function look at one object anew.
pub(crate) async fn retry_picture(State(shared): State<Arc<Shared>>, body: Body<Named>) -> Answer<Value> {
    let Json(Named { key }) = body?;
    let bucket = extension(&shared)?.places().source;
    let asked = Arc::clone(&shared);
    let payload = blocking(move || {
        let info = asked.console.observer.storage().object(&bucket, &key, None)?;
        Ok::<_, StorageError>(asked.console.observer.event(&info, &bucket))
    })
    .await??;
    shared.console.observer.enqueue(vec![payload]).await.map_err(Problem::unavailable)?;
    Ok(Json(json!({ "queued": 1 })))
}

/// Has the function look at every object anew.
pub(crate) async fn backfill(State(shared): State<Arc<Shared>>) -> Answer<Value> {
    let places = extension(&shared)?.places();
    let mut last: Option<ObjectInfo> = None;
    let mut queued = 0;
    loop {
        let (asked, places) = (Arc::clone(&shared), places.clone());
        let (payloads, seen) = blocking(move || {
            let found = asked.console.observer.storage().older(
                &places.source,
                &places.prefix,
                last.as_ref(),
                BATCH,
            )?;
            let events = found
                .iter()
                .map(|info| asked.console.observer.event(info, &places.source))
                .collect::<Vec<_>>();
            Ok::<_, StorageError>((events, found.into_iter().last()))
        })
        .await??;
        if payloads.is_empty() {
            return Ok(Json(json!({ "queued": queued })));
        }
        last = seen;
        queued += payloads.len() as u64;
        shared.console.observer.enqueue(payloads).await.map_err(Problem::unavailable)?;
    }
}

#[derive(Deserialize)]
pub(crate) struct Files {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    /// A path within the folder that was dropped.
    name: String,
}

#[derive(Serialize)]
pub(crate) struct Upload {
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
pub(crate) async fn uploads(State(shared): State<Arc<Shared>>, body: Body<Files>) -> Answer<Value> {
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
pub(crate) struct LinkAsked {
    bucket: String,
    key: String,
    seconds: Option<u64>,
    #[serde(default)]
    download: bool,
}

/// A link to GET an object with.
pub(crate) async fn link(State(shared): State<Arc<Shared>>, query: Asked<LinkAsked>) -> Answer<Value> {
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
        (Arc::clone(shared.console.observer.storage()), asked.bucket.clone(), asked.key.clone());
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
