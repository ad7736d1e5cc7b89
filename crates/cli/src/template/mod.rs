//! `minilab template`: what a person applies to an account of their own.
//!
//! Owns: which resources there are, from the recipe and the options, and what
//! cannot be deployed. The two languages are its children; both say the same.
//! Refuses: anything that differs from run to run.

#[expect(clippy::format_push_string, clippy::format_collect, reason = "read as text, and written once a run")]
mod cloudformation;
mod dashboard;
mod options;
mod plan;
mod quote;
#[expect(clippy::format_push_string, clippy::format_collect, reason = "read as text, and written once a run")]
mod terraform;

use std::io::Write as _;

use anyhow::{Context as _, bail, ensure};
use minilab_imaging::Recipe;
use minilab_imaging::recipe::Asset;

use crate::arch::Arch;
use crate::config::{self, Config};
use crate::ending::Ending;
use crate::globals::Globals;
use minilab_lambda::policy::Grant;
use plan::{Alarm, Bucket, BucketRole, EVENTS, Measured, Plan, RecipeFrom};

pub(crate) use options::{Format, TemplateOptions, TriggerKind, Versioning};

/// `PutRetentionPolicy` in the CloudWatch Logs API Reference.
const RETENTIONS: [u32; 23] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
    3654,
];

/// Lambda allows 4 KB for all variables together ("Lambda quotas").
const LONGEST_RECIPE: usize = 3584;

/// Batches that a queue has under way at once: Lambda's own bounds
/// (`ScalingConfig` in the Lambda API Reference), and what a new account can run.
const FEWEST_BATCHES: u32 = 2;
const MOST_BATCHES: u32 = 1000;
const USUAL_BATCHES: u32 = 10;

/// IAM's limit for all policies in a role together, without white space ("IAM
/// and AWS STS quotas").
const LONGEST_POLICIES: usize = 10_240;

/// What the policies `log` and `dead-letters` or `events` take of that, with the
/// longest names.
const OTHER_POLICIES: usize = 640;

pub(crate) fn run(globals: &Globals, options: &TemplateOptions) -> anyhow::Result<Ending> {
    let config = config::load(globals)?;
    let plan = plan(&config, options)?;
    let text = match options.format {
        Format::Cloudformation | Format::Sam => cloudformation::render(&plan),
        Format::Terraform => terraform::render(&plan),
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(Ending::Done)
}

fn plan<'a>(config: &'a Config, options: &'a TemplateOptions) -> anyhow::Result<Plan<'a>> {
    let recipe = &config.recipe;
    check(recipe, options)?;
    let shared = recipe.source.bucket == recipe.processed.bucket;
    let keys = options.keys.keys();
    let mut grants = minilab_lambda::policy::grants_with(recipe, &keys);
    if let Some(uri) = &options.recipe_at {
        let grant = minilab_lambda::policy::recipe_grant(recipe, uri).with_context(|| {
            format!("--recipe-at {uri:?} names no object; use one such as s3://settings/minilab.toml")
        })?;
        grants.push(grant);
    }
    fits(&grants)?;
    let mut buckets = Vec::new();
    if !options.existing_source {
        buckets.push(Bucket {
            role: BucketRole::Source,
            name: &recipe.source.bucket,
            key: options.keys.source_kms_key.as_deref(),
            versioned: matches!(options.versioning, Versioning::Source | Versioning::Both),
            expires: options.expire_sources,
        });
    }
    if !shared && !options.existing_processed {
        buckets.push(Bucket {
            role: BucketRole::Processed,
            name: &recipe.processed.bucket,
            key: options.keys.processed_kms_key.as_deref(),
            versioned: matches!(options.versioning, Versioning::Processed | Versioning::Both),
            expires: options.expire_prints,
        });
    }
    Ok(Plan {
        name: &options.name,
        options,
        buckets,
        source: &recipe.source.bucket,
        prefix: &recipe.source.prefix,
        processed: &recipe.processed.bucket,
        grants,
        recipe: match &options.recipe_at {
            Some(uri) => RecipeFrom::Object(uri),
            None => recipe_from(config),
        },
        alarms: alarms(options),
    })
}

/// What would only fail in the account.
fn check(recipe: &Recipe, options: &TemplateOptions) -> anyhow::Result<()> {
    let name = &options.name;
    let named = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
    ensure!(
        (1..=50).contains(&name.len()) && name.chars().all(named),
        "--name {name:?} names no function; use 1 to 50 letters, digits, - and _"
    );
    ensure!(
        RETENTIONS.contains(&options.log_retention),
        "--log-retention {} is no number that CloudWatch has; use one of {}",
        options.log_retention,
        RETENTIONS.map(|days| days.to_string()).join(", ")
    );
    if let Some(most) = options.concurrency
        && options.trigger == TriggerKind::Sqs
    {
        ensure!(
            most >= FEWEST_BATCHES,
            "--concurrency {most} is too few with --trigger sqs: a queue starts at least {FEWEST_BATCHES} invocations at \
             once, and those that are throttled end in the dead letter queue; give {FEWEST_BATCHES} or more, or use \
             --trigger direct"
        );
    }
    if let Some(topic) = &options.alarm_topic {
        ensure!(
            topic.starts_with("arn:aws") && topic.contains(":sns:"),
            "--alarm-topic {topic:?} is no topic; use its ARN, such as arn:aws:sns:eu-central-1:123456789012:ops"
        );
    }
    for (flag, key) in [
        ("--source-kms-key", &options.keys.source_kms_key),
        ("--processed-kms-key", &options.keys.processed_kms_key),
    ] {
        if let Some(key) = key {
            ensure!(
                key.starts_with("arn:aws") && key.contains(":kms:") && key.contains(":key/"),
                "{flag} {key:?} is no key; use its ARN, such as arn:aws:kms:eu-central-1:123456789012:key/… (an alias is none)"
            );
        }
    }
    if recipe.source.bucket == recipe.processed.bucket {
        if options.expire_sources.is_some() || options.expire_prints.is_some() {
            bail!(
                "sources and prints share the bucket {}, and --expire-sources and --expire-prints are for whole buckets; \
                 name two buckets in the recipe, or write the lifecycle rules by hand",
                recipe.source.bucket
            );
        }
        ensure!(
            options.existing_source == options.existing_processed,
            "sources and prints share the bucket {}: give both --existing-source and --existing-processed, or neither",
            recipe.source.bucket
        );
        ensure!(
            options.keys.source_kms_key == options.keys.processed_kms_key,
            "sources and prints share the bucket {}: give the same key as --source-kms-key and --processed-kms-key",
            recipe.source.bucket
        );
    }
    Ok(())
}

/// Whether a role may hold what the recipe needs.
fn fits(grants: &[Grant]) -> anyhow::Result<()> {
    let statements: Vec<_> = grants.iter().cloned().map(Grant::statement).collect();
    let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let characters = policy.chars().filter(|character| !character.is_whitespace()).count();
    let most = LONGEST_POLICIES - OTHER_POLICIES;
    ensure!(
        characters <= most,
        "the role's policy would have {characters} characters, and IAM leaves it {most}; let the outputs' keys begin with \
         fewer prefixes, such as one folder for all (prints/…): `minilab policy` shows what it lists"
    );
    Ok(())
}

fn recipe_from(config: &Config) -> RecipeFrom<'_> {
    if config.recipe.assets().iter().any(|asset| matches!(asset, Asset::File(_))) {
        return RecipeFrom::Package("its watermarks lie beside it");
    }
    if config.text.len() > LONGEST_RECIPE {
        return RecipeFrom::Package("it is too long for the function's environment");
    }
    RecipeFrom::Environment(&config.text)
}

