//! Warm environments: at most `concurrency`, reused while they are well,
//! replaced when they are not.
//!
//! Owns: who may run, and which environment runs it. Refuses: an environment
//! that ended, hung or is so old that its credentials will run out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::environment::{Attempt, Environment, announce_start, until_true};
use super::outcome::recorded;
use super::plan::Plan;
use super::variables::log_stream;
use super::{Failure, FunctionSpec, Identity, InvocationRecord, Outcome};
use crate::activity::{Activity, Feed, subjects};
use crate::iam::Authority;
use crate::lineage::Running;

/// Session credentials are good for this long, and environments for half.
const SESSION: Duration = Duration::from_hours(12);

/// The environments of one function.
pub struct Pool {
    spec: FunctionSpec,
    identity: Identity,
    authority: Arc<Authority>,
    running: Arc<Running>,
    s3_endpoint: Option<String>,
    feed: Feed,
    slots: Arc<Semaphore>,
    idle: Mutex<Vec<Warm>>,
    variables: Mutex<Variables>,
    /// How many environments have answered and are on their way back.
    returning: watch::Sender<usize>,
    closing: watch::Sender<bool>,
}

/// An environment that waits, and since when.
struct Warm {
    ready: Ready,
    since: Instant,
}

/// An environment, and which variables it was started with.
struct Ready {
    environment: Environment,
    generation: u64,
}

/// The function's own environment variables, and how often they were replaced.
struct Variables {
    env: Vec<(String, String)>,
    generation: u64,
}

/// The right to run one invocation.
pub(super) struct Slot {
    /// Given back when dropped.
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    /// A pool with no environment yet; the first invocation starts one. The
    /// function's role must exist in `authority`; `running` learns who works on what.
    #[must_use]
    pub fn new(
        spec: FunctionSpec,
        identity: Identity,
        authority: Arc<Authority>,
        running: Arc<Running>,
        s3_endpoint: Option<String>,
        feed: Feed,
    ) -> Arc<Self> {
        let slots = Arc::new(Semaphore::new(spec.concurrency));
        let variables = Mutex::new(Variables { env: spec.env.clone(), generation: 0 });
        Arc::new(Self {
            spec,
            identity,
            authority,
            running,
            s3_endpoint,
            feed,
            slots,
            idle: Mutex::default(),
            variables,
            returning: watch::Sender::new(0),
            closing: watch::Sender::new(false),
        })
    }

    pub(super) fn spec(&self) -> &FunctionSpec {
        &self.spec
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Waits until an invocation may run; `None` once the pool is closing.
    pub(super) async fn slot(&self) -> Option<Slot> {
        Arc::clone(&self.slots).acquire_owned().await.ok().map(|permit| Slot { _permit: permit })
    }

    /// Runs one attempt in a warm environment, or in a new one.
    pub(super) async fn run(self: &Arc<Self>, slot: Slot, attempt: &Attempt) -> (InvocationRecord, Outcome) {
        announce_start(&self.feed, attempt);
        let (record, outcome) = self.attempt(slot, attempt).await;
        self.feed.send(Activity::Finished(record.clone()));
        (record, outcome)
    }

    async fn attempt(self: &Arc<Self>, slot: Slot, attempt: &Attempt) -> (InvocationRecord, Outcome) {
        let Ready { mut environment, generation } = match self.warm_or_returning().await {
            Some(ready) => ready,
            None => match self.cold(attempt).await {
                Ok(ready) => ready,
                Err(ended) => return *ended,
            },
        };
        self.running.begin(environment.access_key_id(), &attempt.lineage, SESSION);
        let closing = self.closing.subscribe();
        let (record, outcome) = environment.invoke(attempt, &self.spec, &self.identity, closing).await;
        if environment.is_alive() && !matches!(outcome, Outcome::Interrupted) {
            let pool = Arc::clone(self);
            self.returning.send_modify(|count| *count += 1);
            // Off the answer's way: the runtime may still have to come back.
            tokio::spawn(async move { pool.give_back(Ready { environment, generation }, slot).await });
        }
        (record, outcome)
    }

    /// A new environment, or how the attempt ended without one.
    async fn cold(&self, attempt: &Attempt) -> Result<Ready, Box<(InvocationRecord, Outcome)>> {
        let started = Instant::now();
        let log_stream = log_stream();
        let mut closing = self.closing.subscribe();
        let cold = tokio::select! {
            cold = self.start(log_stream.clone(), &attempt.request_id) => Some(cold),
            () = until_true(&mut closing) => None,
        };
        let unstarted =
            |outcome: &str, error, log| self.unstarted(attempt, log_stream, started, outcome, error, log);
        match cold {
            Some(Ok(ready)) => Ok(ready),
            Some(Err(failed)) => {
                let (failure, log) = *failed;
                let record = unstarted(&failure.error_type, failure.payload_json(), log);
                Err(Box::new((record, Outcome::Failure(failure))))
            }
            None => {
                let record = unstarted("interrupted", Value::Null, Vec::new());
                Err(Box::new((record, Outcome::Interrupted)))
            }
        }
    }

    /// A warm environment, waiting a moment for one that is just coming back:
    /// that takes a runtime about a millisecond, a start far longer.
    async fn warm_or_returning(&self) -> Option<Ready> {
        const MOMENT: Duration = Duration::from_millis(20);
        let mut returning = self.returning.subscribe();
        if let Some(ready) = self.warm() {
            return Some(ready);
        }
        if *returning.borrow_and_update() > 0 {
            let _ = tokio::time::timeout(MOMENT, returning.changed()).await;
        }
        self.warm()
    }

    fn warm(&self) -> Option<Ready> {
        let generation = self.variables().generation;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|Warm { ready, .. }| {
            let environment = &ready.environment;
            environment.is_alive() && environment.age() < SESSION / 2 && ready.generation == generation
        });
        // The one used last is the warmest.
        idle.pop().map(|warm| warm.ready)
    }

