//! `minilab failures`: the reports below `failures/` in the processed bucket,
//! and their sources looked at again. Owns what is printed of them; the handler
//! writes and removes them.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::{StreamExt as _, stream};
use minilab_handler::Store as _;
use minilab_handler::store::Object;
use minilab_imaging::Recipe;
use minilab_imaging::recipe::{REPORT_PREFIX, report_key};
use minilab_s3_store::S3Store;
use serde_json::Value;

use crate::buckets::{self, Done, Workers, patiently};
use crate::config;
use crate::ending::Ending;
use crate::globals::Globals;
use crate::options::{FailuresCommand, FailuresOptions};

/// A report is far smaller; what is larger is none.
const LARGEST: u64 = 1 << 20;

/// Reports read at once.
const AT_ONCE: usize = 8;

pub(crate) fn run(globals: &Globals, options: &FailuresOptions) -> anyhow::Result<Ending> {
    let recipe = config::load(globals)?.recipe;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        match &options.command {
            FailuresCommand::List { prefix, buckets } => {
                let store = buckets::connect(buckets).await?;
                list(globals, &recipe, &store, prefix).await
            }
            FailuresCommand::Show { key, buckets } => {
                let store = buckets::connect(buckets).await?;
                show(globals, &recipe, &store, key).await
            }
            FailuresCommand::Retry { keys, all, buckets } => {
                let store = buckets::connect(buckets).await?;
                retry(globals, recipe, &store, keys, *all).await
            }
        }
    })
}

/// A report, or what lies in its place.
struct Found {
    /// Where it lies.
    at: String,
    report: Option<Value>,
}

impl Found {
    fn text(&self, field: &str) -> Option<&str> {
        self.report.as_ref()?[field].as_str()
    }
}

async fn read(store: &S3Store, bucket: &str, at: String) -> anyhow::Result<Option<Found>> {
    Ok(match patiently(|| store.get(bucket, &at, LARGEST)).await? {
        None => None,
        Some(Object::Oversize { .. }) => Some(Found { at, report: None }),
        Some(Object::Whole { bytes, .. }) => {
            let report =
                serde_json::from_slice(&bytes).ok().filter(|report: &Value| report["key"].is_string());
            Some(Found { at, report })
        }
    })
}

/// Hands every report to `take`, a page of them in memory at most.
async fn each(
    recipe: &Recipe,
    store: &S3Store,
    prefix: &str,
    mut take: impl AsyncFnMut(Vec<Found>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let bucket = recipe.processed.bucket.as_str();
    let prefix = format!("{REPORT_PREFIX}{prefix}");
    let mut from: Option<String> = None;
    loop {
        let page = patiently(|| store.list(bucket, &prefix, from.as_deref())).await?;
        let mut reports = stream::iter(page.keys).map(|at| read(store, bucket, at)).buffered(AT_ONCE);
        let mut found = Vec::new();
        while let Some(report) = reports.next().await {
            found.extend(report?);
        }
        take(found).await?;
        match page.next {
            None => return Ok(()),
            next => from = next,
        }
    }
}

async fn list(globals: &Globals, recipe: &Recipe, store: &S3Store, prefix: &str) -> anyhow::Result<Ending> {
    let mut count = 0;
    each(recipe, store, prefix, async |found| {
        let mut out = std::io::stdout().lock();
        for found in found {
            let Some(report) = &found.report else {
                tracing::warn!("s3://{}/{} is no failure report", recipe.processed.bucket, found.at);
                continue;
            };
            count += 1;
            if globals.json {
                writeln!(out, "{report}")?;
            } else if !globals.quiet {
                let [time, code, key, reason] =
                    ["time", "code", "key", "reason"].map(|field| found.text(field).unwrap_or("?"));
                writeln!(out, "{time}  {code}  {key}: {reason}")?;
            }
        }
        Ok(())
    })
    .await?;
    if !globals.json && !globals.quiet {
        writeln!(std::io::stdout(), "{count} report{}", if count == 1 { "" } else { "s" })?;
    }
    Ok(Ending::Done)
}

async fn show(globals: &Globals, recipe: &Recipe, store: &S3Store, key: &str) -> anyhow::Result<Ending> {
    let bucket = &recipe.processed.bucket;
    let at = report_key(key);
    match read(store, bucket, at).await? {
        Some(Found { report: Some(report), .. }) => {
            let mut out = std::io::stdout().lock();
            if globals.json {
                writeln!(out, "{report}")?;
            } else {
                writeln!(out, "{report:#}")?;
            }
            Ok(Ending::Done)
        }
        Some(found) => {
            anyhow::bail!("s3://{bucket}/{} is no failure report", found.at)
        }
        None => {
            let _ = writeln!(
                std::io::stderr(),
                "no report: {key}: s3://{bucket}/{} does not exist; the source was not rejected, or has prints by now",
                report_key(key)
            );
            Ok(Ending::SomeRejected)
        }
    }
}

async fn retry(
    globals: &Globals,
    mut recipe: Recipe,
    store: &Arc<S3Store>,
    keys: &[String],
    all: bool,
) -> anyhow::Result<Ending> {
    minilab_s3_store::supply(&mut recipe, store).await?;
    let recipe = Arc::new(recipe);
    let (workers, at_once) = Workers::start(&recipe, store, None).await;
    let mut trouble = false;
    if all {
        each(&recipe, store, "", async |found| {
            let keys = found.iter().filter_map(|found| {
                let bucket = found.text("bucket");
                // Another recipe may share the processed bucket.
                (bucket == Some(recipe.source.bucket.as_str()))
                    .then(|| found.text("key").map(str::to_owned))?
            });
            trouble |= retry_each(globals, &recipe, &workers, at_once, keys.collect()).await?;
            Ok(())
        })
        .await?;
    } else {
        trouble = retry_each(globals, &recipe, &workers, at_once, keys.to_vec()).await?;
    }
    Ok(if trouble { Ending::SomeRejected } else { Ending::Done })
}

/// Whether a key was rejected again, or could not be finished.
async fn retry_each(
    globals: &Globals,
    recipe: &Recipe,
    workers: &Workers,
    at_once: usize,
    keys: Vec<String>,
) -> anyhow::Result<bool> {
    let mut trouble = false;
    let mut all = stream::iter(keys)
        .map(|key| async move {
            let source = &recipe.source;
            if recipe.is_source(&source.bucket, &key) {
                return workers.reconcile(&key).await;
            }
            let reason =
                format!("not a source of this recipe, which takes s3://{}/{}*", source.bucket, source.prefix);
            Done::not_done(&key, reason)
        })
        .buffered(at_once);
    while let Some(done) = all.next().await {
        trouble |= done.is_trouble();
        if globals.json {
            writeln!(std::io::stdout(), "{}", serde_json::to_string(&done)?)?;
        } else if done.is_trouble() {
            let _ = writeln!(std::io::stderr(), "{}", done.line());
        } else if !globals.quiet {
            writeln!(std::io::stdout(), "{}", done.line())?;
        }
    }
    Ok(trouble)
}
