//! The Extensions API of one environment: register, and wait for events.
//!
//! Owns: the requests, and starting external extensions. Refuses: holding up
//! the function; an invocation is over when the runtime has answered, whether
//! or not an extension has come back for its next event.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>.

use std::sync::Arc;

use std::path::Path;
use std::process::Stdio;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use rustix::process::Pid;
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::FunctionSpec;
use super::output::Output;
use super::process::Process;
use super::runtime_api::{Api, refused};

static IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-identifier");
static EVENT_IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-event-identifier");

/// Starts the external extensions in the runtime's process group: they count
/// towards its memory and end with it. Returns a watcher for each.
pub(super) fn launch(
    spec: &FunctionSpec,
    variables: &[(&'static str, String)],
    group: Pid,
    process: &Arc<Process>,
    output: &Arc<Output>,
) -> Result<Vec<JoinHandle<()>>, String> {
    let mut watchers = Vec::new();
    for program in &spec.extensions {
        let mut child = Command::new(program)
            .env_clear()
            .envs(spec.env.iter().map(|(name, value)| (name, value)))
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .current_dir(spec.task_root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(group.as_raw_nonzero().get())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("fork/exec {}: {error}", program.display()))?;
        let stdout = child.stdout.take().map(|pipe| tokio::spawn(Arc::clone(output).read(pipe)));
        let stderr = child.stderr.take().map(|pipe| tokio::spawn(Arc::clone(output).read(pipe)));
        let name = name(program);
        let process = Arc::clone(process);
        watchers.push(tokio::spawn(async move {
            let status = child.wait().await.unwrap_or_default();
            process.extension_ended(&name, status);
            for reader in [stdout, stderr].into_iter().flatten() {
                let _ = reader.await;
            }
        }));
    }
    Ok(watchers)
}

/// The requests of extensions.
pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/2020-01-01/extension/register", post(register))
        .route("/2020-01-01/extension/event/next", get(next))
        .route("/2020-01-01/extension/init/error", post(error))
        .route("/2020-01-01/extension/exit/error", post(error))
}

#[derive(Deserialize, Default)]
struct Registration {
    #[serde(default)]
    events: Vec<String>,
}

/// The name under which an external extension has to register: its file's.
pub(super) fn name(program: &Path) -> String {
    program.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn forbidden(error_type: &str, message: &str) -> Response {
    refused(StatusCode::FORBIDDEN, error_type, message)
}

/// `POST /2020-01-01/extension/register`
async fn register(State(api): State<Arc<Api>>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
    let name = headers.get("lambda-extension-name").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if name.is_empty() {
        return forbidden("Extension.InvalidExtensionName", "the header Lambda-Extension-Name is missing");
    }
    let registration = match serde_json::from_slice::<Registration>(&body) {
        Ok(registration) => registration,
        Err(_) if body.is_empty() => Registration::default(),
        Err(error) => return forbidden("InvalidRequestFormat", &error.to_string()),
    };
    let external = api.external.iter().any(|one| one == name);
    for event in &registration.events {
        match event.as_str() {
            "INVOKE" => {}
            "SHUTDOWN" if external => {}
            "SHUTDOWN" => {
                let message =
                    "SHUTDOWN is for external extensions; one in the runtime's own process ends with it";
                return forbidden("Extension.InvalidEventType", message);
            }
            other => {
                let message = format!("{other:?} is neither INVOKE nor SHUTDOWN");
                return forbidden("Extension.InvalidEventType", &message);
            }
        }
    }
    let id = Uuid::new_v4().to_string();
    if !api.extensions.add(&id, name, registration.events) {
        let message = format!("an extension named {name:?} has registered already");
        return forbidden("Extension.InvalidExtensionState", &message);
    }
    let answer = Json(json!({
        "functionName": api.function,
        "functionVersion": "$LATEST",
        "handler": "bootstrap",
    }));
    with_identifier(answer.into_response(), &IDENTIFIER, &id)
}

fn with_identifier(mut response: Response, name: &HeaderName, id: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(name.clone(), value);
    }
    response
}

/// `GET /2020-01-01/extension/event/next`: waits until there is one.
async fn next(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    let Some(id) = headers.get(&IDENTIFIER).and_then(|value| value.to_str().ok()) else {
        return forbidden(
            "Extension.MissingExtensionIdentifier",
            "the header Lambda-Extension-Identifier is missing",
        );
    };
    if Uuid::try_parse(id).is_err() {
        return forbidden(
            "Extension.InvalidExtensionIdentifier",
            "the Lambda-Extension-Identifier is no UUID",
        );
    }
    loop {
        match api.extensions.next(id) {
            None => {
                let message = format!("no extension {id} has registered");
                return forbidden("Extension.UnknownExtensionIdentifier", &message);
            }
            Some(Ok(event)) => {
                let id = Uuid::new_v4().to_string();
                return with_identifier(Json(event).into_response(), &EVENT_IDENTIFIER, &id);
            }
            // A permit is kept when the event came before this wait.
            Some(Err(arrived)) => arrived.notified().await,
        }
    }
}

/// `POST /2020-01-01/extension/{init,exit}/error`: noted in the log.
async fn error(State(api): State<Arc<Api>>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
    let kind = headers
        .get("lambda-extension-function-error-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("unknown");
    tracing::warn!(function = api.function, kind, error = %String::from_utf8_lossy(&body), "an extension failed");
    (StatusCode::ACCEPTED, Json(json!({ "status": "OK" }))).into_response()
}
