//! What commands are told, command by command.
//!
//! Owns: options of commands that have no file of options of their own, and
//! those that several commands share. Refuses: doing anything.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use minilab_lambda::policy::Keys;

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
    #[arg(long, value_name = "SECONDS", value_delimiter = ',', default_value = "1,4")]
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

/// Keys that encrypt the buckets.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct KeyOptions {
    /// ARN of the KMS key that encrypts the source bucket [default: S3's own key]
    #[arg(long, value_name = "ARN")]
    pub(crate) source_kms_key: Option<String>,

    /// ARN of the KMS key that encrypts the processed bucket [default: S3's own key]
    #[arg(long, value_name = "ARN")]
    pub(crate) processed_kms_key: Option<String>,
}

impl KeyOptions {
    pub(crate) fn keys(&self) -> Keys {
        Keys { source: self.source_kms_key.clone(), processed: self.processed_kms_key.clone() }
    }
}

/// How to reach the buckets: as in the AWS CLI.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct BucketOptions {
    /// Another S3 than AWS's, such as `http://127.0.0.1:9000`
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL_S3")]
    pub(crate) endpoint_url: Option<String>,

    /// The buckets' region [default: the environment's or the profile's]
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,

    /// A profile of ~/.aws/config and ~/.aws/credentials [default: `AWS_PROFILE`, or "default"]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct FailuresOptions {
    #[command(subcommand)]
    pub(crate) command: FailuresCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FailuresCommand {
    /// One line for each report
    List {
        /// Only sources whose keys begin with this
        #[arg(long, value_name = "PREFIX", default_value = "")]
        prefix: String,

        #[command(flatten)]
        buckets: BucketOptions,
    },
    /// The report of one source
    Show {
        /// Key of the source
        #[arg(value_name = "KEY")]
        key: String,

        #[command(flatten)]
        buckets: BucketOptions,
    },
    /// Look at sources again, now and here, by this recipe
    Retry {
        /// Keys of sources
        #[arg(value_name = "KEY", required_unless_present = "all")]
        keys: Vec<String>,

        /// Every source that has a report
        #[arg(long, conflicts_with = "keys")]
        all: bool,

        #[command(flatten)]
        buckets: BucketOptions,
    },
}

/// Where a backfill's work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Via {
    /// This process, with your credentials
    Here,
    /// The function, invoked asynchronously: Lambda keeps the events and retries
    Lambda,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct BackfillOptions {
    /// Only sources whose keys begin with this [default: the recipe's prefix]
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,

    /// Only sources written since: a date (2026-01-31), a time (RFC 3339), or an age (7d, 12h)
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,

    /// Only sources whose keys come after this one: where an interrupted run says it stopped
    #[arg(long, value_name = "KEY")]
    pub(crate) start_after: Option<String>,

    /// Say how much there is to do and what it costs; write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Afterwards, delete prints and reports whose source is gone
    #[arg(long)]
    pub(crate) prune: bool,

    /// Make nothing here: send what is due to this SQS queue, which a function with
    /// `--trigger sqs` empties
    #[arg(long, value_name = "URL", conflicts_with_all = ["dry_run", "via"])]
    pub(crate) queue_url: Option<String>,

    /// Who makes what is due
    #[arg(long, value_enum, default_value_t = Via::Here)]
    pub(crate) via: Via,

    /// With `--via lambda`: the function's name or ARN
    #[arg(long, value_name = "NAME", default_value = "minilab")]
    pub(crate) function: String,

    /// With `--via lambda`: sources in one invocation; they share its timeout and its retries
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=50))]
    pub(crate) batch: u32,

    /// Pictures at once; each may take the recipe's `limits.memory_mb` [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) concurrency: Option<u32>,

    #[command(flatten)]
    pub(crate) buckets: BucketOptions,
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
