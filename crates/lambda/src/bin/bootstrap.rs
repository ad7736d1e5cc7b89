//! The Lambda function, slim: what `provided.al2023` starts. Owns reading the
//! environment and the recipe's file; everything else is in the library.

use std::process::ExitCode;

#[expect(clippy::disallowed_methods, reason = "this main is one of the two that read the environment")]
fn main() -> ExitCode {
    minilab_lambda::main(std::env::vars_os(), |path| std::fs::read(path))
}
