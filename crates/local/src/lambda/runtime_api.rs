//! The Runtime API of one execution environment, on its own loopback port.
//!
//! Owns: the state of the one invocation that the environment may hold.
//! Refuses: answers for another invocation, a second answer, answers larger
//! than Lambda delivers.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http_body_util::BodyExt as _;
use serde_json::json;
use tokio::sync::{Notify, oneshot, watch};

use super::outcome::Failure;
use super::registered::Extensions;

/// The most bytes of an answer that Lambda delivers to a synchronous caller
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>),
/// with the hundred more that Lambda's own emulator lets pass.
pub(super) const MOST_RESPONSE_BYTES: usize = 6 * 1024 * 1024 + 100;

/// An event on its way into the environment.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub(super) request_id: String,
    pub(super) payload: Bytes,
    /// Milliseconds since 1970.
    pub(super) deadline_ms: i64,
    pub(super) arn: String,
    pub(super) trace_id: String,
}

/// What the runtime answered.
pub(super) type Answer = Result<Bytes, Failure>;

#[derive(Default)]
struct Slot {
    /// Offered, not yet fetched.
    offered: Option<Delivery>,
    /// Fetched or offered, not yet answered.
    open: Option<(String, oneshot::Sender<Answer>)>,
    /// Answered last.
    answered: Option<String>,
    /// The runtime asked for its first event: its start is over.
    initialised: bool,
}

/// The state behind one environment's endpoint.
pub(super) struct Api {
    pub(super) function: String,
    /// The file names of the external extensions.
    pub(super) external: Vec<String>,
    pub(super) extensions: Extensions,
    slot: Mutex<Slot>,
    offer: Notify,
    /// How many requests for the next event are open: a runtime that connects
    /// anew may do so before its old connection is seen to be gone.
    waiting: watch::Sender<usize>,
    init_error: Mutex<Option<Failure>>,
}

impl Api {
    pub(super) fn new(function: &str, external: Vec<String>) -> Arc<Self> {
        Arc::new(Self {
            function: function.to_owned(),
            external,
            extensions: Extensions::default(),
            slot: Mutex::default(),
            offer: Notify::new(),
            waiting: watch::Sender::new(0),
            init_error: Mutex::default(),
        })
    }

    /// The Runtime API, and beside it the requests of `extensions`.
    pub(super) fn router(self: Arc<Self>, extensions: Router<Arc<Self>>) -> Router {
        Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .merge(extensions)
            .with_state(self)
    }

    /// How many requests for the next event are open, now and from now on.
    pub(super) fn waiting(&self) -> watch::Receiver<usize> {
        self.waiting.subscribe()
    }

    /// What the runtime reported about a failed start.
    pub(super) fn take_init_error(&self) -> Option<Failure> {
        self.init_error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Offers one event; the answer comes through the receiver, which fails
    /// only when another event takes this one's place.
    pub(super) fn deliver(&self, delivery: Delivery) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        self.extensions.send(
            "INVOKE",
            &json!({
                "eventType": "INVOKE",
                "deadlineMs": delivery.deadline_ms,
                "requestId": delivery.request_id,
                "invokedFunctionArn": delivery.arn,
                "tracing": { "type": "X-Amzn-Trace-Id", "value": delivery.trace_id },
            }),
        );
        {
            let mut slot = self.slot();
            slot.open = Some((delivery.request_id.clone(), sender));
            slot.offered = Some(delivery);
        }
        self.offer.notify_one();
        receiver
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The refusal of an answer to anything but the open invocation.
    fn refusal(&self, id: &str) -> Option<Response> {
        let slot = self.slot();
        if slot.open.as_ref().is_some_and(|(open, _)| open == id) {
            None
        } else if slot.answered.as_deref() == Some(id) {
            Some(out_of_turn(&format!("the invocation {id} has been answered already")))
        } else {
            Some(unknown_request(id))
        }
    }

    /// Answers the open invocation `id`; false when it is not open.
    fn answer(&self, id: &str, answer: Answer) -> bool {
        let mut slot = self.slot();
        match slot.open.take_if(|(open, _)| open == id) {
            // The other side may have given up; the runtime did its part.
            Some((id, sender)) => {
                slot.answered = Some(id);
                let _ = sender.send(answer);
                true
            }
            None => false,
        }
    }
}

/// Says that the runtime waits, for as long as its request lasts.
struct Waiting<'a>(&'a Api);

