//! Function mode: the very code that `bootstrap` runs on Lambda, in this
//! binary, so that the small cloud's environments need no second file.

use std::process::ExitCode;

#[expect(clippy::disallowed_methods, reason = "the cli is one of the two places that read the environment")]
pub(crate) fn run() -> ExitCode {
    minilab_lambda::main(std::env::vars_os(), |path| std::fs::read(path))
}
