//! What a person can type: the flags of all commands, and the commands.

use clap::{Parser, Subcommand};

use crate::globals::Globals;
use crate::options::{BackfillOptions, DemoOptions, FailuresOptions, KeyOptions, RenderOptions, UpOptions};
use crate::package::PackageOptions;
use crate::template::TemplateOptions;
use crate::worker::WorkerOptions;

/// Serverless image processing: a picture dropped into a source bucket comes
/// out of a processed bucket in every size and format that the recipe asks for.
#[derive(Debug, Parser)]
#[command(name = "minilab", version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) globals: Globals,

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
    Policy(KeyOptions),
    /// Print what to apply to an AWS account: buckets, function, trigger, role, alarms
    Template(Box<TemplateOptions>),
    /// Make the zip that Lambda is given, and check it
    Package(PackageOptions),
    /// List, show and retry pictures that were rejected
    Failures(FailuresOptions),
    /// Make the prints of sources that have none, or older ones
    Backfill(BackfillOptions),
    /// Make prints as events come from a webhook, SQS or NATS: for MinIO, Ceph and other S3 without Lambda
    Worker(Box<WorkerOptions>),
    /// Be the function: what an execution environment of the small cloud runs
    #[command(hide = true)]
    Function,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }

    const OPERATIONS: &str = include_str!("../../../docs/operations.md");
    const WORKER: &str = include_str!("../../../docs/worker.md");

    /// What stands between single backquotes.
    fn spans(page: &'static str) -> impl Iterator<Item = &'static str> {
        let outside = page.split("```").step_by(2);
        outside.flat_map(|text| text.split('`').skip(1).step_by(2))
    }

    #[test]
    fn the_commands_of_the_operations_pages_exist() {
        let pages = [OPERATIONS, WORKER];
        let lines = pages.into_iter().flat_map(|page| page.lines().map(str::trim).chain(spans(page)));
        let mut seen = 0;
        for line in lines.filter(|line| line.starts_with("minilab ")) {
            let line = line.split(" > ").next().unwrap();
            let words = line.split_whitespace().map(|word| word.trim_matches('"'));
            Args::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
            seen += 1;
        }
        assert!(seen > 20, "{seen}");
    }

    #[test]
    fn the_flags_of_the_operations_pages_exist() {
        let pages = include_str!("../../../docs/commands.md");
        // The other projects' own.
        let theirs = ["--s3_prefix", "--s3_suffix"];
        let spans = [OPERATIONS, WORKER].into_iter().flat_map(spans);
        for span in spans.filter(|span| span.starts_with("--")) {
            let flag = span.split_whitespace().next().unwrap();
            assert!(theirs.contains(&flag) || pages.split_whitespace().any(|word| word == flag), "{flag}");
        }
    }

    #[test]
    fn the_recipes_of_the_operations_page_are_valid() {
        let fields = ["key = ", "resize = ", "pixelate = ", "format = ", "background = "];
        let outputs = spans(OPERATIONS).filter(|span| fields.iter().any(|field| span.starts_with(field)));
        let outputs = outputs.map(|span| {
            let key = if span.starts_with("key") { "" } else { "key = \"p/{key}\"\n" };
            format!("[[output]]\n{key}{span}\n")
        });
        let blocks = OPERATIONS
            .split("```toml")
            .skip(1)
            .map(|block| block.split("```").next().unwrap().replace("\n   ", "\n"));
        let mut seen = 0;
        for recipe in outputs.chain(blocks) {
            minilab_imaging::Recipe::parse(&recipe).unwrap_or_else(|problems| panic!("{recipe}\n{problems}"));
            seen += 1;
        }
        assert!(seen > 10, "{seen}");
    }

    #[test]
    fn the_retry_delays_are_a_list_as_it_is_typed() {
        let delays = |words: &[&str]| {
            let args = Args::try_parse_from(["minilab", "up"].iter().chain(words)).unwrap();
            let Command::Up(options) = args.command else { panic!("up is up") };
            options.foreign.retry_delays
        };
        assert_eq!(delays(&[]), [1, 4]);
        assert_eq!(delays(&["--retry-delays", "60,120"]), [60, 120]);
    }

    #[test]
    fn nothing_listens_to_other_machines_unless_told_to() {
        let args = Args::try_parse_from(["minilab", "up"]).unwrap();
        let Command::Up(options) = args.command else { panic!("up is up") };
        assert!(options.s3_addr.ip().is_loopback() && options.console_addr.ip().is_loopback());
        let args = Args::try_parse_from(["minilab", "worker", "--via", "webhook"]).unwrap();
        let Command::Worker(options) = args.command else { panic!("a worker is a worker") };
        assert!(options.listen.ip().is_loopback() && options.metrics_addr.is_none());
    }
}