impl<'a> Waiting<'a> {
    fn begin(api: &'a Api) -> Self {
        api.waiting.send_modify(|count| *count += 1);
        Self(api)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.send_modify(|count| *count -= 1);
    }
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    let waiting = Waiting::begin(&api);
    api.slot().initialised = true;
    let delivery = loop {
        if let Some(delivery) = api.slot().offered.take() {
            break delivery;
        }
        api.offer.notified().await;
    };
    drop(waiting);
    let headers = [
        ("lambda-runtime-aws-request-id", delivery.request_id),
        ("lambda-runtime-deadline-ms", delivery.deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", delivery.arn),
        ("lambda-runtime-trace-id", delivery.trace_id),
        (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
    ];
    // Set, not appended: the payload alone would bring a content type of its own.
    (headers, delivery.payload).into_response()
}

/// An answer's body, whole or in chunks, with what its trailers say.
struct Received {
    body: Bytes,
    trailers: HeaderMap,
}

enum ReceiveError {
    TooLarge,
    Broken(String),
}

async fn receive(mut body: Body) -> Result<Received, ReceiveError> {
    let mut received = Vec::new();
    let mut trailers = HeaderMap::new();
    while let Some(frame) = body.frame().await {
        match frame.map_err(|error| ReceiveError::Broken(error.to_string()))?.into_data() {
            Ok(data) => {
                if received.len() + data.len() > MOST_RESPONSE_BYTES {
                    return Err(ReceiveError::TooLarge);
                }
                received.extend_from_slice(&data);
            }
            Err(frame) => {
                if let Ok(found) = frame.into_trailers() {
                    trailers.extend(found);
                }
            }
        }
    }
    Ok(Received { body: Bytes::from(received), trailers })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A streamed answer that failed halfway says so in its trailers; the error's
/// body travels there in base64
/// (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming>).
fn streamed_failure(trailers: &HeaderMap) -> Option<Failure> {
    use base64::Engine as _;
    let error_type = text(trailers, "lambda-runtime-function-error-type")?;
    let body = text(trailers, "lambda-runtime-function-error-body").unwrap_or_default();
    let body =
        base64::engine::general_purpose::STANDARD.decode(body).unwrap_or_else(|_| body.as_bytes().to_vec());
    Some(Failure::reported(Some(error_type), Bytes::from(body)))
}

async fn response(State(api): State<Arc<Api>>, Path(id): Path<String>, body: Body) -> Response {
    if let Some(refusal) = api.refusal(&id) {
        return refusal;
    }
    match receive(body).await {
        Ok(received) => {
            let answer = streamed_failure(&received.trailers).map_or(Ok(received.body), Err);
            if api.answer(&id, answer) { accepted() } else { unknown_request(&id) }
        }
        Err(ReceiveError::TooLarge) => {
            api.answer(&id, Err(Failure::too_large(MOST_RESPONSE_BYTES)));
            refused(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                &format!("the response is larger than {MOST_RESPONSE_BYTES} bytes"),
            )
        }
        Err(ReceiveError::Broken(why)) => refused(StatusCode::BAD_REQUEST, "InvalidRequest", &why),
    }
}

async fn error(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if let Some(refusal) = api.refusal(&id) {
        return refusal;
    }
    match failure(&headers, body).await {
        Ok(failure) => {
            if api.answer(&id, Err(failure)) {
                accepted()
            } else {
                unknown_request(&id)
            }
        }
        Err(response) => response,
    }
}

async fn init_error(State(api): State<Arc<Api>>, headers: HeaderMap, body: Body) -> Response {
    if api.slot().initialised {
        return out_of_turn("the runtime has asked for an event, so its start did not fail");
    }
    match failure(&headers, body).await {
        Ok(failure) => {
            *api.init_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
            accepted()
        }
        Err(response) => response,
    }
}

async fn failure(headers: &HeaderMap, body: Body) -> Result<Failure, Response> {
    match receive(body).await {
        Ok(received) => {
            Ok(Failure::reported(text(headers, "lambda-runtime-function-error-type"), received.body))
        }
        Err(ReceiveError::TooLarge) => {
            Err(refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", "the error is too large"))
        }
        Err(ReceiveError::Broken(why)) => Err(refused(StatusCode::BAD_REQUEST, "InvalidRequest", &why)),
    }
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, Json(json!({ "status": "OK" }))).into_response()
}

fn unknown_request(id: &str) -> Response {
    refused(StatusCode::BAD_REQUEST, "InvalidRequestID", &format!("no invocation {id:?} is open"))
}

/// A call that the environment's state does not allow.
fn out_of_turn(message: &str) -> Response {
    refused(StatusCode::FORBIDDEN, "InvalidStateTransition", message)
}

pub(super) fn refused(status: StatusCode, error_type: &str, message: &str) -> Response {
    (status, Json(json!({ "errorType": error_type, "errorMessage": message }))).into_response()
}
