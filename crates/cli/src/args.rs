//! What a person can type.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};

/// Serverless image processing: a picture dropped into a source bucket comes
/// out of a processed bucket in every size and format that the recipe asks for.
#[derive(Debug, Parser)]
#[command(name = "minilab", version, max_term_width = 100)]
pub(crate) struct Args {
    /// The recipe [default: minilab.toml in this folder, else the built-in recipe]
    #[arg(long, short, global = true, value_name = "FILE", env = "MINILAB_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// Print JSON for programs instead of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Print nothing but errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,

    /// What to log to standard error, such as "debug" or "`minilab_local=trace`"
    #[arg(long, global = true, value_name = "FILTER", env = "MINILAB_LOG", hide = true)]
    pub(crate) log: Option<String>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole pipeline once: small cloud up, pictures in, prints out
    Demo(DemoOptions),
    /// Run the small cloud until Ctrl-C
    Up(UpOptions),
    /// Make the prints of local files, without any cloud
    Render(RenderOptions),
    /// Validate the recipe; print its outputs, the IAM policy and the loop proof
    Check,
    /// Print the IAM policy that the recipe needs, as JSON
    Policy,
    /// Be the function: what an execution environment of the small cloud runs
    #[command(hide = true)]
    Function,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DemoOptions {
    /// Pictures, or folders of pictures [default: the bundled photographs]
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Where the prints go, at exactly their keys
    #[arg(long, value_name = "DIR", default_value = "demo-out")]
    pub(crate) out: PathBuf,

    #[command(flatten)]
    pub(crate) function: FunctionOptions,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RenderOptions {
    /// Pictures, or folders of pictures
    #[arg(value_name = "FILE|DIR", required = true)]
    pub(crate) files: Vec<PathBuf>,

    /// Where the prints go, at exactly their keys
    #[arg(long, value_name = "DIR", default_value = "prints")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct UpOptions {
    /// Address of the S3 endpoint; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9000")]
    pub(crate) s3_addr: SocketAddr,

    /// Address of the console; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9001")]
    pub(crate) console_addr: SocketAddr,

    /// Where objects, events and credentials are kept
    #[arg(long, value_name = "DIR", default_value = "minilab-data")]
    pub(crate) data_dir: PathBuf,

    #[command(flatten)]
    pub(crate) function: FunctionOptions,

    #[command(flatten)]
    pub(crate) foreign: ForeignOptions,
}

/// Another function than minilab's own, and how its failures are treated.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct ForeignOptions {
    /// How often a failed invocation is tried again, 0 to 2
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=2))]
    pub(crate) maximum_retry_attempts: u32,

    /// Waiting time before each retry, in seconds (Lambda: 60,120)
    #[arg(long, value_name = "SECONDS", value_delimiter = ',', default_values_t = [1, 4])]
    pub(crate) retry_delays: Vec<u32>,

    /// An event older than this is given up, 60 to 21600 seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 21_600, value_parser = clap::value_parser!(u32).range(60..=21_600))]
    pub(crate) maximum_event_age_in_seconds: u32,

    /// An environment variable of PROGRAM and of the extensions; nothing else is inherited
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,

    /// A program to run beside the function in each environment: an external extension
    #[arg(long, value_name = "FILE")]
    pub(crate) extension: Vec<PathBuf>,

    /// The function to run instead of minilab's own: any program that speaks the Lambda Runtime API,
    /// such as `python3 -m awslambdaric app.handler`. It runs in this folder
    #[arg(last = true, value_name = "PROGRAM")]
    pub(crate) program: Vec<String>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("give NAME=VALUE, such as LOG_LEVEL=debug".to_owned()),
    }
}

/// The function's settings, as on Lambda.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct FunctionOptions {
    /// Memory of one execution environment, in MB
    #[arg(long, value_name = "MB", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(128..=10_240))]
    pub(crate) memory: u32,

    /// Longest invocation, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=900))]
    pub(crate) timeout: u32,

    /// Most execution environments at once [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) concurrency: Option<u32>,

    /// The role's policy, instead of the one derived from the recipe
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }
}
