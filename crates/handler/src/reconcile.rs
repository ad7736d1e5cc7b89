//! One key, reconciled: the processed bucket is made to agree with the source
//! as it is now, whatever the event said. Owns the protocol (read, make,
//! look again); refuses to decide what a failure means.

use crate::arrival::Arrival;
use crate::backoff::patiently;
use crate::clock::Clock;
use crate::logged::{Logged, Stored, milliseconds};
use crate::outcome::{Account, Outcome, State, Unfinished};
use crate::renderer::{Job, Renderer};
use crate::report::Report;
use crate::store::{Body, Cause, Head, Object, Opened, Put, Store, StoreError};
use crate::verdict::{Failure, Verdict, decide};
use crate::{Handler, tag};
use bytes::Bytes;
use futures_channel::mpsc;
use futures_util::{StreamExt, TryStreamExt, future, stream};
use minilab_imaging::recipe::{Footprint, report_key};
use minilab_imaging::{Error, Limit, Rendition};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tracing::field::Empty;
use tracing::{Instrument as _, info_span};

/// What the source looked like: if this is the same before and after, the
/// prints belong to it.
#[derive(PartialEq, Eq)]
struct Sight(Option<(String, bool)>);

impl Sight {
    fn of(head: Option<&Head>) -> Self {
        Self(head.map(|head| (head.etag.clone(), tag::is_ours(head))))
    }
}

/// Reconciling one key of one invocation.
struct Run<'a, S, R, C> {
    handler: &'a Handler<S, R, C>,
    key: &'a str,
    /// The key as metadata.
    tag: String,
    report_key: String,
    deadline: Duration,
    outcome: Outcome,
    /// A write of this run may still happen: it got no answer, or was given up
    /// in flight. It could undo what a later run has done by then.
    in_doubt: AtomicBool,
    /// Operations of the store that were tried again.
    retries: AtomicU32,
    /// Uploads run at once, and count here.
    made: Mutex<Made>,
}

/// Prints stored, over all rounds, those of a round that failed included.
#[derive(Default)]
struct Made {
    written: u32,
    bytes_out: u64,
    formats: BTreeMap<&'static str, u32>,
}

impl<S: Store, R: Renderer, C: Clock> Handler<S, R, C> {
    /// Makes the processed bucket agree with `key` of the source bucket, as it
    /// is now. `deadline` is on the clock's scale; no pause passes it and no
    /// round starts after it.
    ///
    /// # Errors
    /// A failure whose verdict is *retry* or *refuse*; also when everything was
    /// done, but a write got no answer and may happen again later. A rejected picture is
    /// not an error: it is [`State::Rejected`].
    pub async fn reconcile(&self, key: &str, deadline: Duration) -> Result<Outcome, Failure> {
        match self.attempt(key, deadline).await {
            (account, None) => Ok(account.outcome),
            (_, Some(failure)) => Err(failure),
        }
    }

    /// [`Handler::reconcile`] with an account of what was done, whatever came of
    /// it: for whoever counts. The span `reconcile` and, below it, one for each
    /// stage say the same to whoever traces.
    pub async fn attempt(&self, key: &str, deadline: Duration) -> (Account, Option<Failure>) {
        let bucket = self.recipe.source.bucket.as_str();
        let span = info_span!(
            "reconcile",
            bucket,
            key,
            verdict = Empty,
            code = Empty,
            rounds = Empty,
            written = Empty,
            deleted = Empty,
            bytes_in = Empty,
            bytes_out = Empty,
            retries = Empty,
            otel.status_code = Empty
        );
        let started = self.clock.now();
        let mut run = Run {
            handler: self,
            key,
            tag: tag::source(key),
            report_key: report_key(key),
            deadline,
            outcome: Outcome::default(),
            in_doubt: AtomicBool::new(false),
            retries: AtomicU32::new(0),
            made: Mutex::default(),
        };
        let failure = run.until_settled().instrument(span.clone()).await.err();
        let outcome = run.counted(failure.as_ref());
        let elapsed = self.clock.now().saturating_sub(started);
        let account = Account { bucket: bucket.to_owned(), key: key.to_owned(), outcome, elapsed };
        let Outcome { rounds, written, deleted, bytes_in, bytes_out, retries, .. } = &account.outcome;
        span.record("verdict", account.verdict());
        span.record("code", account.code());
        // Signed, as the integers of traces are.
        span.record("rounds", i64::from(*rounds));
        span.record("written", i64::from(*written));
        span.record("deleted", i64::from(*deleted));
        span.record("bytes_in", *bytes_in as i64);
        span.record("bytes_out", *bytes_out as i64);
        span.record("retries", i64::from(*retries));
        span.record("otel.status_code", failure.is_some().then_some("ERROR"));
        (account, failure)
    }
}

