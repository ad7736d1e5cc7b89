//! The Lambda function, slim: what `provided.al2023` starts. Owns reading the
//! environment and the recipe's file; everything else is in the library.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::process::ExitCode;

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "this main is one of the two that read the environment")]
    let variables: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    minilab_lambda::main(&variables, |path| match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    })
}
