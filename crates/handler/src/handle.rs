//! One invocation: every record of its event, each key once, and the answer
//! that its sender understands.

use crate::backoff::{Jitter, Patience};
use crate::clock::Clock;
use crate::event::{Delivery, Record};
use crate::logged::{Logged, milliseconds};
use crate::outcome::{Account, Summary};
use crate::renderer::Renderer;
use crate::store::Store;
use crate::verdict::{Failure, Verdict, decide};
use futures_util::{StreamExt, stream};
use minilab_imaging::{Limits, Recipe};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// How a handler works; the recipe says what it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How patient it is with the store within one invocation.
    pub patience: Patience,
    /// How often a source that keeps changing is read before the key is left
    /// to a later invocation, at least 1.
    pub rounds: u32,
    /// How many uploads or deletes of one key run at once, at least 1.
    pub uploads: usize,
    /// How many finished prints wait for their upload.
    pub queue: usize,
    /// How many keys of a batch are worked on at once, at least 1. Each may
    /// take [`Limits::memory`].
    pub keys: usize,
    /// Seed of the pauses' jitter, and of where a batch is begun.
    pub seed: u64,
}

impl Default for Options {
    /// One key at a time; eight uploads hide a store's latency behind the
    /// rendering without filling its queue.
    fn default() -> Self {
        Self { patience: Patience::default(), rounds: 5, uploads: 8, queue: 2, keys: 1, seed: 0 }
    }
}

/// The handler: a recipe, a store, a renderer and a clock.
#[derive(Debug)]
pub struct Handler<S, R, C> {
    pub(crate) store: S,
    pub(crate) renderer: R,
    pub(crate) clock: C,
    pub(crate) recipe: Arc<Recipe>,
    pub(crate) digest: String,
    pub(crate) limits: Limits,
    pub(crate) options: Options,
    pub(crate) jitter: Jitter,
}

/// Who must act on a failed invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Nobody yet: the platform tries the event again.
    Retry,
    /// Whoever configured the function.
    Configuration,
    /// Whoever wired the trigger.
    UnknownEvent,
}

impl ErrorKind {
    /// A stable name for alarms and for the platform's error type.
    pub const fn error_type(self) -> &'static str {
        match self {
            Self::Retry => "Minilab.Retry",
            Self::Configuration => "Minilab.Configuration",
            Self::UnknownEvent => "Minilab.UnknownEvent",
        }
    }
}

/// A failed invocation: every record was tried, some must come again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct HandlerError {
    /// Who must act.
    pub kind: ErrorKind,
    /// Every key that failed, with its reason.
    pub message: String,
}

/// Failures named in one error message; the log has all of them.
const NAMED: usize = 10;

impl<S: Store, R: Renderer, C: Clock> Handler<S, R, C> {
    /// A handler. `limits` are what this machine allows, at most the recipe's.
    pub fn new(
        recipe: Arc<Recipe>,
        limits: Limits,
        store: S,
        renderer: R,
        clock: C,
        options: Options,
    ) -> Self {
        let digest = recipe.digest();
        let options = Options {
            rounds: options.rounds.max(1),
            uploads: options.uploads.max(1),
            keys: options.keys.max(1),
            ..options
        };
        Self { store, renderer, clock, recipe, digest, limits, options, jitter: Jitter::new(options.seed) }
    }

    /// The clock, on whose scale deadlines are.
    pub const fn clock(&self) -> &C {
        &self.clock
    }

    /// The store.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// Handles an invocation's `payload`. `deadline` is on the clock's scale.
    ///
    /// The answer is `{"batchItemFailures": […]}` for SQS, else a [`Summary`].
    ///
    /// # Errors
    /// When nothing in the payload is understood; for senders other than SQS
    /// also when any record must come again, after all of them were tried.
    pub async fn handle(&self, payload: &Value, deadline: Duration) -> Result<Value, HandlerError> {
        self.handle_and_tell(payload, deadline, |_| {}).await
    }

