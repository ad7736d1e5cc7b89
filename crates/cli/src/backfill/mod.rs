//! `minilab backfill`: makes what is missing, or was made of another state of
//! its source or by another recipe. Owns the order of the work and its sum; the
//! handler does each key. Writes nothing into the source bucket, and prints
//! trigger nothing (the recipe's loop proof), so it cannot start itself.
//!
//! Memory: one page of a listing, and a bounded number of keys in hand.

mod estimate;
mod event;
mod freshness;
mod invoke;
mod prune;
mod queue;

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail};
use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use minilab_handler::store::StoreError;
use minilab_handler::verdict::Failure;
use minilab_imaging::Recipe;
use minilab_s3_store::{Listed, S3Store};
use serde::Serialize;

use crate::buckets::{self, Done, Workers, patiently};
use crate::config;
use crate::ending::Ending;
use crate::globals::Globals;
use crate::options::{BackfillOptions, Via};
use crate::table::bytes;
use freshness::Freshness;
use invoke::Function;
use queue::Queue;

/// Keys looked up at once for each picture that is made: looking up is waiting.
const LOOKS: usize = 8;

/// Invocations asked for at once.
const SENDS: usize = 8;

/// Which sources are asked for.
#[derive(Debug)]
struct Selection {
    bucket: String,
    prefix: String,
    since: SystemTime,
    start_after: Option<String>,
}

/// Everything that a run did, or that a dry run would do.
#[derive(Debug, Default, Serialize)]
struct Summary {
    dry_run: bool,
    /// Sources seen.
    sources: u64,
    /// Of these, those whose prints are as they should be.
    up_to_date: u64,
    /// Of these, those that were worked on (or would be), and their size.
    due: u64,
    due_bytes: u64,
    printed: u64,
    rejected: u64,
    /// Gone meanwhile, or no pictures of ours.
    skipped: u64,
    failed: u64,
    /// Handed to the queue or to the function.
    sent: u64,
    /// Prints stored.
    written: u64,
    /// Stale prints and reports deleted.
    deleted: u64,
    bytes_in: u64,
    bytes_out: u64,
    /// Objects whose source is gone: deleted, or, in a dry run, found.
    #[serde(skip_serializing_if = "Option::is_none")]
    orphans: Option<u64>,
    /// Objects that may be orphans, or another recipe's: left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    unclear: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimate: Option<estimate::Estimate>,
    seconds: f64,
    /// Stopped by a signal before the last source.
    interrupted: bool,
    /// Every source up to this key was seen to: go on with `--start-after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    resume_after: Option<String>,
}

pub(crate) fn run(globals: &Globals, options: &BackfillOptions) -> anyhow::Result<Ending> {
    let mut recipe = config::load(globals)?.recipe;
    recipe.loop_proof().context("the recipe could trigger itself")?;
    let selection = Selection {
        bucket: recipe.source.bucket.clone(),
        prefix: prefix(&recipe, &options.prefix)?,
        since: options
            .since
            .as_deref()
            .map_or(Ok(SystemTime::UNIX_EPOCH), |text| since(text, SystemTime::now()))?,
        start_after: options.start_after.clone(),
    };
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let summary = runtime.block_on(async {
        let (store, services) = buckets::connect_all(&options.buckets).await?;
        let queue = options.queue_url.as_deref().map(|url| Queue::new(&services, url));
        let function = match options.via {
            Via::Here => None,
            Via::Lambda => Some(Function::new(&services, &options.function)?),
        };
        minilab_s3_store::supply(&mut recipe, &store).await?;
        let (workers, count) = Workers::start(&Arc::new(recipe.clone()), &store, options.concurrency).await;
        let run = Run {
            globals,
            recipe: &recipe,
            digest: recipe.digest(),
            store: &store,
            workers: &workers,
            queue,
            function: function.map(|function| (function, options.batch as usize)),
            at_once: count * LOOKS,
            dry: options.dry_run,
            bar: progress(globals),
            stopped: AtomicBool::new(false),
        };
        tokio::select! {
            summary = run.whole(&selection, options.prune) => summary,
            // The first signal lets the pictures in hand finish; the second does not.
            result = stop_twice(&run.stopped) => Err(result),
        }
    })?;
    report(globals, &summary)?;
    let clean = summary.rejected + summary.failed == 0 && !summary.interrupted;
    Ok(if clean { Ending::Done } else { Ending::SomeRejected })
}