    fn variables(&self) -> std::sync::MutexGuard<'_, Variables> {
        self.variables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the function's own environment variables, as an update of its
    /// configuration does on Lambda: environments of the earlier ones finish
    /// what they run and are not used again.
    pub(super) async fn set_variables(&self, env: Vec<(String, String)>) {
        {
            let mut variables = self.variables();
            variables.env = env;
            variables.generation += 1;
        }
        self.retire(Duration::ZERO).await;
    }

    /// Ends environments that have waited longer than `most`, so that an idle
    /// cloud gives their memory back.
    pub(super) async fn retire(&self, most: Duration) {
        let retired: Vec<Warm> = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.extract_if(.., |warm| warm.since.elapsed() > most).collect()
        };
        Self::stop_all(retired).await;
    }

    async fn stop_all(warm: Vec<Warm>) {
        let stopping = warm.into_iter().map(|one| one.ready.environment.stop());
        futures::future::join_all(stopping).await;
    }

    async fn give_back(&self, ready: Ready, slot: Slot) {
        let mut closing = self.closing.subscribe();
        let settled = tokio::select! {
            settled = ready.environment.settle(self.spec.timeout) => settled,
            () = until_true(&mut closing) => false,
        };
        if settled && !*self.closing.borrow() {
            let warm = Warm { ready, since: Instant::now() };
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(warm);
        }
        self.returning.send_modify(|count| *count -= 1);
        drop(slot);
    }

    async fn start(
        &self,
        log_stream: String,
        request_id: &str,
    ) -> Result<Ready, Box<(Failure, Vec<String>)>> {
        let session = log_stream.rsplit(']').next().unwrap_or_default();
        let credentials = self.authority.assume_role(&self.spec.role, session, SESSION).map_err(|error| {
            Box::new((Failure::not_started(request_id, &error.to_string()), vec![error.to_string()]))
        })?;
        let (env, generation) = {
            let variables = self.variables();
            (variables.env.clone(), variables.generation)
        };
        let spec = FunctionSpec { env, ..self.spec.clone() };
        let plan = Plan {
            spec: &spec,
            identity: &self.identity,
            credentials: &credentials,
            log_stream,
            s3_endpoint: self.s3_endpoint.as_deref(),
            feed: self.feed.clone(),
        };
        let environment = Environment::start(plan, request_id).await?;
        Ok(Ready { environment, generation })
    }

    /// The record of an attempt whose environment never came up.
    fn unstarted(
        &self,
        attempt: &Attempt,
        log_stream: String,
        started: Instant,
        outcome: &str,
        error: Value,
        log: Vec<String>,
    ) -> InvocationRecord {
        let elapsed = started.elapsed();
        let began = SystemTime::now() - elapsed;
        let duration_ms = elapsed.as_secs_f64() * 1000.0;
        let mut record = InvocationRecord {
            request_id: attempt.request_id.clone(),
            attempt: attempt.number,
            subjects: subjects(&attempt.payload),
            started_ms: began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as i64,
            outcome: outcome.to_owned(),
            error: recorded(error),
            duration_ms,
            billed_ms: duration_ms.ceil() as u64,
            max_memory_mb: 0,
            memory_mb: self.spec.memory_mb,
            init_ms: None,
            log_stream,
            log: Vec::new(),
        };
        let id = &attempt.request_id;
        record.log.push(format!("START RequestId: {id} Version: $LATEST"));
        record.log.extend(log);
        record.log.push(format!("END RequestId: {id}"));
        record.log.push(record.report());
        record
    }

    /// The record of an attempt that came after the close.
    pub(super) fn refuse(&self, attempt: &Attempt) -> (InvocationRecord, Outcome) {
        let record =
            self.unstarted(attempt, log_stream(), Instant::now(), "interrupted", Value::Null, Vec::new());
        (record, Outcome::Interrupted)
    }

    /// No new invocation; running ones are given `patience`, then killed.
    pub(super) async fn close(&self, patience: Duration) {
        let all = u32::try_from(self.spec.concurrency).unwrap_or(u32::MAX);
        let quiet = tokio::time::timeout(patience, self.slots.acquire_many(all)).await;
        self.closing.send_replace(true);
        drop(quiet);
        self.slots.close();
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        Self::stop_all(idle).await;
    }
}
