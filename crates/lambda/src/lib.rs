//! The Lambda function: the Runtime API's glue and the role that the recipe
//! needs.
//! Owns translation in both directions; refuses to decide what a failure
//! means, and to read the environment (its `main`s hand it over).

mod function;
mod log;
pub mod metrics;
pub mod policy;
mod remote;
mod settings;
mod telemetry;

pub use function::{RunError, function, report_init_error, run};
pub use settings::{Settings, SettingsError};
pub use telemetry::Telemetry;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::ExitCode;

/// The function's `main`, for every program that can be the function: settings
/// from the environment's `variables` (those that are no UTF-8 are not ours) and
/// the recipe's files, which `read` reads (`s3://bucket/key` is read with the
/// function's role); then [`run`] until the platform ends the process. Spans go
/// where `telemetry` says, by the same variables.
///
/// Exit status 2 when the settings are wrong, which the platform is told; 1
/// when the Runtime API does not answer.
pub fn main(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    read: impl Fn(&str) -> std::io::Result<Vec<u8>>,
    telemetry: impl FnOnce(&BTreeMap<String, String>) -> Result<Option<Telemetry>, String>,
) -> ExitCode {
    let variables: BTreeMap<String, String> = variables
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let read = |path: &str| match remote::split(path) {
        Some((bucket, key)) => remote::read(&variables, bucket, key),
        None => match read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        },
    };
    let wrong = |problem: String| SettingsError { problems: vec![problem] };
    let settings = Settings::from_variables(&variables, read)
        .and_then(|settings| Ok((settings, telemetry(&variables).map_err(wrong)?)));
    let (settings, telemetry) = match settings {
        Ok(both) => both,
        Err(error) => {
            eprintln!("{error}");
            if let Some(runtime_api) = variables.get("AWS_LAMBDA_RUNTIME_API")
                && let Err(unheard) = report_init_error(runtime_api, &error)
            {
                eprintln!("{unheard}");
            }
            return ExitCode::from(2);
        }
    };
    match run(settings, variables.get("AWS_LAMBDA_RUNTIME_API").map(String::as_str), telemetry) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ RunError::Configuration(_)) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