async fn stop_twice(stopped: &AtomicBool) -> anyhow::Error {
    for times in 0..2 {
        if let Err(error) = tokio::signal::ctrl_c().await {
            return error.into();
        }
        stopped.store(true, Ordering::Relaxed);
        if times == 0 {
            let _ = writeln!(
                std::io::stderr(),
                "stopping: the pictures in hand may finish; Ctrl-C again to leave them"
            );
        }
    }
    anyhow::anyhow!("interrupted; run it again: what is done is not done twice")
}

/// What is asked for of what the recipe takes.
fn prefix(recipe: &Recipe, asked: &str) -> anyhow::Result<String> {
    let taken = &recipe.source.prefix;
    if asked.starts_with(taken.as_str()) {
        Ok(asked.to_owned())
    } else if taken.starts_with(asked) {
        Ok(taken.clone())
    } else {
        bail!("--prefix {asked:?} holds no sources: the recipe takes keys that begin with {taken:?}")
    }
}

/// A date, a time, or an age before `now`.
fn since(text: &str, now: SystemTime) -> anyhow::Result<SystemTime> {
    let date = format!("{text}T00:00:00Z");
    let time = humantime::parse_rfc3339_weak(text).or_else(|_| humantime::parse_rfc3339(&date)).ok();
    let age = || humantime::parse_duration(text).ok().and_then(|age| now.checked_sub(age));
    time.or_else(age).with_context(|| {
        format!("--since {text:?} is no time; write it as 2026-01-31, 2026-01-31T08:00:00Z, 7d or 12h")
    })
}

struct Run<'a> {
    globals: &'a Globals,
    recipe: &'a Recipe,
    digest: String,
    store: &'a Arc<S3Store>,
    workers: &'a Workers,
    /// Where keys go instead of the workers.
    queue: Option<Queue>,
    /// Or the function that is invoked with them, and with how many at once.
    function: Option<(Function, usize)>,
    at_once: usize,
    dry: bool,
    bar: ProgressBar,
    stopped: AtomicBool,
}

/// What was found, or done, for one source.
enum Seen {
    UpToDate,
    Due(u64),
    /// For the function.
    Send(Listed),
    Done(u64, Done),
}

