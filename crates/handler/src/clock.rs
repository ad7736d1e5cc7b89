//! Time, passed in: the core never asks the machine, so that a schedule can be
//! explored and a test never waits.

use std::future::Future;
use std::time::{Duration, SystemTime};

/// A clock that can also be waited on.
pub trait Clock: Send + Sync {
    /// Monotonic time since some fixed moment. Deadlines are on this scale.
    fn now(&self) -> Duration;

    /// The time of day, for failure reports.
    fn wall(&self) -> SystemTime;

    /// Completes after `duration`.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

impl<C: Clock> Clock for std::sync::Arc<C> {
    fn now(&self) -> Duration {
        (**self).now()
    }

    fn wall(&self) -> SystemTime {
        (**self).wall()
    }

    async fn sleep(&self, duration: Duration) {
        (**self).sleep(duration).await;
    }
}
