//! Which invocation caused which: what a function writes while it handles an
//! event belongs to that event's chain.
//!
//! Owns: the chain's length, and who runs what at the moment. Refuses:
//! trusting the function with it. Lambda follows a chain through the trace
//! header, which the function's own SDK has to pass on; here each environment
//! signs with credentials of its own, so S3 knows by itself which invocation
//! wrote an object. A function that brings other credentials leaves the chain.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After this many invocations in one chain the next is not run, as on Lambda.
pub const LONGEST_CHAIN: u32 = 16;

/// An invocation's place in its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// The request id of the chain's first invocation.
    pub root: String,
    /// 1 for the first.
    pub depth: u32,
}

impl Lineage {
    /// The chain that `request_id` begins.
    #[must_use]
    pub fn begin(request_id: &str) -> Self {
        Self { root: request_id.to_owned(), depth: 1 }
    }

    /// The place of what this invocation causes.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { root: self.root.clone(), depth: self.depth.saturating_add(1) }
    }
}

/// What each environment works on, by the access key that it signs with.
#[derive(Debug, Default)]
pub struct Running {
    by_key: Mutex<HashMap<String, (Lineage, Instant)>>,
}

impl Running {
    /// From now on, what is signed with `access_key_id` is caused by an
    /// invocation of this place. That holds beyond the invocation's end, since a
    /// function may write after it answered; `lifetime` is that of the key.
    pub(crate) fn begin(&self, access_key_id: &str, lineage: &Lineage, lifetime: Duration) {
        let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        if !by_key.contains_key(access_key_id) {
            by_key.retain(|_, (_, since)| since.elapsed() < lifetime);
        }
        by_key.insert(access_key_id.to_owned(), (lineage.clone(), Instant::now()));
    }

    /// The invocation on whose behalf this key signs; `None` for a person's.
    pub(crate) fn of(&self, access_key_id: &str) -> Option<Lineage> {
        let by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        by_key.get(access_key_id).map(|(lineage, _)| lineage.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_for_its_newest_invocation_and_is_forgotten_when_it_has_expired() {
        let running = Running::default();
        let first = Lineage::begin("a");
        running.begin("ASIA1", &first, Duration::from_mins(1));
        running.begin("ASIA1", &first.next(), Duration::from_mins(1));
        assert_eq!(running.of("ASIA1"), Some(Lineage { root: "a".to_owned(), depth: 2 }));
        assert_eq!(running.of("AKIAROOT"), None);
        running.begin("ASIA2", &Lineage::begin("b"), Duration::ZERO);
        assert_eq!((running.of("ASIA1"), running.of("ASIA2").map(|one| one.depth)), (None, Some(1)));
    }
}