impl Run<'_> {
    async fn whole(&self, selection: &Selection, prune: bool) -> anyhow::Result<Summary> {
        let begun = Instant::now();
        let mut summary = Summary { dry_run: self.dry, ..Summary::default() };
        let bar = &self.bar;
        // The bar's length is found while the work goes on: nobody waits for it.
        let count = async {
            if bar.is_hidden() {
                return;
            }
            let mut sources = std::pin::pin!(self.sources(selection));
            while let Some(Ok(_)) = sources.next().await {
                bar.inc_length(1);
            }
        };
        let work = self.sources_once(selection, &mut summary);
        let ((), worked) = futures_util::future::join(count, work).await;
        worked?;
        if prune && !self.is_stopped() {
            bar.set_message("looking for prints without a source");
            self.prune(selection, &mut summary).await?;
        }
        bar.finish_and_clear();
        if self.dry {
            summary.estimate =
                Some(estimate::of(self.recipe, summary.sources, summary.due, summary.due_bytes));
        }
        summary.interrupted = self.is_stopped();
        if !summary.interrupted {
            summary.resume_after = None;
        }
        summary.seconds = begun.elapsed().as_secs_f64();
        Ok(summary)
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    async fn sources_once(&self, selection: &Selection, summary: &mut Summary) -> anyhow::Result<()> {
        let mut last = selection.start_after.clone();
        {
            let taken = self
                .sources(selection)
                .take_while(|_| std::future::ready(!self.is_stopped()))
                // In the order of keys: everything up to the last one is begun, and what is begun is finished.
                .inspect_ok(|source| last = Some(source.key.clone()));
            let mut all = std::pin::pin!(
                taken.map(|source| async move { self.one(source?).await }).buffer_unordered(self.at_once)
            );
            let mut batch = Vec::new();
            let mut sending = FuturesUnordered::new();
            while let Some(seen) = all.next().await {
                match (seen?, &self.function) {
                    (Seen::Send(source), Some((function, most))) => {
                        batch.push(source);
                        if batch.len() >= *most {
                            sending.push(self.invoke(function, std::mem::take(&mut batch)));
                        }
                        if sending.len() >= SENDS
                            && let Some(sent) = sending.next().await
                        {
                            self.sent(summary, sent)?;
                        }
                    }
                    (seen, _) => {
                        self.add(summary, seen)?;
                        self.bar.inc(1);
                    }
                }
            }
            if let (Some((function, _)), false) = (&self.function, batch.is_empty()) {
                sending.push(self.invoke(function, batch));
            }
            while let Some(sent) = sending.next().await {
                self.sent(summary, sent)?;
            }
        }
        summary.resume_after = last;
        Ok(())
    }

    async fn invoke(&self, function: &Function, batch: Vec<Listed>) -> Vec<Seen> {
        let done = function.send(&self.recipe.source.bucket, &batch).await;
        batch.iter().zip(done).map(|(source, done)| Seen::Done(source.size, done)).collect()
    }

    fn sent(&self, summary: &mut Summary, sent: Vec<Seen>) -> anyhow::Result<()> {
        for seen in sent {
            self.add(summary, seen)?;
            self.bar.inc(1);
        }
        Ok(())
    }

    /// The sources that are asked for, in the order of their keys.
    fn sources<'s>(
        &'s self,
        selection: &'s Selection,
    ) -> impl Stream<Item = Result<Listed, StoreError>> + 's {
        let pages = stream::try_unfold(Some(None::<String>), move |from| async move {
            let Some(from) = from else { return Ok(None) };
            let Selection { bucket, prefix, start_after, .. } = selection;
            let page = patiently(|| {
                self.store.list_objects(bucket, prefix, from.as_deref(), start_after.as_deref())
            })
            .await?;
            Ok(Some((stream::iter(page.objects.into_iter().map(Ok)), page.next.map(Some))))
        });
        pages.try_flatten().try_filter(move |source| {
            let folder = source.key.ends_with('/') && source.size == 0;
            std::future::ready(!folder && source.modified >= selection.since)
        })
    }

    async fn one(&self, source: Listed) -> anyhow::Result<Seen> {
        match freshness::of(self.recipe, &self.digest, self.store, &source).await {
            Ok(Freshness::Fresh) => Ok(Seen::UpToDate),
            Ok(Freshness::Due) if self.dry => Ok(Seen::Due(source.size)),
            Ok(Freshness::Due) if self.function.is_some() => Ok(Seen::Send(source)),
            Ok(Freshness::Due) => {
                let done = match &self.queue {
                    Some(queue) => queue.send(&self.recipe.source.bucket, &source).await,
                    None => self.workers.reconcile(&source.key).await,
                };
                Ok(Seen::Done(source.size, done))
            }
            Err(error) => Ok(Seen::Done(source.size, Done::failed(&source.key, &Failure::Store(error)))),
        }
    }

    fn add(&self, summary: &mut Summary, seen: Seen) -> anyhow::Result<()> {
        summary.sources += 1;
        match seen {
            Seen::UpToDate => summary.up_to_date += 1,
            Seen::Due(size) | Seen::Send(Listed { size, .. }) => {
                summary.due += 1;
                summary.due_bytes += size;
            }
            Seen::Done(size, done) => {
                summary.due += 1;
                summary.due_bytes += size;
                self.done(summary, &done)?;
            }
        }
        Ok(())
    }

    fn done(&self, summary: &mut Summary, done: &Done) -> anyhow::Result<()> {
        if done.refused {
            bail!("{}", done.reason.as_deref().unwrap_or("the configuration is refused"));
        }
        match done.status {
            "printed" => summary.printed += 1,
            "rejected" => summary.rejected += 1,
            "failed" => summary.failed += 1,
            "sent" => summary.sent += 1,
            _ => summary.skipped += 1,
        }
        summary.written += u64::from(done.written);
        summary.deleted += u64::from(done.deleted);
        summary.bytes_in += done.bytes_in;
        summary.bytes_out += done.bytes_out;
        if self.globals.json {
            writeln!(std::io::stdout(), "{}", serde_json::to_string(done)?)?;
        } else if done.is_trouble() {
            // Above the bar, not through it.
            self.bar.suspend(|| {
                let _ = writeln!(std::io::stderr(), "{}", done.line());
            });
        }
        Ok(())
    }
}

