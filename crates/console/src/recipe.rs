//! The recipe through the console: read, checked, tried on one object, saved.
//!
//! Owns: putting a saved recipe in force (the role's policy, then the
//! function's variables). Refuses: knowing what a recipe says.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::answer::{Answer, Body, Problem, blocking};
use crate::shared::{Shared, extension};
use minilab_local::storage::{Search, StorageError};

/// The largest object that is tried.
const TRIED: u64 = 512 * 1024 * 1024;
/// Larger results are described and not shown.
const SHOWN: usize = 4 * 1024 * 1024;
/// All results together that are shown.
const SHOWN_TOGETHER: usize = 32 * 1024 * 1024;

pub(crate) async fn get(State(shared): State<Arc<Shared>>) -> Answer<Value> {
    let extension = extension(&shared)?;
    Ok(Json(json!(blocking(move || extension.recipe()).await?)))
}

#[derive(Deserialize)]
pub(crate) struct Text {
    text: String,
}

pub(crate) async fn check(State(shared): State<Arc<Shared>>, body: Body<Text>) -> Answer<Value> {
    let Json(Text { text }) = body?;
    let extension = extension(&shared)?;
    let checked = blocking(move || {
        let mut checked = json!(extension.check(&text));
        checked["sources"] = json!(sources(&shared)?);
        Ok::<_, StorageError>(checked)
    })
    .await??;
    Ok(Json(checked))
}

/// How many source objects there are.
fn sources(shared: &Shared) -> Result<u64, StorageError> {
    let Some(places) = shared.console.extension.as_ref().map(|extension| extension.places()) else {
        return Ok(0);
    };
    let search = Search { prefix: places.prefix, limit: 1, ..Search::default() };
    Ok(shared.console.observer.storage().newest(&places.source, &search)?.total)
}

async fn turn(turns: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(turns).acquire_owned().await.map_err(Problem::unavailable)
}

/// Runs what blocks when its turn comes. The turn is the work's: when the page
/// goes away the work is told, and the next one waits until it has ended.
async fn in_turn<T: Send + 'static>(
    turns: &Arc<Semaphore>,
    work: impl FnOnce(&(dyn Fn() -> bool + Sync)) -> T + Send + 'static,
) -> Result<T, Problem> {
    let turn = turn(turns).await?;
    let gone = CancellationToken::new();
    let _leaving = gone.clone().drop_guard();
    blocking(move || {
        let _turn = turn;
        work(&|| gone.is_cancelled())
    })
    .await
}

#[derive(Deserialize)]
pub(crate) struct Tried {
    text: String,
    key: String,
}

pub(crate) async fn preview(State(shared): State<Arc<Shared>>, body: Body<Tried>) -> Answer<Value> {
    let Json(Tried { text, key }) = body?;
    let extension = extension(&shared)?;
    let asked = Arc::clone(&shared);
    let made = in_turn(&shared.previewing, move |gone| {
        let bucket = extension.places().source;
        let (info, bytes) = asked.console.observer.storage().whole(&bucket, &key, TRIED)?;
        let bytes = bytes.ok_or_else(|| {
            Problem::unprocessable(format!("{key} has {} bytes; a preview takes at most {TRIED}", info.size))
        })?;
        extension.preview(&text, &key, &bytes, gone).map_err(Problem::unprocessable)
    })
    .await??;
    let mut together = 0;
    let prints: Vec<Value> = made
        .prints
        .into_iter()
        .map(|print| {
            let mut value = json!({
                "output": print.label, "key": print.key, "bytes": print.bytes.len(),
                "content_type": print.content_type, "format": print.description.format,
                "width": print.description.width, "height": print.description.height,
                "frames": print.description.frames,
                "predicted_memory": print.predicted_memory, "ready_ms": print.ready_ms,
            });
            together += print.bytes.len();
            if print.bytes.len() <= SHOWN && together <= SHOWN_TOGETHER {
                value["data"] = json!(STANDARD.encode(&print.bytes));
            }
            value
        })
        .collect();
    Ok(Json(json!({ "predicted_memory": made.predicted_memory, "ms": made.ms, "prints": prints })))
}

pub(crate) async fn save(State(shared): State<Arc<Shared>>, body: Body<Text>) -> Answer<Value> {
    let Json(Text { text }) = body?;
    let extension = extension(&shared)?;
    let turn = turn(&shared.saving).await?;
    let saved = Arc::clone(&shared);
    // Not interrupted when the page goes away: saved means in force.
    let saving = tokio::spawn(async move {
        let _turn = turn;
        let applied = blocking(move || extension.save(&text)).await?.map_err(Problem::unprocessable)?;
        if let Some(policy) = &applied.policy {
            saved.console.observer.set_policy(policy).map_err(Problem::unavailable)?;
        }
        saved.console.observer.set_variables(applied.variables).await;
        let counted = Arc::clone(&saved);
        let sources = blocking(move || sources(&counted)).await??;
        Ok::<_, Problem>(json!({ "changes": applied.changes, "sources": sources, "path": applied.path }))
    });
    Ok(Json(saving.await.map_err(Problem::unavailable)??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_told_so_and_keeps_its_turn_to_its_end() {
        let turns = Arc::new(Semaphore::new(1));
        let (begun, begins) = tokio::sync::oneshot::channel();
        let (told, tells) = tokio::sync::oneshot::channel();
        let (end, ends) = std::sync::mpsc::channel();
        let asked = Arc::clone(&turns);
        let page = tokio::spawn(async move {
            let work = move |gone: &(dyn Fn() -> bool + Sync)| {
                begun.send(()).unwrap();
                while !gone() {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                told.send(()).unwrap();
                ends.recv().unwrap();
            };
            in_turn(&asked, work).await.is_ok()
        });
        begins.await.unwrap();
        page.abort();
        tells.await.unwrap();
        assert_eq!(turns.available_permits(), 0);
        end.send(()).unwrap();
        assert!(in_turn(&turns, |gone| !gone()).await.is_ok_and(|waited| waited));
    }
}
