//! The Lambda runtime's glue: one invocation in, one answer or one error of a
//! stable type out, every log line with its request id, its metrics and spans
//! written before the answer. Translates, never decides.

use crate::metrics::{self, Context};
use crate::settings::{Settings, SettingsError};
use crate::{Telemetry, log};
use bytes::Bytes;
use lambda_runtime::tower::util::MapRequestLayer;
use lambda_runtime::{Diagnostic, LambdaEvent, LambdaInvocation, service_fn};
use minilab_handler::{Account, Clock as _, HandlerError};
use minilab_imaging::Recipe;
use minilab_s3_store::{BucketHandler, S3Store, handler, supply};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use thiserror::Error;
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt as _;

/// Why the function ended. It runs until the platform stops it.
#[derive(Debug, Error)]
pub enum RunError {
    /// The operating system refused a thread or a socket.
    #[error("the function could not start: {0}")]
    Start(#[source] std::io::Error),
    /// The recipe needs what is not there.
    #[error("{0}")]
    Configuration(#[source] SettingsError),
    /// The Runtime API is gone, or does not speak as it should.
    #[error("the Lambda Runtime API does not answer: {0}")]
    RuntimeApi(String),
}

/// Serves invocations until the platform ends the process. Logs JSON lines to
/// standard output, and spans to `telemetry`. `runtime_api` is told when the
/// recipe's pictures cannot be loaded.
pub fn run(
    settings: Settings,
    runtime_api: Option<&str>,
    telemetry: Option<Telemetry>,
) -> Result<(), RunError> {
    let (layer, tracer) = match telemetry {
        Some(Telemetry { layer, adopt, flush }) => (Some(layer), Some(Tracer { adopt, flush })),
        None => (None, None),
    };
    let subscriber = tracing_subscriber::registry().with(layer).with(log::to_stdout(settings.log_level));
    // A second subscriber is refused: a program that has one keeps it.
    let _ = tracing::subscriber::set_global_default(subscriber);
    // One thread for requests; pictures are rendered on their own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(RunError::Start)?;
    let settings = match runtime.block_on(supplied(settings)) {
        Ok(settings) => settings,
        Err(error) => {
            if let Some(runtime_api) = runtime_api {
                let _ = runtime.block_on(post_init_error(runtime_api, &error));
            }
            return Err(RunError::Configuration(error));
        }
    };
    runtime.block_on(serve(settings, tracer)).map_err(RunError::RuntimeApi)
}

/// Tells the platform why the function refuses to start. Best effort: the
/// caller exits with an error all the same.
pub fn report_init_error(runtime_api: &str, error: &SettingsError) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(RunError::Start)?;
    runtime
        .block_on(post_init_error(runtime_api, error))
        .map_err(|error| RunError::RuntimeApi(error.to_string()))
}

/// The errorType of a function that refuses to start.
const INIT_ERROR_TYPE: &str = "Minilab.Configuration";

async fn post_init_error(runtime_api: &str, error: &SettingsError) -> Result<(), lambda_runtime::Error> {
    // Lambda gives a host and a port, `cargo lambda watch` a whole URL.
    let runtime_api = runtime_api.strip_prefix("http://").unwrap_or(runtime_api);
    let client = lambda_runtime_api_client::Client::builder()
        .with_endpoint(format!("http://{runtime_api}").parse()?)
        .build()?;
    let body = serde_json::json!({ "errorType": INIT_ERROR_TYPE, "errorMessage": error.to_string(), "stackTrace": [] });
    let request = http::Request::post("/2018-06-01/runtime/init/error")
        .header("lambda-runtime-function-error-type", INIT_ERROR_TYPE)
        .body(lambda_runtime_api_client::body::Body::from(body.to_string()))?;
    tokio::time::timeout(Duration::from_secs(2), client.call(request)).await??;
    Ok(())
}

/// A [`Telemetry`] whose layer is in use.
struct Tracer {
    adopt: fn(&tracing::Span, &str),
    flush: Box<dyn Fn() + Send + Sync>,
}

/// The handler that `settings` describe.
pub fn function(settings: &Settings) -> BucketHandler {
    handler(settings.recipe.clone(), settings.limits, Arc::new(S3Store::new(settings.access())))
}

/// The settings with the pictures that the recipe keeps in the processed bucket.
async fn supplied(mut settings: Settings) -> Result<Settings, SettingsError> {
    if settings.recipe.missing_assets().is_empty() {
        return Ok(settings);
    }
    let store = S3Store::new(settings.access());
    let mut recipe = Recipe::clone(&settings.recipe);
    supply(&mut recipe, &store).await?;
    settings.recipe = Arc::new(recipe);
    Ok(settings)
}

async fn serve(settings: Settings, tracer: Option<Tracer>) -> Result<(), String> {
    let function = function(&settings);
    // Reading the root certificates overlaps waiting for the first event.
    if settings.endpoint.as_ref().is_none_or(|endpoint| !endpoint.is_plain_http()) {
        let store = function.store().clone();
        let _ = std::thread::Builder::new().name("warm".to_owned()).spawn(move || store.warm());
    }
    let (function, settings, tracer) = (&function, &settings, &tracer);
    let service = service_fn(move |event: LambdaEvent<Value>| async move {
        let span = tracing::info_span!(
            "invocation",
            request_id = event.context.request_id,
            otel.kind = "consumer",
            otel.status_code = tracing::field::Empty
        );
        if let (Some(tracer), Some(header)) = (tracer, &event.context.xray_trace_id) {
            (tracer.adopt)(&span, header);
        }
        let answer = invoke(function, settings, event).instrument(span.clone()).await;
        span.record("otel.status_code", answer.is_err().then_some("ERROR"));
        // It ends with its last handle; only then can it be sent.
        drop(span);
        if let Some(tracer) = tracer {
            (tracer.flush)();
        }
        answer
    });
    lambda_runtime::Runtime::new(service)
        .layer(MapRequestLayer::new(json_or_a_string))
        .run()
        .await
        .map_err(|error| error.to_string())
}

async fn invoke(
    function: &BucketHandler,
    settings: &Settings,
    event: LambdaEvent<Value>,
) -> Result<Value, Diagnostic> {
    let left = left(event.context.deadline(), SystemTime::now());
    let deadline = function.clock().now() + usable(left);
    let mut accounts: Vec<Account> = Vec::new();
    let answer = function.handle_and_tell(&event.payload, deadline, |account| accounts.push(account)).await;
    if let Some(namespace) = &settings.metrics {
        let context = Context {
            namespace,
            function: &settings.function_name,
            request_id: &event.context.request_id,
            now: SystemTime::now(),
        };
        for line in metrics::lines(&accounts, context) {
            log::print(&line);
        }
    }
    answer.map_err(diagnostic)
}

/// What is left until the platform's deadline. One that has passed before the
/// event came is none: `cargo lambda watch` counts it from 1970.
fn left(deadline: SystemTime, now: SystemTime) -> Duration {
    deadline.duration_since(now).unwrap_or(Duration::from_mins(1))
}

/// What is left for work after the answer's own time: a tenth, a second at most.
fn usable(left: Duration) -> Duration {
    left.saturating_sub((left / 10).min(Duration::from_secs(1)))
}

fn diagnostic(error: HandlerError) -> Diagnostic {
    Diagnostic { error_type: error.kind.error_type().to_owned(), error_message: error.message }
}

/// A payload that is not JSON becomes a JSON string, which the handler refuses
/// by its own, stable error type rather than by the deserializer's name.
fn json_or_a_string(mut invocation: LambdaInvocation) -> LambdaInvocation {
    if serde_json::from_slice::<serde::de::IgnoredAny>(&invocation.body).is_err() {
        invocation.body = Bytes::from_static(b"\"a payload that is not JSON\"");
    }
    invocation
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn a_deadline_before_the_event_is_none() {
        let (now, second) = (UNIX_EPOCH + Duration::from_hours(1), Duration::from_secs(1));
        assert_eq!(left(now + second, now), second);
        assert_eq!(left(UNIX_EPOCH + Duration::from_mins(10), now), Duration::from_mins(1));
    }

    #[test]
    fn time_for_the_answer_is_kept_back() {
        for (left, expected) in [(0, 0), (1_000, 900), (5_000, 4_500), (60_000, 59_000), (900_000, 899_000)] {
            assert_eq!(usable(Duration::from_millis(left)), Duration::from_millis(expected));
        }
    }
}
