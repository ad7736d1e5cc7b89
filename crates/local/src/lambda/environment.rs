//! One execution environment: a child process with its own Runtime API.
//!
//! Owns: the child's environment variables, its process group, its memory
//! limit, its output. Refuses: to let anything of the parent's environment in,
//! to outlive its owner, to hold more than one invocation.
//!
//! The child's whole process group is killed on a timeout, on memory over the
//! limit, and when the environment is dropped. A parent that is itself killed
//! with SIGKILL cannot do that; then the child finds its Runtime API gone at
//! the next request, and every runtime ends on that. One that hangs is ended
//! by the cloud's next start ([`super::end_orphans`]).

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Resource, Rlimit};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::extension;
use super::memory;
use super::outcome::recorded;
use super::output::Output;
use super::plan::Plan;
use super::process::{Process, watch_child};
use super::runtime_api::{Api, Delivery};
use super::variables::{trace_id, variables};
use super::{Failure, FunctionSpec, Identity, InvocationRecord, Outcome};
use crate::activity::{Activity, Feed, subjects};
use crate::lineage::Lineage;

/// One attempt at one event.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) request_id: String,
    pub(super) number: u32,
    pub(super) payload: bytes::Bytes,
    pub(super) lineage: Lineage,
}

/// A warm or starting environment.
pub(super) struct Environment {
    api: Arc<Api>,
    process: Arc<Process>,
    output: Arc<Output>,
    readers: Vec<JoinHandle<()>>,
    server: JoinHandle<()>,
    /// The external extensions' watchers; each ends with its program.
    extensions: Vec<JoinHandle<()>>,
    access_key_id: String,
    log_stream: String,
    born: Instant,
    /// How long the start took, until the first invocation reported it.
    init: Option<Duration>,
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.process.kill();
        self.server.abort();
    }
}

/// The limit that the kernel enforces should memory grow faster than it is
/// read. It counts writable private mappings, stacks of all threads in full,
/// and so stands far above the real limit: a normal program never meets it.
/// `RLIMIT_AS` would count reserved address space too, of which Go, Java and
/// Node take many gigabytes at the start.
fn backstop(memory_bytes: u64) -> u64 {
    memory_bytes.saturating_mul(4).saturating_add(2 << 30)
}

impl Environment {
    /// Starts the program and waits until it asks for its first event.
    pub(super) async fn start(plan: Plan<'_>, request_id: &str) -> Result<Self, Box<(Failure, Vec<String>)>> {
        let output = Arc::new(Output::new(plan.feed.clone(), &plan.identity.function));
        let started = Instant::now();
        let fail = |failure: Failure, output: &Output| {
            if let Some(line) = &failure.log_line {
                output.platform(line);
            }
            Box::new((failure, output.take()))
        };
        output.begin(request_id);
        let mut environment = match Self::launch(&plan, Arc::clone(&output)).await {
            Ok(environment) => environment,
            Err(why) => return Err(fail(Failure::not_started(request_id, &why), &output)),
        };
        environment.process.busy.store(true, Ordering::Relaxed);
        environment.process.woken.notify_one();
        let mut waiting = environment.api.waiting();
        let mut ready = environment.api.extensions.ready();
        let awaited = plan.spec.extensions.len();
        let settled = async {
            until_waiting(&mut waiting).await;
            // An invocation before an extension has registered would pass it by.
            let _ = ready.wait_for(|count| *count >= awaited).await;
        };
        let outcome = tokio::select! {
            biased;
            () = settled => Ok(()),
            status = environment.process.ended() => {
                environment.drain_to_end().await;
                let failure = environment.api.take_init_error();
                Err(failure.unwrap_or_else(|| environment.process.failure(request_id, status)))
            }
            () = tokio::time::sleep(plan.spec.init_timeout) => {
                environment.process.kill();
                Err(Failure::timed_out(request_id, plan.spec.init_timeout))
            }
        };
        match outcome {
            Ok(()) => {
                environment.process.busy.store(false, Ordering::Relaxed);
                environment.init = Some(started.elapsed());
                Ok(environment)
            }
            Err(failure) => Err(fail(failure, &output)),
        }
    }