impl<S: Store, R: Renderer, C: Clock> Run<'_, S, R, C> {
    async fn until_settled(&mut self) -> Result<(), Failure> {
        let Handler { recipe, options, clock, .. } = self.handler;
        let source = recipe.source.bucket.as_str();
        while self.outcome.rounds < options.rounds {
            if clock.now() >= self.deadline {
                return Err(Failure::Deadline { bucket: source.to_owned(), key: self.key.to_owned() });
            }
            self.outcome.rounds += 1;
            let started = clock.now();
            let max = self.handler.limits.input_bytes;
            let open = self.patiently(|store| store.open(source, self.key, max));
            let opened = open.instrument(info_span!("get")).await?;
            self.outcome.timings.get += clock.now().saturating_sub(started);
            let mut before = Sight::of(opened.as_ref().map(Opened::head));
            let mut state = self.apply(opened).await?;
            if state.is_none() {
                // Its bytes broke off on their way: once more, all at once and with patience.
                self.retries.fetch_add(1, Ordering::Relaxed);
                let started = clock.now();
                let get = self.patiently(|store| store.get(source, self.key, max));
                let object = get.instrument(info_span!("get")).await?;
                self.outcome.timings.get += clock.now().saturating_sub(started);
                before = Sight::of(object.as_ref().map(Object::head));
                state = self.apply(object.map(Opened::There)).await?;
            }
            self.outcome.state = state.ok_or_else(|| Failure::RendererLost { key: self.key.to_owned() })?;

            let started = clock.now();
            let head = self.patiently(|store| store.head(source, self.key));
            let head = head.instrument(info_span!("head")).await?;
            self.outcome.timings.settle += clock.now().saturating_sub(started);
            if Sight::of(head.as_ref()) == before {
                return if self.in_doubt.load(Ordering::Relaxed) {
                    Err(Failure::Unanswered { bucket: source.to_owned(), key: self.key.to_owned() })
                } else {
                    Ok(())
                };
            }
            tracing::debug!(key = self.key, round = self.outcome.rounds, "the source changed meanwhile");
        }
        Err(Failure::Unsettled {
            bucket: source.to_owned(),
            key: self.key.to_owned(),
            rounds: self.outcome.rounds,
        })
    }

    /// What was done, of which `failure` came, if anything.
    fn counted(self, failure: Option<&Failure>) -> Outcome {
        let Made { written, bytes_out, formats } =
            self.made.into_inner().unwrap_or_else(PoisonError::into_inner);
        let retries = self.retries.into_inner();
        let in_doubt = self.in_doubt.into_inner();
        let mut outcome = Outcome { written, bytes_out, formats, retries, in_doubt, ..self.outcome };
        if let Some(failure) = failure {
            let verdict = match decide(failure) {
                // A rejected picture is an outcome, and never comes here.
                Verdict::Retry { .. } | Verdict::Reject { .. } => Unfinished::Retry,
                Verdict::Refuse { .. } => Unfinished::Refuse,
            };
            outcome.state = State::Unfinished { verdict, reason: failure.to_string() };
        }
        outcome
    }

    /// Makes the processed bucket agree with one state of the source; `None` where
    /// its bytes broke off on their way, so that nothing was done.
    async fn apply(&mut self, opened: Option<Opened>) -> Result<Option<State>, Failure> {
        let Some(opened) = opened else { return self.nothing(State::Absent).await.map(Some) };
        if tag::is_ours(opened.head()) {
            tracing::warn!(
                bucket = self.handler.recipe.source.bucket,
                key = self.key,
                "an object that minilab made lies among the sources; it is left alone"
            );
            return self.nothing(State::Ignored { reason: "made by minilab" }).await.map(Some);
        }
        if self.key.ends_with('/') && opened.head().size == 0 {
            return self.nothing(State::Ignored { reason: "folder marker" }).await.map(Some);
        }
        let (head, printed) = match opened {
            Opened::There(Object::Whole { head, bytes }) => {
                self.outcome.bytes_in += head.size;
                let printed = self.print(&head, Picture::There(bytes)).await;
                (head, printed)
            }
            Opened::Coming { head, body } => {
                let printed = self.print(&head, Picture::Coming(body)).await;
                if matches!(printed, Ok(false)) {
                    return Ok(None);
                }
                self.outcome.bytes_in += head.size;
                (head, printed)
            }
            Opened::There(Object::Oversize { head }) => {
                let oversize = Error::OverLimit {
                    which: Limit::InputBytes,
                    what: "the object",
                    value: format!("{} bytes", head.size),
                    limit: format!("{} bytes", self.handler.limits.input_bytes),
                };
                (head, Err(Failure::Picture(oversize)))
            }
        };
        let state = match printed {
            Ok(_) => State::Printed,
            Err(failure) => match decide(&failure) {
                Verdict::Reject { code, reason } => self.reject(&head, code, reason).await?,
                Verdict::Retry { .. } | Verdict::Refuse { .. } => return Err(failure),
            },
        };
        Ok(Some(state))
    }

    /// No source: no prints, no report.
    async fn nothing(&mut self, state: State) -> Result<State, Failure> {
        let started = self.handler.clock.now();
        let tidy = async {
            self.remove_prints(&BTreeSet::new()).await?;
            let report = self.find_report().await?;
            self.remove_report(report).await
        };
        tidy.instrument(info_span!("tidy")).await?;
        self.outcome.timings.tidy += self.handler.clock.now().saturating_sub(started);
        Ok(state)
    }

    /// A source without prints: a report.
    async fn reject(&mut self, head: &Head, code: &'static str, reason: String) -> Result<State, Failure> {
        let handler = self.handler;
        let started = handler.clock.now();
        self.remove_prints(&BTreeSet::new()).instrument(info_span!("tidy")).await?;
        let bucket = &handler.recipe.source.bucket;
        let report = Report {
            code,
            reason: &reason,
            ..Report::new(bucket, self.key, head, &handler.digest, handler.clock.wall())
        };
        let put = Put {
            bytes: report.to_bytes(),
            content_type: "application/json",
            cache_control: "no-cache".to_owned(),
            metadata: tag::metadata(bucket, self.key, &head.etag, &handler.digest),
        };
        let processed = handler.recipe.processed.bucket.as_str();
        let report = self.write(|store| store.put(processed, &self.report_key, put.clone()));
        report.instrument(info_span!("report")).await?;
        self.outcome.timings.tidy += handler.clock.now().saturating_sub(started);
        Ok(State::Rejected { code, reason })
    }

    /// Makes and stores every print, then removes what an earlier state of the
    /// source or of this round has left. `false` where the bytes broke off.
    async fn print(&mut self, head: &Head, picture: Picture) -> Result<bool, Failure> {
        let handler = self.handler;
        let started = handler.clock.now();
        let (sender, receiver) = mpsc::channel(handler.options.queue);
        let (picture, coming, brought) = match picture {
            Picture::There(bytes) => (bytes, None, None),
            Picture::Coming(body) => {
                let (arrival, bringer) = Arrival::new(head.size);
                (Bytes::new(), Some(arrival), Some((body, bringer)))
            }
        };
        let job = Job {
            picture,
            source_key: self.key.to_owned(),
            recipe: handler.recipe.clone(),
            limits: handler.limits,
        };
        let this = &*self;
        let render = async move {
            let rendered = async {
                match coming {
                    None => handler.renderer.render(job, sender).await.map(Some),
                    Some(coming) => handler.renderer.render_coming(coming, job, sender).await,
                }
            };
            (rendered.instrument(info_span!("render")).await, handler.clock.now())
        };
        let receive = async move {
            if let Some((mut body, bringer)) = brought {
                while let Some(bytes) = body.next().await {
                    // On an error the bringer is dropped, and the renderer told.
                    bringer.bring(&bytes?);
                }
                bringer.finish();
            }
            Ok::<_, StoreError>(handler.clock.now())
        };
        // Moved into the block so that the channel closes with the first
        // failed upload and the renderer is not kept waiting.
        let uploads = async move {
            receiver
                .map(|rendition| this.upload(head, rendition, started))
                .buffer_unordered(handler.options.uploads)
                .try_collect::<Vec<_>>()
                .await
        };
        // The report is looked up meanwhile, and removed before the source is
        // looked at again: later, it could be the report of a newer state.
        let ((rendered, rendered_at), uploaded, report, received) =
            future::join4(render, uploads, self.find_report(), receive).await;
        // Until the bytes were there; what was done meanwhile took no time of its own.
        let there = received.as_ref().map_or_else(|_| handler.clock.now(), |at| *at);
        self.outcome.timings.get += there.saturating_sub(started);
        self.outcome.timings.render += rendered_at.saturating_sub(there);
        self.outcome.timings.render_and_put += handler.clock.now().saturating_sub(there);
        if uploaded.is_err() {
            // The other uploads were dropped in flight.
            self.in_doubt.store(true, Ordering::Relaxed);
        }
        if let Err(error) = received {
            tracing::debug!(key = self.key, %error, "the picture broke off on its way");
            return Ok(false);
        }
        // The renderer's word comes first: it is final, an upload's is not.
        let Some(expected) = rendered? else { return Ok(false) };
        let uploaded = uploaded?;
        let report = report?;
        let outputs: BTreeSet<usize> = uploaded.iter().map(|print| print.output).collect();
        if outputs.len() != expected {
            let detail = format!("{} of {expected} prints were made", outputs.len());
            return Err(Failure::Picture(Error::Codec { format: "picture", detail }));
        }

        let started = handler.clock.now();
        let made = uploaded.into_iter().map(|print| print.key).collect();
        let tidy = async {
            self.remove_prints(&made).await?;
            self.remove_report(report).await
        };
        tidy.instrument(info_span!("tidy")).await?;
        self.outcome.timings.tidy += handler.clock.now().saturating_sub(started);
        Ok(true)
    }

    async fn upload(
        &self,
        source: &Head,
        rendition: Rendition,
        started: Duration,
    ) -> Result<Uploaded, Failure> {
        let handler = self.handler;
        let Rendition { output, key, format, width, height, frames, bytes } = rendition;
        let size = bytes.len() as u64;
        let cache_control = handler
            .recipe
            .outputs
            .get(output)
            .map_or_else(String::new, |output| output.cache_control.clone());
        let put = Put {
            bytes: Bytes::from(bytes),
            content_type: format.content_type(),
            cache_control,
            metadata: tag::metadata(&handler.recipe.source.bucket, self.key, &source.etag, &handler.digest),
        };
        let processed = handler.recipe.processed.bucket.as_str();
        let span = info_span!("put", print = key, bytes = size as i64);
        self.write(|store| store.put(processed, &key, put.clone())).instrument(span).await?;
        {
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            made.written += 1;
            made.bytes_out += size;
            *made.formats.entry(format.name()).or_default() += 1;
        }
        let ms = milliseconds(handler.clock.now().saturating_sub(started));
        let (source, print) = (self.key.to_owned(), key.clone());
        Logged::Stored(Stored { key: source, print, width, height, frames, bytes: size, ms }).write();
        Ok(Uploaded { output, key })
    }

    /// Deletes every print that this key leads to, `made` excepted. A print
    /// that names another source, or none, is not ours to delete.
    async fn remove_prints(&mut self, made: &BTreeSet<String>) -> Result<(), Failure> {
        let handler = self.handler;
        let mut candidates = BTreeSet::new();
        for output in handler.recipe.outputs_of_key(self.key) {
            match output.footprint(self.key) {
                Footprint::Exact(key) if !made.contains(&key) => {
                    candidates.insert(key);
                }
                listed @ Footprint::Listed { .. } => {
                    self.list_covered(&listed, made, &mut candidates).await?;
                }
                Footprint::Exact(_) | Footprint::Nothing(_) => {}
            }
        }
        let this = &*self;
        let deleted = stream::iter(candidates)
            .map(|key| async move { this.remove_if_ours(&key).await.map(u32::from) })
            .buffer_unordered(handler.options.uploads)
            .try_fold(0, |sum, one| future::ready(Ok(sum + one)))
            .await?;
        self.outcome.deleted += deleted;
        Ok(())
    }

    async fn list_covered(
        &self,
        footprint: &Footprint,
        made: &BTreeSet<String>,
        candidates: &mut BTreeSet<String>,
    ) -> Result<(), Failure> {
        let Footprint::Listed { prefix, .. } = footprint else { return Ok(()) };
        let processed = self.handler.recipe.processed.bucket.as_str();
        let mut from: Option<String> = None;
        loop {
            let page = self.patiently(|store| store.list(processed, prefix, from.as_deref())).await?;
            candidates
                .extend(page.keys.into_iter().filter(|key| footprint.covers(key) && !made.contains(key)));
            match page.next {
                None => return Ok(()),
                next => from = next,
            }
        }
    }

    /// Whether there was something of ours to delete.
    async fn remove_if_ours(&self, key: &str) -> Result<bool, Failure> {
        let processed = self.handler.recipe.processed.bucket.as_str();
        let head = self.patiently(|store| store.head(processed, key)).await?;
        if !head.is_some_and(|head| self.has_made(&head)) {
            return Ok(false);
        }
        self.write(|store| store.delete(processed, key)).await?;
        Ok(true)
    }

    /// Whether there is a report of this key. Looked up rather than deleted
    /// blindly: in a versioned bucket every delete leaves a marker.
    async fn find_report(&self) -> Result<bool, Failure> {
        let processed = self.handler.recipe.processed.bucket.as_str();
        let head = self.patiently(|store| store.head(processed, &self.report_key)).await?;
        Ok(head.is_some_and(|head| self.has_made(&head)))
    }

    /// Whether it was made of this source, now or earlier.
    fn has_made(&self, head: &Head) -> bool {
        tag::is_made_of(head, &self.handler.recipe.source.bucket, &self.tag)
    }

    async fn remove_report(&mut self, found: bool) -> Result<(), Failure> {
        if found {
            let processed = self.handler.recipe.processed.bucket.as_str();
            self.write(|store| store.delete(processed, &self.report_key)).await?;
            self.outcome.deleted += 1;
        }
        Ok(())
    }

    /// Changes the processed bucket, and remembers when there was no answer.
    async fn write<'s, F>(&'s self, mut operation: impl FnMut(&'s S) -> F) -> Result<(), Failure>
    where
        F: Future<Output = Result<(), StoreError>>,
    {
        self.patiently(|store| {
            let written = operation(store);
            async move {
                let written = written.await;
                if written.as_ref().is_err_and(|error| error.cause == Cause::TimedOut) {
                    self.in_doubt.store(true, Ordering::Relaxed);
                }
                written
            }
        })
        .await
    }

    async fn patiently<'s, T, F>(&'s self, mut operation: impl FnMut(&'s S) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let Handler { store, clock, jitter, options, .. } = self.handler;
        patiently(clock, jitter, options.patience, self.deadline, &self.retries, || operation(store)).await
    }
}

/// The bytes of a source.
enum Picture {
    There(Bytes),
    Coming(Body),
}

struct Uploaded {
    output: usize,
    key: String,
}
