//! What a person can type after `minilab worker`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::options::BucketOptions;

/// Where events come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Via {
    /// HTTP requests of the store: MinIO, RustFS, Ceph
    Webhook,
    /// An SQS queue
    Sqs,
    /// A NATS JetStream stream
    Nats,
}

impl Via {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Sqs => "sqs",
            Self::Nats => "nats",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct WorkerOptions {
    /// Where events come from
    #[arg(long, value_enum, required_unless_present = "dead_letters")]
    pub(crate) via: Option<Via>,

    /// Address of the webhook; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9080")]
    pub(crate) listen: SocketAddr,

    /// What senders to the webhook must know; required where other machines reach it. Every user of
    /// this machine sees arguments: prefer the variable
    #[arg(long, value_name = "TOKEN", env = "MINILAB_WORKER_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,

    /// Where events are kept until they are done, and dead letters (webhook, nats)
    #[arg(long, value_name = "DIR", default_value = "minilab-worker")]
    pub(crate) data_dir: PathBuf,

    /// The SQS queue
    #[arg(long, value_name = "URL", required_if_eq("via", "sqs"))]
    pub(crate) queue_url: Option<String>,

    /// Another SQS than AWS's
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL_SQS")]
    pub(crate) sqs_endpoint_url: Option<String>,

    /// NATS servers: `nats://user:password@host:4222`, several with commas
    #[arg(
        long,
        value_name = "URL",
        default_value = "nats://127.0.0.1:4222",
        env = "NATS_URL",
        hide_env_values = true
    )]
    pub(crate) nats_url: String,

    /// The JetStream stream; made, as a work queue on disk, where it does not exist
    #[arg(long, value_name = "NAME", default_value = "minilab")]
    pub(crate) stream: String,

    /// The subject that events are published to
    #[arg(long, value_name = "SUBJECT", default_value = "minilab.events")]
    pub(crate) subject: String,

    /// The durable consumer; workers that share it share the work
    #[arg(long, value_name = "NAME", default_value = "minilab-worker")]
    pub(crate) consumer: String,

    /// How long a message is kept from other workers after its worker's last sign of life, in
    /// seconds (sqs, nats)
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(3..=43_200))]
    pub(crate) visibility_timeout: u32,

    /// An event that could not be handled for so long becomes a dead letter, in seconds (webhook, nats)
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(u32).range(60..=1_209_600))]
    pub(crate) maximum_event_age_in_seconds: u32,

    /// Address of /healthz, /readyz and /metrics [default: none]
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics_addr: Option<SocketAddr>,

    /// Memory of the process, in MB: pictures wait for each other within it [default: the machine's,
    /// or the control group's]
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u32).range(128..=16_777_216))]
    pub(crate) memory: Option<u32>,

    /// Pictures at once, where the memory allows [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) concurrency: Option<u32>,

    /// How long pictures under way may take after SIGTERM, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=3_600))]
    pub(crate) drain_timeout: u32,

    /// Put every dead letter back into the inbox first
    #[arg(long, conflicts_with = "dead_letters")]
    pub(crate) redrive: bool,

    /// Print the dead letters of --data-dir, and nothing else
    #[arg(long)]
    pub(crate) dead_letters: bool,

    #[command(flatten)]
    pub(crate) buckets: BucketOptions,
}
