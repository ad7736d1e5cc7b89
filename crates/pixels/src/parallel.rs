//! Work handed to a few threads, with an outcome that does not depend on them:
//! of several errors the one of the first task counts. [`for_each`] runs every
//! task; prints that are encoded while others are resized (`planes/prints.rs`)
//! keep their errors in `Failures`, too. Decoders that run ahead of whoever takes
//! their rows (`jpeg/baseline.rs`, and `flow` of `imaging`) are two threads and a channel:
//! one task, not many.

use crate::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

/// Runs `task` on each of `items`, in their order, on up to `threads` threads,
/// this one included.
pub fn for_each<T: Send>(
    threads: usize,
    items: Vec<T>,
    task: impl Fn(T) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let helpers = threads.min(items.len()).saturating_sub(1);
    let waiting = Mutex::new(items.into_iter().enumerate());
    let failures = Failures::default();
    let work = || {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((index, item)) = next else { return };
            if let Err(error) = guarded("print", || task(item)) {
                failures.note(index, error);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..helpers {
            scope.spawn(work);
        }
        work();
    });
    failures.first()
}

/// The error of the first task that failed, whichever failed soonest.
#[derive(Default)]
pub(crate) struct Failures {
    first: Mutex<Option<(usize, Error)>>,
}

impl Failures {
    /// Notes the error of the task in `place`.
    pub(crate) fn note(&self, place: usize, error: Error) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().is_none_or(|(earlier, _)| place < *earlier) {
            *first = Some((place, error));
        }
    }

    /// Whether a task before the one in `place` has failed so far.
    pub(crate) fn before(&self, place: usize) -> bool {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        first.as_ref().is_some_and(|(earlier, _)| *earlier < place)
    }

    /// The outcome of all tasks, once they have ended.
    pub(crate) fn first(self) -> Result<(), Error> {
        let first = self.first.into_inner().unwrap_or_else(PoisonError::into_inner);
        first.map_or(Ok(()), |(_, error)| Err(error))
    }
}

/// The last wall: a panic within a codec becomes an error about this picture.
pub fn guarded<T>(format: &'static str, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without words".to_owned());
        Err(Error::Codec { format, detail: said })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_task_runs_and_the_first_failure_counts_whatever_the_threads() {
        let fails = |detail: usize| Error::Codec { format: "PNG", detail: detail.to_string() };
        for threads in 1..=4 {
            let done = AtomicUsize::new(0);
            let items: Vec<usize> = (0..20).collect();
            let result = for_each(threads, items, |item| {
                done.fetch_add(1, Ordering::Relaxed);
                if item % 7 == 6 { Err(fails(item)) } else { Ok(()) }
            });
            assert_eq!(result, Err(fails(6)));
            assert_eq!(done.into_inner(), 20);
        }
    }

    #[test]
    fn a_panic_becomes_an_error() {
        let result: Result<(), Error> = guarded("PNG", || panic!("index out of range"));
        assert_eq!(result, Err(Error::Codec { format: "PNG", detail: "index out of range".to_owned() }));
    }
}
