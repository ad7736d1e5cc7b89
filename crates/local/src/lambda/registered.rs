//! The extensions of one environment that registered, and each one's events.
//!
//! Owns: what is kept for an extension that is slow. Refuses: requests.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::{Notify, watch};

/// More undelivered events than this and the oldest is dropped: an extension
/// that never comes back must not hold memory.
const MOST_EVENTS: usize = 1000;

#[derive(Default)]
struct Extension {
    name: String,
    wants: Vec<String>,
    events: VecDeque<Value>,
    arrived: Arc<Notify>,
    /// It came for its first event.
    ready: bool,
}

/// The extensions of one environment.
pub(super) struct Extensions {
    registered: Mutex<HashMap<String, Extension>>,
    ready: watch::Sender<usize>,
}

impl Default for Extensions {
    fn default() -> Self {
        Self { registered: Mutex::default(), ready: watch::Sender::new(0) }
    }
}

impl Extensions {
    /// Whether any registered; such an environment is asked to stop before it
    /// is killed.
    pub(super) fn any(&self) -> bool {
        !self.registered.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// How many have come for an event, now and from now on.
    pub(super) fn ready(&self) -> watch::Receiver<usize> {
        self.ready.subscribe()
    }

    /// Hands `event` to every extension that registered for `kind`.
    pub(super) fn send(&self, kind: &str, event: &Value) {
        let mut registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        for extension in registered.values_mut().filter(|one| one.wants.iter().any(|want| want == kind)) {
            if extension.events.len() == MOST_EVENTS {
                extension.events.pop_front();
            }
            extension.events.push_back(event.clone());
            extension.arrived.notify_one();
        }
    }

    /// Adds an extension that wants the events `wants`; false when one of that
    /// name has registered already.
    pub(super) fn add(&self, id: &str, name: &str, wants: Vec<String>) -> bool {
        let mut registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        if registered.values().any(|one| one.name == name) {
            return false;
        }
        registered.insert(id.to_owned(), Extension { name: name.to_owned(), wants, ..Extension::default() });
        true
    }

    /// The next event of `id`: at once, or what to wait for; `None` when it
    /// never registered.
    pub(super) fn next(&self, id: &str) -> Option<Result<Value, Arc<Notify>>> {
        let mut registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        let extension = registered.get_mut(id)?;
        if !std::mem::replace(&mut extension.ready, true) {
            self.ready.send_modify(|count| *count += 1);
        }
        Some(extension.events.pop_front().ok_or_else(|| Arc::clone(&extension.arrived)))
    }
}