fn progress(globals: &Globals) -> ProgressBar {
    if globals.json || globals.quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} sources, {per_sec}, {eta} left {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(0).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn report(globals: &Globals, summary: &Summary) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if globals.json {
        writeln!(out, "{}", serde_json::json!({ "summary": summary }))?;
        return Ok(());
    }
    if globals.quiet {
        return Ok(());
    }
    let Summary { sources, up_to_date, due, printed, rejected, skipped, failed, written, deleted, .. } =
        summary;
    if summary.sent > 0 {
        writeln!(out, "{} sources sent to the function, which makes their prints", summary.sent)?;
    }
    if let Some(estimate) = &summary.estimate {
        writeln!(
            out,
            "{sources} sources, {up_to_date} up to date, {due} to make ({})",
            bytes(summary.due_bytes)
        )?;
        write!(out, "{estimate}")?;
    } else {
        writeln!(
            out,
            "{sources} sources, {up_to_date} up to date, {printed} printed, {rejected} rejected, {skipped} skipped, \
             {failed} failed; {written} prints written ({}), {deleted} objects deleted, {:.1} s",
            bytes(summary.bytes_out),
            summary.seconds
        )?;
    }
    if let Some(orphans) = summary.orphans {
        let what = if summary.dry_run { "would be deleted" } else { "deleted" };
        writeln!(out, "{orphans} prints and reports without a source {what}")?;
    }
    if let Some(unclear @ 1..) = summary.unclear {
        writeln!(
            out,
            "{unclear} more were left alone: an earlier version made them, and they do not say which bucket their \
             source is in. `minilab backfill` with each recipe that prints here makes those anew that have a \
             source; what is left then is for you to delete (--log info names it)"
        )?;
    }
    if summary.interrupted {
        writeln!(out, "interrupted; run it again, and it goes on where it stopped")?;
        if let Some(key) = &summary.resume_after {
            writeln!(out, "without looking again at what is done: --start-after {key:?}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_a_moment_or_an_age() {
        let now = humantime::parse_rfc3339("2026-03-10T12:00:00Z").unwrap();
        for (text, expected) in [
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("2026-01-31T08:30:00Z", "2026-01-31T08:30:00Z"),
            ("2026-01-31 08:30:00", "2026-01-31T08:30:00Z"),
            ("7d", "2026-03-03T12:00:00Z"),
            ("12h", "2026-03-10T00:00:00Z"),
        ] {
            assert_eq!(since(text, now).unwrap(), humantime::parse_rfc3339(expected).unwrap(), "{text}");
        }
        for text in ["", "yesterday", "31.1.2026", "7", "-7d", "9999999999999y"] {
            let error = since(text, now).unwrap_err().to_string();
            assert!(error.contains("7d or 12h"), "{error}");
        }
    }

    #[test]
    fn a_prefix_narrows_what_the_recipe_takes_and_never_widens_it() {
        let recipe = Recipe::parse("[source]\nprefix = \"in/\"\n[[output]]\nkey = \"p/{key}\"\n").unwrap();
        for (asked, expected) in [("", "in/"), ("in/", "in/"), ("in/2026", "in/2026"), ("i", "in/")] {
            assert_eq!(prefix(&recipe, asked).unwrap(), expected);
        }
        assert!(prefix(&recipe, "out/").unwrap_err().to_string().contains("\"in/\""));
    }
}
