//! Trying an operation of the store a few times, with growing, jittered pauses
//! that never pass the invocation's deadline.

use crate::clock::Clock;
use crate::store::StoreError;
use crate::verdict::{Failure, Verdict, decide};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How patient the handler is within one invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How often an operation is tried in all, at least once.
    pub tries: u32,
    /// The longest pause before the second try; doubled for each one after.
    pub first: Duration,
    /// The longest pause of all.
    pub longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { tries: 5, first: Duration::from_millis(100), longest: Duration::from_secs(5) }
    }
}

impl Patience {
    /// The upper bound of the pause after the `tried`-th try (1 is the first).
    fn ceiling(&self, tried: u32) -> Duration {
        self.first.saturating_mul(1_u32.checked_shl(tried - 1).unwrap_or(u32::MAX)).min(self.longest)
    }
}

/// A source of jitter: a seed gives the same pauses again.
#[derive(Debug)]
pub(crate) struct Jitter(Mutex<fastrand::Rng>);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// Between half of `ceiling` and all of it: spread out, yet never so short
    /// that a throttling store is asked again at once.
    fn within(&self, ceiling: Duration) -> Duration {
        let share = self.0.lock().unwrap_or_else(PoisonError::into_inner).f64();
        ceiling.mul_f64(0.5 + share / 2.0)
    }

    /// Below `count`, which is not 0.
    pub(crate) fn below(&self, count: usize) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).usize(..count)
    }
}

/// Runs `operation` until it succeeds, until its failure is one that pauses do
/// not cure, or until the tries or the time are used up; then the last failure.
/// Each further try counts in `retries`.
pub(crate) async fn patiently<T, F>(
    clock: &impl Clock,
    jitter: &Jitter,
    patience: Patience,
    deadline: Duration,
    retries: &AtomicU32,
    mut operation: impl FnMut() -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut tried = 0;
    loop {
        let failure = match operation().await {
            Ok(value) => return Ok(value),
            Err(error) => Failure::Store(error),
        };
        tried += 1;
        let Verdict::Retry { soon: true, reason } = decide(&failure) else { return Err(failure) };
        let pause = jitter.within(patience.ceiling(tried));
        if tried >= patience.tries || clock.now().saturating_add(pause) >= deadline {
            return Err(failure);
        }
        tracing::debug!(reason, tried, pause_ms = pause.as_millis() as u64, "pausing before another try");
        clock.sleep(pause).await;
        retries.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_jittered_below_it() {
        let patience = Patience::default();
        let ceilings: Vec<u64> = (1..=9).map(|n| patience.ceiling(n).as_millis() as u64).collect();
        assert_eq!(ceilings, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
        assert_eq!(patience.ceiling(40), patience.longest, "no overflow");
        let jitter = Jitter::new(7);
        for _ in 0..1000 {
            let pause = jitter.within(Duration::from_millis(100));
            assert!((50..=100).contains(&pause.as_millis()), "{pause:?}");
        }
    }
}