    /// [`Handler::handle`], with an account of each key to `tell` as soon as it
    /// is done with: for whoever counts.
    ///
    /// # Errors
    /// As [`Handler::handle`].
    pub async fn handle_and_tell(
        &self,
        payload: &Value,
        deadline: Duration,
        mut tell: impl FnMut(Account) + Send,
    ) -> Result<Value, HandlerError> {
        let delivery = Delivery::parse(payload).map_err(|error| {
            let failure = Failure::Event(error);
            tracing::error!(reason = %failure, "the event is not understood");
            HandlerError { kind: kind(std::iter::once(&failure)), message: failure.to_string() }
        })?;
        let mut summary = Summary::default();
        let mut failures: Vec<(String, Failure)> = Vec::new();
        let mut failed_messages = BTreeSet::new();
        // Each key once, with the messages that named it.
        let mut keys: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for (at, message) in delivery.messages.iter().enumerate() {
            for record in &message.records {
                match record {
                    Record::Hint(hint) if self.recipe.is_source(&hint.bucket, &hint.key) => {
                        keys.entry(&hint.key).or_default().insert(at);
                    }
                    Record::Hint(hint) => {
                        tracing::debug!(
                            bucket = hint.bucket,
                            key = hint.key,
                            "not a source of this recipe: ignored"
                        );
                        summary.ignored += 1;
                    }
                    Record::Nothing(name) => {
                        tracing::debug!(event = name, "an event that changes no bytes: acknowledged");
                        summary.ignored += 1;
                    }
                    Record::Unreadable(error) => {
                        let failure = Failure::Event(error.clone());
                        tracing::error!(reason = %failure, message = message.id, "a record is not understood");
                        failures.push(("a record".to_owned(), failure));
                        failed_messages.insert(at);
                    }
                }
            }
        }

        // A batch that outlasts its invocation comes again whole, and begun at
        // the same key it would never come to its end.
        let first = if keys.len() > 1 { self.jitter.below(keys.len()) } else { 0 };
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.rotate_left(first);

        let mut outcomes = stream::iter(keys)
            .map(|(key, messages)| async move { (messages, self.attempt(key, deadline).await) })
            .buffer_unordered(self.options.keys);
        while let Some((messages, (account, failure))) = outcomes.next().await {
            let Account { bucket, key, outcome, elapsed } = &account;
            match failure {
                None => {
                    Logged::of(&account).for_each(|line| line.write());
                    summary.add(outcome);
                }
                Some(failure) => {
                    let ms = milliseconds(*elapsed);
                    tracing::error!(bucket, key, verdict = account.verdict(), ms, reason = %failure, "not finished");
                    failures.push((format!("s3://{bucket}/{key}"), failure));
                    failed_messages.extend(messages);
                }
            }
            tell(account);
        }
        summary.failed = failures.len() as u32;
        tracing::info!(
            printed = summary.printed,
            absent = summary.absent,
            rejected = summary.rejected,
            ignored = summary.ignored,
            failed = summary.failed,
            written = summary.written,
            deleted = summary.deleted,
            bytes_in = summary.bytes_in,
            bytes_out = summary.bytes_out,
            "invocation done"
        );

        if delivery.answers_by_item {
            let items: Vec<Value> = failed_messages
                .into_iter()
                .filter_map(|at| delivery.messages[at].id.as_deref())
                .map(|id| json!({ "itemIdentifier": id }))
                .collect();
            return Ok(json!({ "batchItemFailures": items }));
        }
        if failures.is_empty() { Ok(json!(summary)) } else { Err(error(&failures)) }
    }
}

fn kind<'a>(failures: impl Iterator<Item = &'a Failure>) -> ErrorKind {
    let mut kind = ErrorKind::UnknownEvent;
    for failure in failures {
        match (decide(failure), failure) {
            (Verdict::Retry { .. }, _) => return ErrorKind::Retry,
            (_, Failure::Event(_)) => {}
            (Verdict::Refuse { .. } | Verdict::Reject { .. }, _) => kind = ErrorKind::Configuration,
        }
    }
    kind
}

fn error(failures: &[(String, Failure)]) -> HandlerError {
    let mut message = String::new();
    for (at, (what, failure)) in failures.iter().take(NAMED).enumerate() {
        let separator = if at == 0 { "" } else { " | " };
        let _ = write!(message, "{separator}{what}: {failure}");
    }
    if failures.len() > NAMED {
        let _ = write!(message, " | and {} more, see the log", failures.len() - NAMED);
    }
    HandlerError { kind: kind(failures.iter().map(|(_, failure)| failure)), message }
}
