//! Traces: spans go to an OpenTelemetry collector by OTLP over HTTP, when the
//! standard `OTEL_*` variables name one.
//!
//! Owns: whether anything is traced, whose child a span is, and sending what has
//! ended. Refuses: to know what the spans are about, and to hold a program up
//! for longer than a few seconds because a collector is away.
//!
//! Source: "Environment Variable Specification" and "OpenTelemetry Protocol
//! Exporter" of the OpenTelemetry specification.

mod client;
mod parent;

use client::Client;
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::collections::BTreeMap;
use std::time::Duration;
use thiserror::Error;
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::{Layer, Registry};

/// The variables ask for something that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TracesError {
    /// A variable has a value that cannot be followed.
    #[error("{name} is {value:?}; {remedy}")]
    Variable {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        remedy: &'static str,
    },
    /// The exporter refuses its settings, or the machine has no certificates.
    #[error("traces cannot be sent as the OTEL_* variables say: {0}")]
    Exporter(String),
}

/// The longest wait for a collector, unless `OTEL_EXPORTER_OTLP_TRACES_TIMEOUT`
/// says otherwise: what a flush waits in any case.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What the variables of the environment say.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    /// Whether the collector is reached without TLS.
    plain: bool,
    timeout: Duration,
    /// Whether the variables name the service.
    named: bool,
}

fn wanted(variables: &BTreeMap<String, String>) -> Result<Option<Wanted>, TracesError> {
    let value = |name: &str| variables.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let refuse =
        |name, value: &str, remedy| Err(TracesError::Variable { name, value: value.to_owned(), remedy });
    if value("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    match value("OTEL_TRACES_EXPORTER") {
        None | Some("otlp") => {}
        Some("none") => return Ok(None),
        Some(other) => return refuse("OTEL_TRACES_EXPORTER", other, "use otlp or none"),
    }
    let Some(endpoint) =
        value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| value("OTEL_EXPORTER_OTLP_ENDPOINT"))
    else {
        return Ok(None);
    };
    for name in ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
        match value(name) {
            None => {}
            Some("http/protobuf") => break,
            Some(other) => {
                return refuse(name, other, "use http/protobuf, which collectors take on port 4318");
            }
        }
    }
    let mut timeout = TIMEOUT;
    for name in ["OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"] {
        match value(name).map(|value| (value, value.parse())) {
            None => {}
            Some((_, Ok(milliseconds))) => timeout = Duration::from_millis(milliseconds),
            Some((text, Err(_))) => return refuse(name, text, "use a number of milliseconds"),
        }
    }
    let named = value("OTEL_SERVICE_NAME").is_some()
        || value("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|attributes| {
            attributes.split(',').any(|pair| pair.trim().starts_with("service.name="))
        });
    Ok(Some(Wanted { plain: endpoint.starts_with("http://"), timeout, named }))
}

/// A tracer that sends spans to a collector.
#[derive(Debug, Clone)]
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// What the environment's `variables` ask for; `None` when they name no
    /// collector or switch tracing off. Its other settings (headers, sampler,
    /// resource, batches) the SDK reads from the environment itself.
    ///
    /// `service` is the service's name unless the variables give one, and
    /// `version` its version.
    ///
    /// # Errors
    /// When a variable asks for what is not there.
    pub fn from_variables(
        variables: &BTreeMap<String, String>,
        service: &str,
        version: &str,
    ) -> Result<Option<Self>, TracesError> {
        let Some(Wanted { plain, timeout, named }) = wanted(variables)? else { return Ok(None) };
        let client = Client::new(plain, timeout).map_err(|error| TracesError::Exporter(error.to_string()))?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(timeout)
            // A function that waits is paid for.
            .with_retry_policy(RetryPolicy::disabled())
            .build()
            .map_err(|error| TracesError::Exporter(error.to_string()))?;
        let mut resource =
            Resource::builder().with_attribute(KeyValue::new("service.version", version.to_owned()));
        if !named {
            resource = resource.with_service_name(service.to_owned());
        }
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        Ok(Some(Self { provider }))
    }

    /// Takes the spans of our own crates, and what is said inside them.
    pub fn layer(&self) -> impl Layer<Registry> + Send + Sync + use<> {
        let ours = filter_fn(|metadata| {
            metadata.target().starts_with("minilab") && *metadata.level() <= Level::INFO
        });
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("minilab"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            .with_filter(ours.with_max_level_hint(LevelFilter::INFO))
    }

    /// Makes `span`, which has not been entered yet, a child of what a trace
    /// header names: `traceparent` as the W3C writes it, or X-Ray's
    /// `Root=…;Parent=…;Sampled=1`. Any other header changes nothing; neither
    /// does one of X-Ray's that was not sampled, as Lambda sends it with its own
    /// tracing off: nobody has that parent.
    pub fn adopt(span: &Span, header: &str) {
        if let Some(parent) = parent::parse(header) {
            // Refused for a span that is not traced.
            let _ = span.set_parent(Context::new().with_remote_span_context(parent));
        }
    }

    /// Sends what has ended. Takes as long as the collector, five seconds at most.
    pub fn flush(&self) {
        if let Err(error) = self.provider.force_flush() {
            tracing::warn!(%error, "the traces were not sent");
        }
    }

    /// Sends what has ended, and ends.
    pub fn shutdown(&self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(variables: &[(&str, &str)]) -> Result<Option<Wanted>, TracesError> {
        let pairs = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        wanted(&pairs.collect())
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    const TRACES: (&str, &str) = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector/v1/traces");

    #[test]
    fn nothing_is_traced_unless_a_collector_is_named() {
        for variables in [
            &[][..],
            &[("OTEL_SERVICE_NAME", "photos")],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
            &[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")],
            &[TRACES, ("OTEL_TRACES_EXPORTER", "none")],
        ] {
            assert_eq!(asked(variables), Ok(None), "{variables:?}");
        }
    }

    #[test]
    fn the_more_particular_variable_holds() {
        let seconds = Duration::from_secs;
        for (variables, plain, timeout, named) in [
            (&[ENDPOINT][..], true, seconds(5), false),
            (&[ENDPOINT, TRACES], false, seconds(5), false),
            (
                &[ENDPOINT, ("OTEL_SDK_DISABLED", "false"), ("OTEL_TRACES_EXPORTER", "otlp")],
                true,
                seconds(5),
                false,
            ),
            (
                &[
                    ENDPOINT,
                    ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"),
                    ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "2000"),
                ],
                true,
                seconds(2),
                false,
            ),
            (&[ENDPOINT, ("OTEL_SERVICE_NAME", "photos")], true, seconds(5), true),
            (&[ENDPOINT, ("OTEL_RESOURCE_ATTRIBUTES", "a=b, service.name=photos")], true, seconds(5), true),
            (
                &[
                    ENDPOINT,
                    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
                    ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
                ],
                true,
                seconds(5),
                false,
            ),
        ] {
            assert_eq!(asked(variables), Ok(Some(Wanted { plain, timeout, named })), "{variables:?}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused_with_what_can() {
        for (name, value, remedy) in [
            ("OTEL_TRACES_EXPORTER", "zipkin", "otlp or none"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "5s", "milliseconds"),
        ] {
            let error = asked(&[ENDPOINT, (name, value)]).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{name} is {value:?}; ")) && error.contains(remedy),
                "{error}"
            );
        }
    }
}
