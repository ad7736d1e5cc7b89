//! The Lambda function, slim: what `provided.al2023` starts. Owns reading the
//! environment and the recipe's file; everything else is in the library.

use minilab_lambda::Telemetry;
use std::collections::BTreeMap;
use std::process::ExitCode;

#[expect(clippy::disallowed_methods, reason = "this main is one of the two that read the environment")]
fn main() -> ExitCode {
    minilab_lambda::main(std::env::vars_os(), |path| std::fs::read(path), telemetry)
}

#[cfg(feature = "otel")]
fn telemetry(variables: &BTreeMap<String, String>) -> Result<Option<Telemetry>, String> {
    use minilab_telemetry::Traces;
    let service = variables.get("AWS_LAMBDA_FUNCTION_NAME").map_or("minilab", String::as_str);
    let traces = Traces::from_variables(variables, service, env!("CARGO_PKG_VERSION"));
    Ok(traces.map_err(|error| error.to_string())?.map(|traces| Telemetry {
        layer: Box::new(traces.layer()),
        adopt: Traces::adopt,
        flush: Box::new(move || traces.flush()),
    }))
}

/// Asked for in vain: said, so that nobody looks for traces that never come.
#[cfg(not(feature = "otel"))]
#[expect(clippy::unnecessary_wraps, reason = "as the other, which may refuse")]
fn telemetry(variables: &BTreeMap<String, String>) -> Result<Option<Telemetry>, String> {
    let named = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
    if named.iter().any(|name| variables.get(*name).is_some_and(|value| !value.is_empty())) {
        eprintln!("this function was built without traces; build it with `make package FEATURES=otel`");
    }
    Ok(None)
}
