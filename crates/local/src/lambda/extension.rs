//! The Extensions API of one environment: register, and wait for events.
//!
//! Owns: who registered for what, and each one's events. Refuses: holding up
//! the function; an invocation is over when the runtime has answered, whether
//! or not an extension has come back for its next event.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Notify;
use uuid::Uuid;

use super::runtime_api::{Api, refused};

static IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-identifier");

/// More undelivered events than this and the oldest is dropped: an extension
/// that never comes back must not hold memory.
const MOST_EVENTS: usize = 1000;

#[derive(Default)]
struct Extension {
    wants: Vec<String>,
    events: VecDeque<Value>,
    arrived: Arc<Notify>,
}

/// The extensions of one environment.
#[derive(Default)]
pub(super) struct Extensions {
    registered: Mutex<HashMap<String, Extension>>,
}

impl Extensions {
    /// Whether any registered; such an environment is asked to stop before it
    /// is killed.
    pub(super) fn any(&self) -> bool {
        !self.registered.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Hands `event` to every extension that registered for `kind`.
    pub(super) fn send(&self, kind: &str, event: &Value) {
        let mut registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        for extension in registered.values_mut().filter(|one| one.wants.iter().any(|want| want == kind)) {
            if extension.events.len() == MOST_EVENTS {
                extension.events.pop_front();
            }
            extension.events.push_back(event.clone());
            extension.arrived.notify_one();
        }
    }

    /// The next event of `id`: at once, or what to wait for; `None` when it
    /// never registered.
    fn next(&self, id: &str) -> Option<Result<Value, Arc<Notify>>> {
        let mut registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        let extension = registered.get_mut(id)?;
        Some(extension.events.pop_front().ok_or_else(|| Arc::clone(&extension.arrived)))
    }
}

#[derive(Deserialize, Default)]
struct Registration {
    #[serde(default)]
    events: Vec<String>,
}

/// `POST /2020-01-01/extension/register`
pub(super) async fn register(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    if !headers.contains_key("lambda-extension-name") {
        return refused(
            StatusCode::FORBIDDEN,
            "Extension.InvalidExtensionName",
            "the header Lambda-Extension-Name is missing",
        );
    }
    let registration = match serde_json::from_slice::<Registration>(&body) {
        Ok(registration) => registration,
        Err(_) if body.is_empty() => Registration::default(),
        Err(error) => {
            return refused(StatusCode::BAD_REQUEST, "InvalidRequestFormat", &error.to_string());
        }
    };
    if let Some(event) =
        registration.events.iter().find(|event| !["INVOKE", "SHUTDOWN"].contains(&event.as_str()))
    {
        return refused(
            StatusCode::BAD_REQUEST,
            "Extension.InvalidEventType",
            &format!("{event:?} is neither INVOKE nor SHUTDOWN"),
        );
    }
    let id = Uuid::new_v4().to_string();
    let extension = Extension { wants: registration.events, ..Extension::default() };
    api.extensions.registered.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), extension);
    let answer = Json(json!({
        "functionName": api.function,
        "functionVersion": "$LATEST",
        "handler": "bootstrap",
    }));
    let mut response = answer.into_response();
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(IDENTIFIER.clone(), value);
    }
    response
}

/// `GET /2020-01-01/extension/event/next`: waits until there is one.
pub(super) async fn next(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    let Some(id) = headers.get(&IDENTIFIER).and_then(|value| value.to_str().ok()) else {
        return refused(
            StatusCode::FORBIDDEN,
            "Extension.MissingExtensionIdentifier",
            "the header Lambda-Extension-Identifier is missing",
        );
    };
    loop {
        match api.extensions.next(id) {
            None => {
                return refused(
                    StatusCode::FORBIDDEN,
                    "Extension.UnknownExtensionIdentifier",
                    "register first",
                );
            }
            Some(Ok(event)) => return Json(event).into_response(),
            // A permit is kept when the event came before this wait.
            Some(Err(arrived)) => arrived.notified().await,
        }
    }
}

/// `POST /2020-01-01/extension/{init,exit}/error`: noted in the log.
pub(super) async fn error(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    let kind = headers
        .get("lambda-extension-function-error-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("unknown");
    tracing::warn!(function = api.function, kind, error = %String::from_utf8_lossy(&body), "an extension failed");
    (StatusCode::ACCEPTED, Json(json!({ "status": "OK" }))).into_response()
}
