//! What `minilab template` is told.
//!
//! Owns: the flags and their bounds. Refuses: what only the recipe can decide.

use clap::{Args as ClapArgs, ValueEnum};

use crate::arch::Arch;
use crate::options::KeyOptions;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// YAML for `aws cloudformation deploy`
    Cloudformation,
    /// The same for `sam deploy`, which uploads the zip itself
    Sam,
    /// HCL for `terraform apply` or `tofu apply`
    Terraform,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TriggerKind {
    /// The bucket invokes the function
    Direct,
    /// The bucket fills a queue that the function empties
    Sqs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Versioning {
    None,
    Source,
    Processed,
    Both,
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct TemplateOptions {
    /// The language
    #[arg(long, value_enum, default_value_t = Format::Cloudformation)]
    pub(crate) format: Format,

    /// Name of the function, and the beginning of the other resources' names
    #[arg(long, value_name = "NAME", default_value = "minilab")]
    pub(crate) name: String,

    /// The source bucket exists: leave it as it is
    #[arg(long)]
    pub(crate) existing_source: bool,

    /// The processed bucket exists: leave it as it is
    #[arg(long)]
    pub(crate) existing_processed: bool,

    #[command(flatten)]
    pub(crate) keys: KeyOptions,

    /// Which new buckets keep the former versions of their objects
    #[arg(long, value_enum, value_name = "BUCKETS", default_value_t = Versioning::Source)]
    pub(crate) versioning: Versioning,

    /// How long former versions are kept
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) keep_versions: u32,

    /// Delete sources after so many days; their prints stay [default: never]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) expire_sources: Option<u32>,

    /// Delete prints and failure reports after so many days [default: never]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) expire_prints: Option<u32>,

    /// Where the function reads the recipe at each cold start, with the watermarks beside it, such as
    /// `s3://settings/minilab.toml` [default: the template carries a short recipe, the zip a long one]
    #[arg(long, value_name = "S3_URI")]
    pub(crate) recipe_at: Option<String>,

    /// What the function's zip was built for [default: this machine's]
    #[arg(long, value_enum)]
    pub(crate) arch: Option<Arch>,

    /// The function's memory, in MB; its share of processors grows with it
    #[arg(long, value_name = "MB", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(128..=10_240))]
    pub(crate) memory: u32,

    /// Longest invocation, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=900))]
    pub(crate) timeout: u32,

    /// Reserve so many concurrent invocations: never more, and always so many [default: none are
    /// reserved; with `--trigger sqs` the queue starts 10 at most]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) concurrency: Option<u32>,

    /// How an event reaches the function
    #[arg(long, value_enum, default_value_t = TriggerKind::Direct)]
    pub(crate) trigger: TriggerKind,

    /// With `--trigger sqs`: most events in one invocation
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10))]
    pub(crate) batch: u32,

    /// How long the function's log is kept; a number of days that CloudWatch has
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pub(crate) log_retention: u32,

    /// SNS topic that hears of alarms [default: they show in CloudWatch only]
    #[arg(long, value_name = "ARN")]
    pub(crate) alarm_topic: Option<String>,
}
