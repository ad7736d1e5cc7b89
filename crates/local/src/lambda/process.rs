//! The child process of an execution environment.
//!
//! Owns: watching it and its memory, and killing its whole process group.
//! Refuses: knowing what it runs.

use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::process::Child;
use tokio::sync::{Notify, watch};

use super::Failure;
use super::memory;

/// The child, as its owner and its watcher share it.
pub(super) struct Process {
    pub(super) pid: Pid,
    pub(super) memory: Mutex<memory::Group>,
    pub(super) peak: AtomicU64,
    pub(super) limit: u64,
    pub(super) busy: AtomicBool,
    pub(super) woken: Notify,
    /// The status once the child has ended.
    pub(super) ended: watch::Sender<Option<ExitStatus>>,
    pub(super) stopping: AtomicBool,
    /// Which extension took the environment down, and how.
    pub(super) crashed: OnceLock<String>,
}

impl Process {
    pub(super) fn kill(&self) {
        // After the end the group's number may belong to others.
        if self.ended.borrow().is_none() {
            let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
        }
    }

    /// Asks the runtime itself to end; its extensions have been told already.
    pub(super) fn terminate(&self) {
        if self.ended.borrow().is_none() {
            let _ = rustix::process::kill_process(self.pid, Signal::TERM);
        }
    }

    /// An extension ended: on Lambda that ends the environment.
    pub(super) fn extension_ended(&self, name: &str, status: ExitStatus) {
        if !self.stopping.load(Ordering::Relaxed) && self.ended.borrow().is_none() {
            let _ = self.crashed.set(format!("extension {name} exited: {status}"));
            self.kill();
        }
    }

    pub(super) fn failure(&self, request_id: &str, status: ExitStatus) -> Failure {
        match self.crashed.get() {
            Some(what) => Failure::extension_crashed(request_id, what),
            None => Failure::exited(request_id, status),
        }
    }

    /// Reads the group's memory; kills it when it is over the limit.
    pub(super) fn check_memory(&self) -> bool {
        let now = self.memory.lock().unwrap_or_else(PoisonError::into_inner).peak();
        self.peak.fetch_max(now, Ordering::Relaxed);
        let over = now > self.limit;
        if over {
            self.kill();
        }
        over
    }

    pub(super) async fn ended(&self) -> ExitStatus {
        let mut ended = self.ended.subscribe();
        loop {
            if let Some(status) = *ended.borrow_and_update() {
                return status;
            }
            if ended.changed().await.is_err() {
                // The sender lives in `self`; this is never reached.
                return ExitStatus::default();
            }
        }
    }
}

/// Kills the group when the watcher ends, however it ends.
struct GroupGuard(Pid);

impl Drop for GroupGuard {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process_group(self.0, Signal::KILL);
    }
}

const BUSY_POLL: Duration = Duration::from_millis(10);
const IDLE_POLL: Duration = Duration::from_secs(1);

pub(super) async fn watch_child(mut child: Child, process: Arc<Process>) {
    let group = GroupGuard(process.pid);
    let status = loop {
        let pause = if process.busy.load(Ordering::Relaxed) { BUSY_POLL } else { IDLE_POLL };
        tokio::select! {
            status = child.wait() => break status,
            () = tokio::time::sleep(pause) => { process.check_memory(); }
            () = process.woken.notified() => {}
        }
    };
    // The leader is gone; what it started must not stay.
    drop(group);
    process.ended.send_replace(Some(status.unwrap_or_default()));
}
