//! The `minilab` binary: composition root and everything a person types.
//!
//! Owns: arguments, files, environment, what is printed, exit status. Refuses:
//! deciding anything about pictures or storage; the crates below do.

mod arch;
mod args;
mod backfill;
mod buckets;
mod check;
mod cloud;
mod config;
mod console;
mod demo;
mod ending;
mod failures;
mod function;
mod globals;
mod inputs;
mod metrics;
mod options;
mod package;
mod render;
mod results;
mod samples;
mod table;
mod template;
mod up;
mod worker;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use minilab_telemetry::{Traces, TracesError};
use tracing_subscriber::Layer as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use args::{Args, Command};
use ending::Ending;

fn main() -> ExitCode {
    let args = Args::parse();
    // The function writes its own log, as on Lambda.
    if matches!(args.command, Command::Function) {
        return function::run();
    }
    let traces = match traces() {
        Ok(traces) => traces,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "minilab: {error}");
            return ExitCode::from(2);
        }
    };
    log_to_stderr(&args, traces.as_ref());
    let ending = run(&args);
    // Sends what is not sent yet.
    if let Some(traces) = traces {
        traces.shutdown();
    }
    match ending {
        Ok(ending) => ending.into(),
        // The reader of a pipe went away (`minilab check | head`): nobody to tell.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // A message of several lines (a recipe's problems) starts on its own.
            let _ = writeln!(std::io::stderr(), "minilab: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> anyhow::Result<Ending> {
    let globals = &args.globals;
    match &args.command {
        Command::Check => check::run(globals),
        Command::Policy(options) => check::policy(globals, options),
        Command::Template(options) => template::run(globals, options),
        Command::Package(options) => package::run(globals, options),
        Command::Failures(options) => failures::run(globals, options),
        Command::Backfill(options) => backfill::run(globals, options),
        Command::Render(options) => render::run(globals, options),
        Command::Demo(options) => demo::run(globals, options),
        Command::Up(options) => up::run(globals, options),
        Command::Worker(options) => worker::run(globals, options),
        Command::Function => unreachable!("it has returned"),
    }
}

/// Where spans go, by the standard variables.
#[expect(clippy::disallowed_methods, reason = "the cli is one of the two places that read the environment")]
fn traces() -> Result<Option<Traces>, TracesError> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Traces::from_variables(&variables, "minilab", env!("CARGO_PKG_VERSION"))
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

fn log_to_stderr(args: &Args, traces: Option<&Traces>) {
    let default = match (args.globals.quiet, &args.command) {
        (false, Command::Up(_)) => "warn,minilab=info,minilab_local=info",
        // It is a server: one line for each event.
        (false, Command::Worker(_)) => "warn,minilab=info",
        // The demo's own table says what went wrong.
        (true, _) | (false, Command::Demo(_)) => "error",
        (false, _) => "warn",
    };
    // s3s calls a missing key an error and prints whole requests with their headers.
    let filter = format!("s3s=off,{}", args.globals.log.as_deref().unwrap_or(default));
    let log = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // It would say on standard error that standard error is closed, and panic in the middle of the cloud.
        .log_internal_errors(false)
        .with_filter(tracing_subscriber::EnvFilter::new(filter));
    tracing_subscriber::registry().with(traces.map(Traces::layer)).with(log).init();
}