    async fn launch(plan: &Plan<'_>, output: Arc<Output>) -> Result<Self, String> {
        let spec = plan.spec;
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(|error| format!("no port for the runtime api on 127.0.0.1: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let api = Api::new(&spec.name, spec.extensions.iter().map(|path| extension::name(path)).collect());
        let router = Arc::clone(&api).router(extension::routes());
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::warn!(%error, "the runtime api ended");
            }
        });
        let variables = variables(plan, &address.to_string());
        let spawned = Command::new(&spec.command)
            .args(&spec.args)
            .env_clear()
            .envs(spec.env.iter().map(|(name, value)| (name, value)))
            .envs(variables.clone())
            .current_dir(spec.task_root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => {
                server.abort();
                return Err(format!("fork/exec {}: {error}", spec.command.display()));
            }
        };
        let pid = child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(Pid::from_raw)
            .ok_or_else(|| "the child ended at once".to_owned())?;
        let memory_bytes = u64::from(spec.memory_mb) << 20;
        for (resource, most) in [(Resource::Data, backstop(memory_bytes)), (Resource::Core, 0)] {
            let limit = Rlimit { current: Some(most), maximum: Some(most) };
            if let Err(error) = rustix::process::prlimit(Some(pid), resource, limit) {
                // It may have ended already; the watcher will say so.
                tracing::debug!(%error, "no limit could be set on the environment");
            }
        }
        let readers = [
            child.stdout.take().map(|pipe| tokio::spawn(Arc::clone(&output).read(pipe))),
            child.stderr.take().map(|pipe| tokio::spawn(Arc::clone(&output).read(pipe))),
        ]
        .into_iter()
        .flatten()
        .collect();
        let process = Arc::new(Process {
            pid,
            memory: Mutex::new(memory::Group::new(pid.as_raw_nonzero().get())),
            peak: AtomicU64::new(0),
            limit: memory_bytes,
            busy: AtomicBool::new(false),
            woken: Notify::new(),
            ended: watch::Sender::new(None),
            stopping: AtomicBool::new(false),
            crashed: OnceLock::new(),
        });
        tokio::spawn(watch_child(child, Arc::clone(&process)));
        let extensions = match extension::launch(spec, &variables, pid, &process, &output) {
            Ok(extensions) => extensions,
            Err(error) => {
                process.kill();
                server.abort();
                return Err(error);
            }
        };
        Ok(Self {
            api,
            process,
            output,
            readers,
            server,
            extensions,
            access_key_id: plan.credentials.access_key_id.clone(),
            log_stream: plan.log_stream.clone(),
            born: Instant::now(),
            init: None,
        })
    }

    /// What it signs with.
    pub(super) fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// How long ago the program was started.
    pub(super) fn age(&self) -> Duration {
        self.born.elapsed()
    }

    pub(super) fn is_alive(&self) -> bool {
        self.process.ended.borrow().is_none()
    }

    /// Waits until the runtime asks for its next event; false when it ended or
    /// took longer than `patience`.
    pub(super) async fn settle(&self, patience: Duration) -> bool {
        let mut waiting = self.api.waiting();
        let settled = tokio::select! {
            settled = tokio::time::timeout(patience, until_waiting(&mut waiting)) => settled.is_ok(),
            _ = self.process.ended() => false,
        };
        self.process.busy.store(false, Ordering::Relaxed);
        settled && self.is_alive()
    }

    /// Hands one event over and waits for what comes of it. `closing` turns
    /// true when the cloud is shut down. Failed or interrupted by the platform,
    /// the environment is dead afterwards.
    pub(super) async fn invoke(
        &mut self,
        attempt: &Attempt,
        spec: &FunctionSpec,
        identity: &Identity,
        mut closing: watch::Receiver<bool>,
    ) -> (InvocationRecord, Outcome) {
        let id = &attempt.request_id;
        let now = SystemTime::now();
        let since_epoch = |moment: SystemTime| {
            moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis()
        };
        self.output.begin(id);
        self.output.platform(&format!("START RequestId: {id} Version: $LATEST"));
        self.process.busy.store(true, Ordering::Relaxed);
        self.process.woken.notify_one();
        let started = Instant::now();
        let answer = self.api.deliver(Delivery {
            request_id: id.clone(),
            payload: attempt.payload.clone(),
            deadline_ms: since_epoch(now + spec.timeout) as i64,
            arn: identity.arn(),
            trace_id: trace_id(now),
        });
        let mut outcome = tokio::select! {
            biased;
            answer = answer => match answer {
                Ok(Ok(body)) => Outcome::Success(body),
                Ok(Err(failure)) => Outcome::Failure(failure),
                // Only a second event in this slot could do that.
                Err(_) => Outcome::Interrupted,
            },
            status = self.process.ended() => Outcome::Failure(self.process.failure(id, status)),
            () = tokio::time::sleep(spec.timeout) => {
                self.process.kill();
                Outcome::Failure(Failure::timed_out(id, spec.timeout))
            }
            () = until_true(&mut closing) => {
                self.process.kill();
                Outcome::Interrupted
            }
        };
        let duration = started.elapsed();
        // An answer does not excuse memory over the limit, however short.
        if self.is_alive() && !matches!(outcome, Outcome::Interrupted) && self.process.check_memory() {
            let status = self.process.ended().await;
            if matches!(outcome, Outcome::Success(_)) {
                outcome = Outcome::Failure(Failure::exited(id, status));
            }
        }
        if self.is_alive() {
            self.output.settle().await;
        } else {
            self.drain_to_end().await;
        }
        let record = self.record(attempt, spec, &outcome, since_epoch(now) as i64, duration);
        (record, outcome)
    }

    fn record(
        &mut self,
        attempt: &Attempt,
        spec: &FunctionSpec,
        outcome: &Outcome,
        started_ms: i64,
        duration: Duration,
    ) -> InvocationRecord {
        let init = self.init.take();
        let limit_mb = u64::from(spec.memory_mb);
        let peak_mb = self.process.peak.load(Ordering::Relaxed).div_ceil(1 << 20);
        let (name, error) = match outcome {
            Outcome::Success(_) => ("success".to_owned(), Value::Null),
            Outcome::Failure(failure) => (failure.error_type.clone(), recorded(failure.payload_json())),
            Outcome::Interrupted => ("interrupted".to_owned(), json!(null)),
        };
        let mut record = InvocationRecord {
            request_id: attempt.request_id.clone(),
            attempt: attempt.number,
            subjects: subjects(&attempt.payload),
            started_ms,
            outcome: name,
            error,
            duration_ms: milliseconds(duration),
            billed_ms: milliseconds(duration + init.unwrap_or_default()).ceil() as u64,
            max_memory_mb: peak_mb.min(limit_mb),
            memory_mb: spec.memory_mb,
            init_ms: init.map(milliseconds),
            log_stream: self.log_stream.clone(),
            log: Vec::new(),
        };
        if let Outcome::Failure(Failure { log_line: Some(line), .. }) = outcome {
            self.output.platform(line);
        }
        self.output.platform(&format!("END RequestId: {}", attempt.request_id));
        self.output.platform(&record.report());
        record.log = self.output.take();
        record
    }

    /// The child has ended; its last words may still be in the pipes.
    async fn drain_to_end(&mut self) {
        for reader in &mut self.readers {
            // A grandchild outside the group may hold the pipe open.
            let _ = tokio::time::timeout(Duration::from_millis(200), reader).await;
        }
        self.readers.clear();
    }

    /// Ends the environment: asks first when an extension is registered, and
    /// gives it the time that Lambda does, then kills. Lambda ends the runtime
    /// before its extensions; here they share its process group, which ends
    /// with it, and so they go first.
    pub(super) async fn stop(mut self) {
        if self.api.extensions.any() {
            let patience = if self.extensions.is_empty() { INTERNAL_PATIENCE } else { EXTERNAL_PATIENCE };
            self.process.stopping.store(true, Ordering::Relaxed);
            let deadline = SystemTime::now() + patience;
            let deadline_ms = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
            self.api.extensions.send(
                "SHUTDOWN",
                &json!({ "eventType": "SHUTDOWN", "shutdownReason": "spindown", "deadlineMs": deadline_ms as u64 }),
            );
            let extensions = futures::future::join_all(std::mem::take(&mut self.extensions));
            let _ = tokio::time::timeout(patience, extensions).await;
            self.process.terminate();
            let _ = tokio::time::timeout(INTERNAL_PATIENCE, self.process.ended()).await;
        }
        self.process.kill();
    }
}

/// How long a shutdown may take with extensions inside the runtime's process,
/// and with programs of their own
/// (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>).
const INTERNAL_PATIENCE: Duration = Duration::from_millis(500);
const EXTERNAL_PATIENCE: Duration = Duration::from_secs(2);

/// Waits until the value is true, or until nobody is left to make it so.
pub(super) async fn until_true(value: &mut watch::Receiver<bool>) {
    let _ = value.wait_for(|value| *value).await;
}

async fn until_waiting(requests: &mut watch::Receiver<usize>) {
    let _ = requests.wait_for(|count| *count > 0).await;
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Says on the feed that an attempt begins.
pub(super) fn announce_start(feed: &Feed, attempt: &Attempt) {
    feed.send(Activity::Started { request_id: attempt.request_id.clone(), attempt: attempt.number });
}
