//! Function mode: the very code that `bootstrap` runs on Lambda, in this
//! binary, so that the small cloud's environments need no second file.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::process::ExitCode;

pub(crate) fn run() -> ExitCode {
    #[expect(
        clippy::disallowed_methods,
        reason = "the cli is one of the two places that read the environment"
    )]
    let variables: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    minilab_lambda::main(&variables, |path| match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    })
}
