//! Function mode: the very code that `bootstrap` runs on Lambda, in this
//! binary, so that the small cloud's environments need no second file.

use std::collections::BTreeMap;
use std::process::ExitCode;

use minilab_lambda::Telemetry;
use minilab_telemetry::Traces;

#[expect(clippy::disallowed_methods, reason = "the cli is one of the two places that read the environment")]
pub(crate) fn run() -> ExitCode {
    minilab_lambda::main(std::env::vars_os(), |path| std::fs::read(path), telemetry)
}

fn telemetry(variables: &BTreeMap<String, String>) -> Result<Option<Telemetry>, String> {
    let service = variables.get("AWS_LAMBDA_FUNCTION_NAME").map_or("minilab", String::as_str);
    let traces = Traces::from_variables(variables, service, env!("CARGO_PKG_VERSION"));
    Ok(traces.map_err(|error| error.to_string())?.map(|traces| Telemetry {
        layer: Box::new(traces.layer()),
        adopt: Traces::adopt,
        flush: Box::new(move || traces.flush()),
    }))
}