fn alarms(options: &TemplateOptions) -> Vec<Alarm> {
    let mut alarms = vec![
        Alarm {
            title: "Failures",
            slug: "failures",
            what: "Invocations failed: the store, the role or the recipe's buckets. Pictures at fault are no failures.",
            metric: "Errors",
            of: Measured::Function,
            statistic: "Sum",
            threshold: 0,
            periods: 1,
        },
        Alarm {
            title: "Throttles",
            slug: "throttles",
            what: "For a quarter of an hour there were more events than the function may run at once.",
            metric: "Throttles",
            of: Measured::Function,
            statistic: "Sum",
            threshold: 0,
            periods: 3,
        },
        Alarm {
            title: "DeadLetters",
            slug: "dead-letters",
            what: "Events were given up after their retries: their pictures have no prints.",
            metric: "ApproximateNumberOfMessagesVisible",
            of: Measured::DeadLetters,
            statistic: "Maximum",
            threshold: 0,
            periods: 1,
        },
    ];
    alarms.push(match options.trigger {
        TriggerKind::Direct => Alarm {
            title: "Lost",
            slug: "lost",
            what: "An event that was given up could not even be set aside: run minilab backfill.",
            metric: "DestinationDeliveryFailures",
            of: Measured::Function,
            statistic: "Sum",
            threshold: 0,
            periods: 1,
        },
        TriggerKind::Sqs => Alarm {
            title: "Behind",
            slug: "behind",
            what: "The oldest event has waited for more than a quarter of an hour.",
            metric: "ApproximateAgeOfOldestMessage",
            of: Measured::Events,
            statistic: "Maximum",
            threshold: 900,
            periods: 1,
        },
    });
    alarms
}

impl Plan<'_> {
    const fn is_queued(&self) -> bool {
        matches!(self.options.trigger, TriggerKind::Sqs)
    }

    fn arch(&self) -> Arch {
        self.options.arch.unwrap_or(Arch::HERE)
    }

    /// How many batches the queue may have under way. Always said: without it a
    /// queue starts more than the account can run, and what is throttled counts
    /// as received.
    fn most_batches(&self) -> u32 {
        self.options.concurrency.unwrap_or(USUAL_BATCHES).min(MOST_BATCHES)
    }

    /// AWS's advice for a queue before a function: six times its timeout.
    const fn visibility(&self) -> u32 {
        self.options.timeout * 6
    }

    fn is_new(&self, role: BucketRole) -> bool {
        self.buckets.iter().any(|bucket| bucket.role == role)
    }

    /// What an existing source bucket must be told, in the AWS CLI's words.
    /// `target` stands for the ARN of the function or of the queue.
    fn notification(&self, target: &str) -> serde_json::Value {
        let (kind, arn) = if self.is_queued() {
            ("QueueConfigurations", "QueueArn")
        } else {
            ("LambdaFunctionConfigurations", "LambdaFunctionArn")
        };
        let mut rule = serde_json::json!({ "Id": self.name, arn: target, "Events": EVENTS });
        if !self.prefix.is_empty() {
            rule["Filter"] =
                serde_json::json!({ "Key": { "FilterRules": [{ "Name": "prefix", "Value": self.prefix }] } });
        }
        serde_json::json!({ kind: [rule] })
    }
}
